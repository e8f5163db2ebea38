"""The agents that come with the service, one a file, and the contract that all agents keep."""
