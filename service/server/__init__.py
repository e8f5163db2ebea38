"""The process: its socket, its server, its garbage, its end."""
