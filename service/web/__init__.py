"""The web application: what knows Quart, and the composition of everything else."""
