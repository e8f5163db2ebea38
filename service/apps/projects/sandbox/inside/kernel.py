"""Calls of the kernel that Python 3.11 has no name for (man 2 of each), by way of the C library's `syscall`."""

import ctypes
import os
import platform
import struct
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2

ATTR_RDONLY: Final = 1
ATTR_NOSUID: Final = 2
ATTR_NODEV: Final = 4
ATTR_NOEXEC: Final = 8
AT_RECURSIVE: Final = 0x8000
AT_FDCWD: Final = -100

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
SECCOMP_MODE_FILTER: Final = 2

_CAPABILITY_VERSION: Final = 0x20080522
_CAPABILITIES_MAX: Final = 63

_MOUNT_SETATTR: Final = 442
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}


class CannotError(Exception):
    """The kernel, or what was set up around this process, does not let it be shut in; `part` names what of it."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part: Final = part
        self.why: Final = why


class Kernel:
    """Each call raises CannotError that names `part`, what it is for."""

    def __init__(self) -> None:
        self.machine: Final = platform.machine()
        if self.machine not in _PIVOT_ROOT:
            raise CannotError("processor", f"the filter of system calls is not known for {self.machine}")
        self._library = ctypes.CDLL(None, use_errno=True)

    def _check(self, result: int, part: str) -> None:
        if result:
            raise CannotError(part, os.strerror(ctypes.get_errno()))

    def unshare(self, flags: int, part: str) -> None:
        self._check(self._library.unshare(flags), part)

    def mount(self, source: str, target: str, kind: str, flags: int, options: str, part: str) -> None:
        texts = [text.encode() for text in (source, target, kind, options)]
        found = self._library.mount(*texts[:3], ctypes.c_ulong(flags), texts[3])
        self._check(found, f"{part} ({target})")

    def restrict_mount(self, target: str, attributes: int, part: str, *, whole: bool) -> None:
        """Set attributes of a mount, and with `whole` of those below it (Linux 5.12)."""
        value = struct.pack("=QQQQ", attributes, 0, 0, 0)
        path, flags = target.encode(), AT_RECURSIVE if whole else 0
        size = ctypes.c_size_t(len(value))
        self._check(self._library.syscall(_MOUNT_SETATTR, AT_FDCWD, path, flags, value, size), f"{part} ({target})")

    def detach(self, target: str, part: str) -> None:
        self._check(self._library.umount2(target.encode(), MNT_DETACH), part)

    def pivot(self, part: str) -> None:
        """The working directory becomes the root, and what was it is gone."""
        self._check(self._library.syscall(_PIVOT_ROOT[self.machine], b".", b"."), part)
        self.detach(".", part)
        os.chdir("/")

    def control(self, option: int, value: int, part: str, more: int = 0) -> None:
        longs = [ctypes.c_ulong(one) for one in (value, more, 0, 0)]
        self._check(self._library.prctl(option, *longs), part)

    def drop_capabilities(self, part: str) -> None:
        """All of them, and what could bring them back."""
        for number in range(_CAPABILITIES_MAX + 1):
            if self._library.prctl(PR_CAPBSET_DROP, *[ctypes.c_ulong(one) for one in (number, 0, 0, 0)]):
                break  # EINVAL: the kernel knows none beyond
        self.control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, part)
        head, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), struct.pack("=6I", *[0] * 6)
        self._check(self._library.syscall(_CAPSET[self.machine], head, none), part)

    def filter_calls(self, program: bytes, part: str) -> None:
        """`program` is BPF, of eight bytes an instruction (man 2 seccomp)."""
        kept = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
        pointer = ctypes.create_string_buffer(head, len(head))
        self.control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, part, ctypes.addressof(pointer))


def map_user(process: int, inside: int, outside: tuple[int, int]) -> None:
    """In a new user namespace, the one user and group that there are. Raises CannotError.

    `process` is this one's folder in /proc, as a descriptor: it may be out of sight by now.
    """
    user, group = outside
    texts = {"setgroups": "deny", "uid_map": f"{inside} {user} 1", "gid_map": f"{inside} {group} 1"}
    for name, text in texts.items():
        try:
            file = os.open(name, os.O_WRONLY, dir_fd=process)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
        except OSError as error:
            raise CannotError("user namespace", f"{name}: {error.strerror}") from error
