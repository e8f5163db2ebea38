"""What the shell calls."""
