"""Certificate: of a server in a test, for a day, which nobody has signed but itself."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.needs import program

_SUBJECT: Final = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM."""

    key: Path
    file: Path

    @classmethod
    def made(cls, folder: Path) -> "Certificate":
        """A new one, in files of this folder."""
        mine = cls(folder / "key.pem", folder / "certificate.pem")
        files = ["-keyout", str(mine.key), "-out", str(mine.file)]
        subprocess.run([program("openssl"), *_SUBJECT.split(), *files], check=True, capture_output=True)
        return mine
