"""The fast wire: from an ASGI `send` to the connection's transport. The only folder that knows Hypercorn's inside.

Every step is checked by exact type, because HTTP/2 has the same attributes and raw bytes would corrupt it. What is
not recognised is "not available", and the portable ASGI path serves.
"""
