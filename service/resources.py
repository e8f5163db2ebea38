"""Where the files beside the code are: in a checkout at the top, in an installed package under `_data`."""

from pathlib import Path


def resource(name: str) -> Path:
    """The path of `migrations`, `static` or `hypercorn.toml`."""
    package = Path(__file__).resolve().parent
    packaged = package / "_data" / name
    return packaged if packaged.exists() else package.parent / name
