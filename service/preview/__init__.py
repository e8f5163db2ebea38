"""Programs under host names of their own: what a page opens in a frame, and the service does not trust."""
