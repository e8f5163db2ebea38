"""The command `twinwire`: what anybody does who talks to a service, and the server's own commands where they are."""
