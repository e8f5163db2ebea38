"""Whether the server is there, the package `service` of this distribution, and what is in its way."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

OURS: Final = Path(__file__).parents[1] / "service"
"""Where it is installed: beside this package."""


def why_missing(error: Exception, what: str) -> str:
    """Why `what` can't be had, and what would help; `error` is what came of its import."""
    try:
        spec = find_spec("service")
    except ValueError:  # a module that was made by hand
        spec = None
    where = [Path(place) for place in (spec.submodule_search_locations or [spec.origin or ""])] if spec else []
    if where and OURS.is_dir() and OURS not in where:
        return f"The package `service` in {where[0]} hides the server's: run this elsewhere, or name yours otherwise."
    return f"{what} with `pip install 'twinwire[server]'` ({error})."
