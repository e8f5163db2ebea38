"""Frames and transports: from a subscription to bytes."""
