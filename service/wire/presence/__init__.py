"""Who is where, at the front doors: how members come and go, how they are watched, and how a poll is told of them."""
