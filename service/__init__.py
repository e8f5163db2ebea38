"""Twinwire: live events over WebSocket, SSE and long polling from one durable log."""

__version__ = "0.1.0"
