"""The black-box kit: a real server process and raw clients that show exactly what is on the wire.

Nothing here imports the service: a test that passes on these tools passes for a program outside this
repository.
"""
