"""The bounds that clients rely on: a change here is a change of the wire contract."""

import ast
import inspect

import pytest

from service.core import limits
from service.core.cursor import Cursor

PROMISED = {
    "TYPE_MAX": 64,
    "TOPIC_MAX": 200,
    "KEY_MAX": 128,
    "CURSOR_MAX": 64,
    "DATA_MAX": 65_536,
    "ENVELOPE_MAX": 4_096,
    "TOKEN_MAX": 8_192,
    "SUBJECT_MAX": 128,
    "INFO_MAX": 1_024,
    "REQUEST_MAX": 8_388_608,
    "PAGE_DEFAULT": 500,
    "PAGE_MAX": 1_000,
    "WAIT_MAX": 60.0,
    "RETRY_MIN_MS": 500,
}


@pytest.mark.parametrize("name", PROMISED)
def test_promises(name: str) -> None:
    assert getattr(limits, name) == PROMISED[name]


def test_control_frames_and_the_names_of_event_source_are_reserved() -> None:
    control = {"connection", "gap", "caught_up", "heartbeat", "goodbye", "problem", "reply", "pong"}
    coming = {"auth", "presence", "state_end"}
    assert control | coming | {"error", "open"} == limits.RESERVED_TYPES


def test_the_longest_cursor_fits_its_bound() -> None:
    assert len(str(Cursor("z" * 32, limits.OFFSET_MAX))) <= limits.CURSOR_MAX


def test_every_bound_says_its_unit_and_reason() -> None:
    body = ast.parse(inspect.getsource(limits)).body
    for constant, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(constant, ast.AnnAssign):
            assert isinstance(after, ast.Expr), ast.unparse(constant)
            assert isinstance(after.value, ast.Constant), ast.unparse(constant)
