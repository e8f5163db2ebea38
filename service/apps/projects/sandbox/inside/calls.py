"""Which system calls a confined program may not make, as a filter for the kernel (man 2 seccomp).

What is refused, and why it has to be although there are namespaces and limits:

- calls that change namespaces, mounts, modules, clocks or the machine: the program has no capability for them, and a
  user namespace of its own would give it some. `clone3` keeps its flags in memory, where no filter sees them, so it is
  "not there", and C libraries go on with `clone`, whose flags are looked at;
- memory that belongs to no process, so that nobody sees how much of it there is: `memfd_create`, System V, shared
  mappings of no file; buffers of sockets and pipes beyond what a descriptor counts as (`watch.DESCRIPTOR`). To ask for
  a larger one of a socket does nothing, and is no error: to Linux it is a wish, and many programs have it by habit;
- descriptors that are not a process's, but a thread's alone, where they are not counted: a thread that does not share
  them, and `close_range` that takes it out;
- what reaches into other processes (`ptrace` and its kind), keys of the session that started the service (`keyctl`),
  and parts of the kernel that are large and that no small program needs (`bpf`, `io_uring`, `userfaultfd`);
- sockets but those of a Unix path, IPv4 and IPv6, and pairs but Unix ones: of the others, `AF_VSOCK` knows no network
  namespace, and each may load a module of the kernel.

All else is allowed. Numbers are those of Linux for each processor; from 424 on they are everywhere the same.
"""

import errno
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_ALIKE: Final = """
    io_uring_setup 425, io_uring_enter 426, io_uring_register 427, open_tree 428, move_mount 429, fsopen 430,
    fsconfig 431, fsmount 432, fspick 433, pidfd_getfd 438, process_madvise 440, mount_setattr 442, quotactl_fd 443,
    memfd_secret 447, process_mrelease 448, statmount 457, listmount 458, open_tree_attr 467
"""
_X86_64: Final = """
    shmget 29, shmat 30, shmctl 31, semget 64, semop 65, semctl 66, shmdt 67, msgget 68, msgsnd 69, msgrcv 70,
    msgctl 71, ptrace 101, syslog 103, personality 135, modify_ldt 154, pivot_root 155, adjtimex 159, chroot 161,
    acct 163, settimeofday 164, mount 165, umount2 166, swapon 167, swapoff 168, reboot 169, sethostname 170,
    setdomainname 171, iopl 172, ioperm 173, init_module 175, delete_module 176, quotactl 179, lookup_dcookie 212,
    semtimedop 220, clock_settime 227, mbind 237, set_mempolicy 238, mq_open 240, kexec_load 246, add_key 248,
    request_key 249, keyctl 250, migrate_pages 256, unshare 272, vmsplice 278, move_pages 279, perf_event_open 298,
    fanotify_init 300, name_to_handle_at 303, open_by_handle_at 304, clock_adjtime 305, setns 308,
    process_vm_readv 310, process_vm_writev 311, kcmp 312, finit_module 313, memfd_create 319, kexec_file_load 320,
    bpf 321, userfaultfd 323
"""
_AARCH64: Final = """
    lookup_dcookie 18, umount2 39, mount 40, pivot_root 41, chroot 51, quotactl 60, vmsplice 75, acct 89,
    personality 92, unshare 97, kexec_load 104, init_module 105, delete_module 106, clock_settime 112, syslog 116,
    ptrace 117, reboot 142, sethostname 161, setdomainname 162, settimeofday 170, adjtimex 171, mq_open 180,
    msgget 186, msgctl 187, msgrcv 188, msgsnd 189, semget 190, semctl 191, semtimedop 192, semop 193, shmget 194,
    shmctl 195, shmat 196, shmdt 197, add_key 217, request_key 218, keyctl 219, swapon 224, swapoff 225, mbind 235,
    set_mempolicy 237, migrate_pages 238, move_pages 239, perf_event_open 241, fanotify_init 262,
    name_to_handle_at 264, open_by_handle_at 265, clock_adjtime 266, setns 268, process_vm_readv 270,
    process_vm_writev 271, kcmp 272, finit_module 273, memfd_create 279, bpf 280, userfaultfd 282,
    kexec_file_load 294
"""


class _Machine(NamedTuple):
    """A processor: its mark in a filter's input, and numbers of calls on it."""

    mark: int
    refused: str
    clone: int
    mmap: int
    socket: int
    fcntl: int
    socketpair: int
    setsockopt: int


MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, _X86_64, 56, 9, 41, 72, 53, 54),
    "aarch64": _Machine(0xC00000B7, _AARCH64, 220, 222, 198, 25, 199, 208),
}

_CLONE3: Final = 435
_CLOSE_RANGE: Final = 436
_CLOSE_RANGE_UNSHARE: Final = 2
_OTHER_WORD: Final = 0x40000000
"""On x86-64, calls from here on are those of x32: the same ones under other numbers."""

_NEW_NAMESPACES: Final = 0x7E020000
"""CLONE_NEW*: of mounts, cgroups, host names, IPC, users, processes and networks; of time, `clone` can make none."""

_CLONE_THREAD: Final = 0x00010000
_CLONE_FILES: Final = 0x00000400

_FAMILIES: Final = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6."""

_UNIX: Final = 1

_SOL_SOCKET: Final = 1
_OPTION: Final = 2
"""Which argument of `setsockopt` it is; the one before is the level."""

_SIZES: Final = (7, 8)
_SIZES_BY_FORCE: Final = (32, 33)
"""SO_SNDBUF, SO_RCVBUF, and what an administrator sets beyond the bounds."""

_MAP_KIND: Final = 0x2F
_MAP_SHARED_ANONYMOUS: Final = (0x21, 0x23)
"""MAP_ANONYMOUS with MAP_SHARED, and with MAP_SHARED_VALIDATE."""

_F_SETPIPE_SZ: Final = 1031

# Where the input has what (struct seccomp_data), and the instructions (linux/bpf_common.h).
_NUMBER, _MARK, _FIRST = 0, 4, 16
_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

_Line = tuple[int, int, int, int]


def numbers(text: str) -> dict[str, int]:
    """Those of a list above, by name."""
    return {name: int(number) for name, number in (one.split() for one in text.split(","))}


def program(machine: str) -> bytes:
    """The filter for a processor of `MACHINES`."""
    known = MACHINES[machine]
    lines: list[_Line] = [(_LOAD, 0, 0, _MARK), (_EQUAL, 1, 0, known.mark), (_RETURN, 0, 0, _KILL)]
    lines.append((_LOAD, 0, 0, _NUMBER))
    if machine == "x86_64":
        lines += _refuse(_AT_LEAST, _OTHER_WORD, errno.ENOSYS)
    lines += _refuse(_EQUAL, _CLONE3, errno.ENOSYS)
    for number in sorted({*numbers(known.refused).values(), *numbers(_ALIKE).values()}):
        lines += _refuse(_EQUAL, number, errno.EPERM)
    alone = [(_ANY_BIT, 0, 2, _CLONE_THREAD), (_ANY_BIT, 1, 0, _CLONE_FILES), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    lines += _of(known.clone, 0, [*_refuse(_ANY_BIT, _NEW_NAMESPACES, errno.EPERM), *alone])
    lines += _of(_CLOSE_RANGE, 2, [*_refuse(_ANY_BIT, _CLOSE_RANGE_UNSHARE, errno.EPERM)])
    shared = [line for kind in _MAP_SHARED_ANONYMOUS for line in _refuse(_EQUAL, kind, errno.EPERM)]
    lines += _of(known.mmap, 3, [(_AND, 0, 0, _MAP_KIND), *shared])
    lines += _of(known.fcntl, 1, [*_refuse(_EQUAL, _F_SETPIPE_SZ, errno.EPERM)])
    families = [(_EQUAL, len(_FAMILIES) - n, 0, family) for n, family in enumerate(_FAMILIES)]
    lines += _of(known.socket, 0, [*families, (_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT)])
    pair = [(_EQUAL, 1, 0, _UNIX), (_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT)]
    lines += _of(known.socketpair, 0, pair)
    sizes = [line for option in _SIZES for line in _refuse(_EQUAL, option, 0)]
    sizes += [line for option in _SIZES_BY_FORCE for line in _refuse(_EQUAL, option, errno.EPERM)]
    level = [(_EQUAL, 1, 0, _SOL_SOCKET), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST + 8 * _OPTION)]
    lines += _of(known.setsockopt, _OPTION - 1, [*level, *sizes])
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _refuse(test: int, value: int, error: int) -> Iterable[_Line]:
    yield (test, 0, 1, value)
    yield (_RETURN, 0, 0, _ERROR | error)


def _of(number: int, argument: int, lines: list[_Line]) -> list[_Line]:
    """What is done with one call, whose number is loaded, by the lower half of an argument; else allow it."""
    body = [(_LOAD, 0, 0, _FIRST + 8 * argument), *lines, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]
