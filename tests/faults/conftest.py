import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.disk import Disk, compiler
from tests.support.server import ServerProcess


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """`serve(args, **env)` starts one; at the end, none has met an exception that nobody expected."""
    started: list[ServerProcess] = []

    def start(*args: str, **env: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path / f"server{len(started)}", env=env, args=args))
        return started[-1].start()

    yield start
    for process in started:
        process.discard()
    assert [fault for process in started for fault in process.faults()] == []


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    if compiler() is None:
        if os.environ.get("CI"):
            pytest.fail("no C compiler: a slow disk can't be made")
        pytest.skip("a slow disk needs a C compiler")
    return Disk(tmp_path_factory.mktemp("disk"))
