import asyncio

import pytest
from structlog.testing import capture_logs

from service.core.errors import ConfigError
from service.server import loop as module
from service.server.loop import ignore_lost_connections, loop_factory


class SomeLoop(asyncio.SelectorEventLoop):
    """In place of uvloop's, which is not on every platform."""


class Wheel:
    new_event_loop = SomeLoop


def test_auto_takes_uvloop_where_there_is_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "uvloop", Wheel)
    assert loop_factory("auto") is SomeLoop
    assert loop_factory("uvloop") is SomeLoop
    assert loop_factory("asyncio") is None


def test_without_a_wheel_only_who_asks_for_uvloop_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "uvloop", None)
    assert loop_factory("auto") is None
    assert loop_factory("asyncio") is None
    with pytest.raises(ConfigError) as caught:
        loop_factory("uvloop")
    assert caught.value.field == "loop"


def logged(context: dict[str, object]) -> list[str]:
    with capture_logs() as lines:
        loop = asyncio.new_event_loop()
        ignore_lost_connections(loop, context)
        loop.close()
    return [line["event"] for line in lines]


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(110, "Connection timed out"),
        ConnectionResetError(),
        asyncio.CancelledError(),
        ExceptionGroup("tasks", [ConnectionResetError(), OSError(9, "Bad file descriptor")]),
    ],
)
def test_a_peer_that_is_gone_is_no_news(error: BaseException) -> None:
    assert logged({"message": "task", "exception": error}) == []


@pytest.mark.parametrize(
    "context",
    [
        {"message": "m", "exception": ValueError("ours")},
        {"message": "m", "exception": OSError(5, "Input/output error")},
        {"message": "m", "exception": ExceptionGroup("tasks", [ConnectionResetError(), ValueError("ours")])},
        {"message": "m"},
    ],
)
def test_everything_else_is_logged(context: dict[str, object]) -> None:
    assert logged(context) == ["loop_error"]
