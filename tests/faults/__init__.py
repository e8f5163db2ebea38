"""What goes wrong around a service, its disk, its files, its clock: real processes, and faults put in from outside."""
