"""The filter of system calls, carried out here as the kernel does it."""

import errno
import struct
from pathlib import Path

import pytest

from service.apps.projects.sandbox.inside.calls import MACHINES, numbers, program
from tests.support.needs import need

ALLOWED = 0x7FFF0000
KILLED = 0x80000000
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(machine: str, number: int, *arguments: int, mark: int | None = None) -> int:
    """What the filter says of a call: as `seccomp_data` and BPF have it (linux/seccomp.h, linux/filter.h)."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, MACHINES[machine].mark if mark is None else mark, 0, *padded)
    lines = list(struct.iter_unpack("=HBBI", program(machine)))
    at = held = 0
    while True:
        code, yes, no, value = lines[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x54:
            held &= value
        elif code == 0x06:
            return value
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += yes if holds else no


def refused(error: int) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize("machine", MACHINES)
def test_what_a_program_may_not(machine: str) -> None:
    known = MACHINES[machine]
    calls = numbers(known.refused)
    for name in ("ptrace", "mount", "unshare", "memfd_create", "keyctl", "shmget", "bpf"):
        assert verdict(machine, calls[name]) == refused(errno.EPERM), name
    assert verdict(machine, 435) == refused(errno.ENOSYS)  # clone3
    assert verdict(machine, known.clone, 0x10000000 | 17) == refused(errno.EPERM)  # a user namespace
    assert verdict(machine, known.mmap, 0, 4096, 3, 0x21) == refused(errno.EPERM)  # shared memory without a file
    assert verdict(machine, known.socket, 40, 1) == refused(errno.EAFNOSUPPORT)  # AF_VSOCK
    assert verdict(machine, known.socket, 16, 3) == refused(errno.EAFNOSUPPORT)  # AF_NETLINK
    for family in (2, 10, 30, 40):  # of which AF_TIPC would load a module
        assert verdict(machine, known.socketpair, family, 1) == refused(errno.EAFNOSUPPORT)
    assert verdict(machine, known.fcntl, 0, 1031) == refused(errno.EPERM)  # a larger pipe
    for option, error in ((7, 0), (8, 0), (32, errno.EPERM), (33, errno.EPERM)):  # a larger buffer: not done
        assert verdict(machine, known.setsockopt, 3, 1, option) == refused(error)
    assert verdict(machine, known.clone, 0x003D0B00) == refused(errno.EPERM)  # a thread with descriptors of its own
    assert verdict(machine, 436, 3, 9, 2) == refused(errno.EPERM)  # close_range(CLOSE_RANGE_UNSHARE): likewise
    assert verdict(machine, known.mmap, mark=0x40000003) == KILLED  # calls of 32-bit programs


@pytest.mark.parametrize("machine", MACHINES)
def test_what_it_may(machine: str) -> None:
    known = MACHINES[machine]
    for flags in (17, 0x003D0F00):  # fork, a thread
        assert verdict(machine, known.clone, flags) == ALLOWED
    for flags in (0x22, 0x01, 0x02):  # private memory, files
        assert verdict(machine, known.mmap, 0, 4096, 3, flags) == ALLOWED
    for family in (1, 2, 10):
        assert verdict(machine, known.socket, family, 1) == ALLOWED
    assert verdict(machine, known.fcntl, 0, 1) == ALLOWED
    assert verdict(machine, known.socketpair, 1, 1) == ALLOWED
    for level, option in ((1, 2), (1, 9), (6, 1), (6, 7), (0, 8), (41, 26)):  # SO_REUSEADDR, TCP_NODELAY, other levels
        assert verdict(machine, known.setsockopt, 3, level, option) == ALLOWED
    assert verdict(machine, 436, 3, 9, 0) == ALLOWED  # close_range, as subprocess has it
    assert verdict(machine, 0) == ALLOWED


def test_calls_under_other_numbers_are_not_there() -> None:
    assert verdict("x86_64", 0x40000000 | 101) == refused(errno.ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernel(machine: str) -> None:
    header = HEADERS[machine]
    need("" if header.exists() else None, "the kernel's headers (linux-libc-dev) are not installed")
    fields = [line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR")]
    real = {
        words[1].removeprefix("__NR3264_").removeprefix("__NR_"): words[2] for words in fields if words[-1].isdigit()
    }
    known = MACHINES[machine]
    for name, number in numbers(known.refused).items():
        assert real[name] == str(number), name
    names = ("clone", "mmap", "socket", "fcntl", "socketpair", "setsockopt")
    assert [real[name] for name in names] == [str(one) for one in known[2:]]
