"""A disk that is slow, fails or is small, and a calendar that jumps, on demand: `disk.c`, built once and preloaded."""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("disk.c")


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


class Disk:
    """`environment` is a server's. In seconds; what is not given is well."""

    def __init__(self, folder: Path) -> None:
        self._control = folder / "faults"
        self._library = folder / "disk.so"
        self.set()
        built = [compiler() or "cc", "-O1", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(built, check=True, capture_output=True)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self._library), "TWINWIRE_FAULTS": str(self._control)}

    def set(
        self,
        read: float = 0,
        write: float = 0,
        sync: float = 0,
        read_errno: int = 0,
        write_errno: int = 0,
        calendar: int = 0,
        room: int = 0,
    ) -> None:
        """From now on; `room` is the KiB of the disk. Written in place: the server has the file mapped."""
        delays = [round(1_000_000 * one) for one in (read, write, sync)]
        with self._control.open("r+b" if self._control.exists() else "w+b") as file:
            file.write(struct.pack("7i", *delays, read_errno, write_errno, calendar, room))
