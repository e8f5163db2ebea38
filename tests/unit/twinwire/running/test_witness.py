"""To whom a signal went; `twinwire run` with it is in test_program.py."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from twinwire.running.signals import Came
from twinwire.running.witness import Witness, is_with_us

PROGRAM = """
import os, signal
from twinwire.running import witness
from twinwire.running.signals import Came, block
block([1, 2, 15])
class Witness(witness.Witness):
    late = 0
    def _started(self):
        started = super()._started()
        if self.late:  # it comes to the one that there was, and to the new one
            os.kill(0, self.late)
            self.late = 0
        return started
one = Witness()
def asked(number):
    return one.has_it_too(Came(signal.sigwaitinfo([number]).si_signo, False))
os.kill(os.getpid(), 15)
print("alone", asked(15))
os.kill(0, 15)
print("group", asked(15))
os.kill(os.getpid(), 15)
print("alone", asked(15))
os.kill(os.getpid(), 15)
came = Came(signal.sigwaitinfo([15]).si_signo, False)
os.kill(0, 15)
print("both, as timeout(1)", one.has_it_too(came), asked(15))
os.kill(os.getpid(), 15)
print("alone", asked(15))
os.kill(0, 1)
os.kill(0, 2)
print("two at once", asked(2), asked(1))
one.late = 2
os.kill(0, 15)
print("while it is renewed", asked(15), asked(2))
os.kill(os.getpid(), 2)
print("alone", asked(2))
one.late = 15
os.kill(0, 15)
print("again", asked(15), asked(15))
os.kill(os.getpid(), 15)
print("alone", asked(15))
os.kill(os.getpid(), 15)
os.kill(one._process.pid, 15)
print("each", asked(15))
one.close()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("closed")
"""

SAID = """alone False
group True
alone False
both, as timeout(1) True True
alone False
two at once True True
while it is renewed True True
alone False
again True True
alone False
each True
closed
"""


def test_what_goes_to_the_group_and_what_to_one() -> None:
    args = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(args, capture_output=True, text=True, check=True, timeout=60, process_group=0)
    assert found.stdout == SAID


def test_without_a_proc_it_is_what_the_terminal_sends(tmp_path: Path) -> None:
    one = Witness(tmp_path)
    assert [one.has_it_too(Came(signal.SIGINT, said)) for said in (True, False)] == [True, False]
    one.close()


def test_who_is_with_us() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=0) as other:
        assert not is_with_us(other.pid)
    assert is_with_us(os.getpid())
    assert not is_with_us(other.pid)
