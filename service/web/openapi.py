"""A placeholder for the description; replaced below."""

from typing import Any


def describe() -> dict[str, Any]:
    return {}
