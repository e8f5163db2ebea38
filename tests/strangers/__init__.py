"""Clients that others wrote, the popular and lenient ones: strict ones of our own hide faults."""
