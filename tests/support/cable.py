"""A cable between a client and a server that can be pulled: nothing passes, and nobody is told so."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

from tests.support.server import HOST


class Cable:
    """TCP from a port of its own to `port`. While it is pulled, connections open and nothing comes through; those that
    were under way when it is plugged in again are lost.
    """

    def __init__(self, port: int) -> None:
        self._to: Final = port
        self._listener = socket.create_server((HOST, 0))
        self._plugged = threading.Event()
        self._plugged.set()
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._is_over = False

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.plug()

    def pull(self) -> None:
        self._plugged.clear()

    def plug(self) -> None:
        """What was under way is lost."""
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._plugged.set()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with self._lock:
            self._ends.add(near)
        self._plugged.wait()
        try:
            with near, socket.create_connection((HOST, self._to)) as far:
                with self._lock:
                    self._ends.add(far)
                back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
                back.start()
                self._copy(near, far)
                back.join()
        except OSError:
            near.close()
        finally:
            with self._lock:
                self._ends = {end for end in self._ends if end.fileno() >= 0}

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._plugged.wait()
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
