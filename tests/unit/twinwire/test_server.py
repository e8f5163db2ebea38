"""What is told where the server is not to be had."""

import subprocess
import sys
from pathlib import Path

import twinwire

ROOT = Path(twinwire.__file__).parents[1]
PROGRAM = "from twinwire import asgi; asgi(open=True)"


def told(folder: Path, program: str = PROGRAM) -> str:
    """The last line that a program says that is begun in this folder."""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode, run.stdout
    return run.stderr.splitlines()[-1]


def test_a_package_of_the_users_that_hides_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").write_text("")
    said = told(tmp_path)
    assert said == (
        f"ImportError: The package `service` in {tmp_path / 'service'} hides the server's:"
        " run this elsewhere, or name yours otherwise."
    )


def test_a_module_of_the_users_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("raise SystemError('mine')\n")
    assert f"The package `service` in {tmp_path / 'service.py'} hides" in told(tmp_path)


def test_what_is_not_installed_is_named_with_what_installs_it(tmp_path: Path) -> None:
    said = told(tmp_path, f"import sys; sys.modules['quart'] = None; {PROGRAM}")
    assert "The server that twinwire.asgi mounts comes with `pip install 'twinwire[server]'`" in said
    assert "quart" in said
