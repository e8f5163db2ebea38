"""What a confined program sees of the file system: a root made for it, and nothing beside.

    /app            the project's files, to be changed
    /tmp, /dev/shm  its own; with /app they share one size, beyond which the disk is full
    /usr/lib, /lib  libraries of the system, the interpreter and its standard library where they stand elsewhere too:
                    to be read. Folders of installed packages are empty
    /dev            null, random, urandom. No zero: a shared mapping of it is memory that nobody counts
    /bin            python and python3

There is no /proc and no /sys. All of it lives in memory and goes with the last process in it.
"""

import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.apps.projects.sandbox.inside.kernel import (
    ATTR_NODEV,
    ATTR_NOEXEC,
    ATTR_NOSUID,
    ATTR_RDONLY,
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    CannotError,
    Kernel,
)

PART: Final = "mount namespace"

APP: Final = "/app"
_SHARED: Final = {"app": APP, "tmp": "/tmp", "shm": "/dev/shm"}  # noqa: S108 - of the sandbox
_BASES: Final = ("/tmp", "/mnt", "/srv", "/media", "/opt", "/home", "/var")  # noqa: S108 - covered here, not written to

_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_BESIDE: Final = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/usr/share/zoneinfo", "/etc/localtime")
_DEVICES: Final = ("/dev/null", "/dev/random", "/dev/urandom")
_TEXTS: Final = {
    "etc/passwd": "nobody:x:65534:65534:nobody:/tmp:/bin/python\n",
    "etc/group": "nogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost sandbox\n",
}

INODES: Final = 20_000
"""Files, folders and links at most: each takes a kilobyte of the kernel's memory."""

_READ_ONLY: Final = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Where Python is on this machine: what of it has to be seen, and what not."""

    program: str
    parts: tuple[str, ...]
    packages: tuple[str, ...]

    @classmethod
    def of_this(cls) -> "Interpreter":
        """The one that runs this: not a virtual environment's, but what that was made from."""
        program = os.path.realpath(sys.executable)
        parts = [program, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        folder, library = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
        if library and (Path(folder) / library).exists():
            parts.append(str(Path(folder) / library))
        found = [
            *site.getsitepackages([sys.prefix, sys.exec_prefix, "/usr", "/usr/local"]),
            "/usr/lib/python3/dist-packages",
        ]
        return cls(program, tuple(dict.fromkeys(parts)), tuple(dict.fromkeys(found)))


def shut_in(kernel: Kernel, interpreter: Interpreter, size: int, owner: int) -> None:
    """Only what the module says is there from now on. `size` is bytes, `owner` whose its folders are.

    Raises CannotError.
    """
    kernel.unshare(CLONE_NEWNS, PART)
    kernel.mount("none", "/", "", MS_REC | MS_PRIVATE, "", PART)
    shown = _uncovered([*_LIBRARIES, *_BESIDE, *interpreter.parts])
    root = _base([*shown, *_DEVICES])
    kernel.mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m,nr_inodes=4096", PART)
    try:
        _fill(kernel, root, shown)
        _hide(kernel, root, shown, interpreter.packages)
        _own(kernel, root, size, owner)
        _write(root, interpreter)
    except OSError as error:
        raise CannotError(PART, f"{error.strerror} ({error.filename})") from error
    kernel.restrict_mount(root, _READ_ONLY | ATTR_NOEXEC, PART, whole=False)
    os.chdir(root)
    kernel.pivot(PART)


def _uncovered(paths: Iterable[str]) -> list[str]:
    """Those that are there, but for what lies in another of them."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if os.path.lexists(path) and not any(path.startswith(f"{one}/") for one in kept if not Path(one).is_symlink()):
            kept.append(path)
    return kept


def _base(shown: Sequence[str]) -> str:
    """A folder to cover: none that holds what is still to be shown."""
    for base in _BASES:
        if Path(base).is_dir() and not any(path.startswith(f"{base}/") for path in shown):
            return base
    raise CannotError(PART, f"none of {', '.join(_BASES)} is a folder that nothing is needed from")


def _fill(kernel: Kernel, root: str, shown: Sequence[str]) -> None:
    for path in [*shown, *_DEVICES]:
        source, target = Path(path), Path(root + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() and source.is_dir():  # /lib -> usr/lib
            target.symlink_to(source.readlink())
            continue
        if source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        kernel.mount(path, str(target), "", MS_BIND | MS_REC, "", PART)
        keeps = ATTR_NOSUID | ATTR_NOEXEC if path in _DEVICES else _READ_ONLY
        kernel.restrict_mount(str(target), keeps, PART, whole=True)


def _hide(kernel: Kernel, root: str, shown: Sequence[str], packages: Sequence[str]) -> None:
    """Folders of packages in what is shown: the standard library alone is promised."""
    for path in packages:
        if any(path.startswith(f"{one}/") for one in shown) and Path(path).is_dir():
            kernel.mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4k,nr_inodes=2", PART)
            kernel.restrict_mount(root + path, _READ_ONLY, PART, whole=False)


def _own(kernel: Kernel, root: str, size: int, owner: int) -> None:
    """One file system, of which three folders are seen."""
    box = f"{root}/box"
    Path(box).mkdir()
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    kernel.mount("tmpfs", box, "tmpfs", flags, f"mode=0700,size={size},nr_inodes={INODES}", PART)
    for name, place in _SHARED.items():
        folder, target = Path(box) / name, Path(root + place)
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, owner)
        target.mkdir(parents=True, exist_ok=True)
        kernel.mount(str(folder), str(target), "", MS_BIND, "", PART)
    kernel.detach(box, PART)
    Path(box).rmdir()


def _write(root: str, interpreter: Interpreter) -> None:
    for path, text in _TEXTS.items():
        file = Path(root) / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (Path(root) / "bin").mkdir()
    for name in ("python", "python3"):
        (Path(root) / "bin" / name).symlink_to(interpreter.program)
