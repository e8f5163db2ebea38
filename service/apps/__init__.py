"""Applications that ride on the bus."""
