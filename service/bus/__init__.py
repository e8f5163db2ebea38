"""One stream, many readers: publish, the tail, and subscriptions as cursors."""
