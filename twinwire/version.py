"""Which version is installed."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str | None:
    """None for a checkout that was not installed."""
    try:
        return version("twinwire")
    except PackageNotFoundError:
        return None
