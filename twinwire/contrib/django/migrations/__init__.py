"""What the table was, from version to version."""
