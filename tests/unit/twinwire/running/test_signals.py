"""Signals as things that come; how they are seen in use is in test_program.py and test_session.py."""

import signal
import subprocess
import sys

import pytest

from twinwire.running.signals import in_foreground, name_of

PROGRAM = """
import os, queue, signal
from twinwire.running.signals import OWN, PASSED, block, watch
came = queue.SimpleQueue()
block([*PASSED, *OWN])
watch([*PASSED, *OWN], came.put)
for name in ("SIGINT", "SIGTERM", "SIGWINCH", "SIGCONT"):
    os.kill(os.getpid(), getattr(signal, name))
    found = came.get(timeout=30)
    print(signal.Signals(found.number).name, found.is_everywhere)
"""


def test_what_a_process_sends_is_for_us_alone() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "SIGINT False\nSIGTERM False\nSIGWINCH False\nSIGCONT False\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGPIPE", "SIGINT"])
def test_who_dies_by_a_signal_is_seen_to(name: str) -> None:
    program = f"import signal; from twinwire.running.signals import block, die; block([2, 15]); die(signal.{name})"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stderr) == (-getattr(signal, name), b"")


def test_names() -> None:
    assert name_of(15) == "SIGTERM"
    assert name_of(int(signal.SIGRTMIN) + 3) == "SIGRTMIN+3"
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert not in_foreground(process.stdin.fileno())
