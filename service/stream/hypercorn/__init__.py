"""All that knows Hypercorn's inside: the fast way out of it, and the guards around what comes in.

The way out goes from an ASGI `send` to the connection's transport (pipes.py, inside.py). Every step is checked by exact
type, because HTTP/2 has the same attributes and raw bytes would corrupt it. What is not recognised is "not available",
and the portable ASGI path serves.

The guards (upstream.py has how they get in) are a connection, server.py, with its inbox.py, and what it speaks:
http1.py, http2.py and websocket.py, with their budget.py and meter.py.
"""
