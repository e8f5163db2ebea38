"""Where what agents wrote is run: a process that is shut off from the machine, the service and its data."""
