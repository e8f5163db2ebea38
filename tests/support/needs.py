"""Programs that some tests need: without one they are skipped, but never in CI, where that would hide them all."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

_PLACES: Final = ("/usr/sbin", "/usr/local/sbin")
"""Where a daemon such as nginx is, for users whose path leaves these out."""

_PACKAGES: Final = Path(__file__).parents[2] / "node_modules"
"""Where those of package.json are, once somebody has installed them."""


def need(found: str | None, missing: str) -> str:
    """`found`; if it is None, the test is skipped, or in CI fails, with `missing`."""
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return found


def program(name: str, missing: str | None = None) -> str:
    """Its path; see `need`."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES))
    return need(shutil.which(name, path=path), missing or f"no {name}")


def node(*packages: str) -> str:
    """Its path, where the packages are installed that the script takes; see `need`."""
    path = program("node")
    missing = [name for name in packages if not (_PACKAGES / name).is_dir()]
    return need(None if missing else path, f"no {', '.join(missing)} for node: `npm ci` installs it")
