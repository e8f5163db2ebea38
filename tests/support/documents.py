"""Programs in Python that stand in documents."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.server import ROOT


def blocks(name: str) -> list[str]:
    """Of this document, in their order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def first_line_of_the_readme(python: str | Path, folder: Path, env: Mapping[str, str]) -> str:
    """That its program prints, which goes on for ever."""
    (block,) = blocks("README.md")
    unbuffered = {**env, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([python, "-c", block], cwd=folder, env=unbuffered, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        process.kill()
    return said
