"""What the launcher is told on its standard input: a line of JSON, and the files one after the other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Order:
    """`limits` are the fields of `Limits`; `files` by path, as bytes."""

    command: Sequence[str]
    limits: Mapping[str, float]
    is_confined: bool
    files: Mapping[str, bytes]

    def packed(self) -> bytes:
        sizes = [[path, len(text)] for path, text in self.files.items()]
        head = {"command": self.command, "limits": self.limits, "is_confined": self.is_confined, "files": sizes}
        return b"".join([json.dumps(head).encode(), b"\n", *self.files.values()])

    @classmethod
    def read(cls, stream: IO[bytes]) -> "Order":
        head = json.loads(stream.readline())
        files = {path: stream.read(size) for path, size in head.pop("files")}
        return cls(**head, files=files)
