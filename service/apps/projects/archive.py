"""A project's files as one zip: the same files give the same bytes."""

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3


def pack(files: Mapping[str, str], folder: str) -> bytes:
    """The files in one folder, so that they don't spill into where somebody unpacks them.

    Sorted, with the oldest time that the format knows (APPNOTE 4.4.6).
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            info = zipfile.ZipInfo(f"{folder}/{path}", _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = _UNIX
            info.external_attr = _MODE
            archive.writestr(info, files[path])
    return buffer.getvalue()


def slug(text: str, otherwise: str = "project") -> str:
    """`text` as a file or package name: lower-case ASCII letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or otherwise
