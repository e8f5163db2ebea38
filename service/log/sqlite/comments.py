"""What of a script of SQL is no statement."""


def has_statement(sql: str) -> bool:
    """Whether there is more in it than white space and comments to the ends of lines."""
    return any(line.strip() and not line.lstrip().startswith("--") for line in sql.splitlines())
