"""Events that are not kept, at the front doors: how they come in, and how a poll that waits has them."""
