"""Output on its way: unchanged to where it goes, and as it is to be kept to the spool."""

import os
from pathlib import Path

import pytest

from tests.support.spools import marks_of, new_spool
from twinwire.running.recorder import Pump, Recorder
from twinwire.running.spool import Mark


def test_ends_of_lines_are_those_that_the_command_wrote(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    recorder = Recorder(spool, [b"secret"], is_terminal=True)
    for piece in (b"one\r", b"\ntwo\r\r\n 10%\r", b"100%\r\nse", b"cret\r\n::stage x\r", b"\nse"):
        recorder.take(piece)
    assert spool.read(0, 100) == b"one\ntwo\r\n 10%\r100%\n***\n::stage x\n"
    recorder.take(b"\r")
    recorder.close()
    recorder.take(b"late")
    assert spool.read(0, 100) == b"one\ntwo\r\n 10%\r100%\n***\n::stage x\nse\r"
    assert marks_of(spool) == [Mark(33, stage="x")]


def test_without_a_terminal_they_are_as_they_are(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    recorder = Recorder(spool, [])
    recorder.take(b"a\r\nb\r")
    assert spool.read(0, 100) == b"a\r\nb\r"
    Recorder(None, [b"x"]).take(b"nobody keeps it")


@pytest.mark.parametrize("is_nonblocking", [False, True])
def test_all_of_it_goes_through(tmp_path: Path, is_nonblocking: bool) -> None:
    spool = new_spool(tmp_path)
    source, inside = os.pipe()
    outside, target = os.pipe()
    os.set_blocking(target, not is_nonblocking)
    pump = Pump(source, target, Recorder(spool, []))
    pump.start()
    data = os.urandom(300_000)
    got = b""
    for at in range(0, len(data), 30_000):
        os.write(inside, data[at : at + 30_000])
        while len(got) < at + 30_000:
            got += os.read(outside, 65_536)
    os.close(inside)
    pump.join(30)
    assert pump.is_done
    assert got == data == spool.read(0, 400_000)
    os.close(outside)
    os.close(target)


def test_who_reads_no_more_is_told_to_the_command(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    source, inside = os.pipe()
    outside, target = os.pipe()
    os.close(outside)
    pump = Pump(source, target, Recorder(spool, []))
    os.write(inside, b"one")
    pump.start()
    pump.join(30)
    with pytest.raises(BrokenPipeError):
        os.write(inside, b"two")
    os.close(inside)
    os.close(target)
    assert spool.read(0, 10) == b"one"
