"""A program without walls, for machines whose kernel has none: limits of each process, and an end to all of them.

It has a folder of its own and none of the service's environment, but may read, write and reach whatever the service's
user may. Processes that leave its group are found where the kernel tells who is whose child (Linux).
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

from service.apps.projects.sandbox.inside import child, watch
from service.apps.projects.sandbox.inside.first import ENVIRONMENT, tell, write
from service.apps.projects.sandbox.inside.kernel import PR_SET_CHILD_SUBREAPER, CannotError, Kernel
from service.apps.projects.sandbox.inside.order import Order

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_LOOKS: Final = 10
"""Each how many times that it is asked for, the size of a folder is looked at."""

_ROUNDS: Final = 100
"""How often it is looked for processes that are left: each round ends all that it finds."""


class Unconfined:
    """Its files, and its processes."""

    folder: int | None = None

    def __init__(self) -> None:
        self.process = 0
        self._looks = 0
        self._home = Path(tempfile.mkdtemp(prefix="twinwire-app-"))

    def start(self, order: Order, told: socket.socket) -> None:
        """Raises CannotError, or OSError if the files can't be written."""
        with contextlib.suppress(CannotError):  # another system, or processor: then by the group alone
            Kernel().control(PR_SET_CHILD_SUBREAPER, 1, "end of all processes")
        app, programs = self._home / "app", self._home / "bin"
        app.mkdir()
        programs.mkdir()
        for name in ("python", "python3"):
            (programs / name).symlink_to(os.path.realpath(sys.executable))
        write(app, order.files)
        environment = {**ENVIRONMENT, "PATH": f"{programs}:{_PATH}", "HOME": str(self._home)}
        self.process = os.fork()
        if not self.process:
            _become(order, app, environment, told)

    def is_full(self, most: float) -> bool:
        """Whether its files are more than `most` bytes; it is looked now and then, since there may be many."""
        self._looks += 1
        return self._looks % _LOOKS == 0 and _size(self._home) > most

    @property
    def top(self) -> int:
        """The process at which the tree of all of them begins: who leaves it comes to the launcher."""
        return os.getpid()

    def end(self) -> None:
        """Idempotent."""
        for _ in range(_ROUNDS):
            left = [one for one in watch.below(os.getpid()) if one != os.getpid()]
            if self.process:  # else it was not started; and group 0 is the launcher's own
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process, signal.SIGKILL)
            for one in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, 0)[0]:
                    pass
            if not left:
                break
        shutil.rmtree(self._home, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of the files in it; whatever goes away meanwhile is passed over."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _become(order: Order, app: Path, environment: dict[str, str], told: socket.socket) -> NoReturn:
    try:
        os.setsid()
        os.chdir(app)
        null = os.open("/dev/null", os.O_RDONLY)
        child.keep({0: null, 1: 1, 2: 1, 3: told.fileno()})
        os.set_inheritable(3, False)
        child.limit(order.limits, is_confined=False)
    except BaseException as error:
        tell(socket.socket(fileno=3), error)
        os._exit(1)
    child.execute(order.command, environment)
