"""The fixtures, in a run of pytest as somebody has it, with a package of his own that is called `service`."""

import subprocess
import sys
from pathlib import Path

from tests.support.server import environment

CONFTEST = 'pytest_plugins = ["twinwire.testing.plugin"]\n'
TEST = """
import os
from twinwire import Twinwire

def shop():
    with Twinwire() as live:  # from the environment
        live.publish("orders/17", "paid", {"total": 12})

def test_one(twinwire_service):
    with twinwire_service.published("orders/*") as events:
        shop()
    assert [event.data for event in events] == [{"total": 12}]

def test_two(twinwire_service, twinwire_client):
    assert os.environ["TWINWIRE_URL"] == twinwire_service.url
    assert len(twinwire_client.history("orders/*").events) == 1
"""


def test_an_applications_tests_have_a_service(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_shop.py").write_text(TEST)
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").write_text("raise RuntimeError('the application, and not the server')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=tmp_path,
        env=environment({"TWINWIRE_TOKEN": "of somebody else", "TWINWIRE_URL": "http://127.0.0.1:1"}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
