"""What a report may hold: the field that is wrong is named."""

from typing import Any

import msgspec
import pytest

from service.apps.projects.runs.items import NewRun, Report
from service.apps.projects.runs.limits import AGO_MAX, ITEM_MAX, ITEMS_MAX, KEY_MAX, STAGES_MAX
from service.core.errors import InvalidError


def checked(sent: dict[str, Any], kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(sent), type=kind).checked()


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({}, "items.0"),
        ({"output": "a", "progress": 1}, "items.0"),
        ({"output": "a" * (ITEM_MAX + 1)}, "items.0.output"),
        ({"output": "ä" * (ITEM_MAX // 2 + 1)}, "items.0.output"),
        ({"progress": 1, "stream": "stdout"}, "items.0.stream"),
        ({"stage": "a", "message": "b"}, "items.0.message"),
        ({"output": "a", "at": 1.0}, "items.0.at"),
        ({"stage": "a\nb"}, "items.0.stage"),
        ({"stage": " "}, "items.0.stage"),
        ({"cut": {"bytes": 1, "file": "a\nb"}}, "items.0.cut.file"),
        ({"end": {"cut": {"bytes": 1, "file": "a\tb"}}}, "items.0.end.cut.file"),
    ],
)
def test_an_item_is_one_thing(item: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        checked({"from": 1, "items": [item]}, Report)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "sent",
    [
        {"from": 0, "items": [{"alive": True}]},
        {"from": 1, "items": []},
        {"from": 1, "items": [{"alive": True}] * (ITEMS_MAX + 1)},
        {"from": 1, "items": [{"progress": 101}]},
        {"from": 1, "items": [{"cut": {"bytes": 0}}]},
        {"from": 1, "items": [{"end": {"signal": "TERM"}}]},
        {"from": 1, "items": [{"output_base64": "!"}]},
        {"from": 1, "items": [{"other": 1}]},
        {"from": 1, "items": [{"stage": "a", "at": -1}]},
    ],
)
def test_what_has_another_shape_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        checked(sent, Report)


def test_at_the_bounds_it_is_taken() -> None:
    sent = {"from": 1, "items": [{"output": "a" * ITEM_MAX}] + [{"alive": True}] * (ITEMS_MAX - 1)}
    assert len(checked(sent, Report).items) == ITEMS_MAX
    checked({"key": "k" * KEY_MAX, "command": "a\nb", "stages": ["s"] * STAGES_MAX}, NewRun)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"key": "a\n", "command": "c"}, "key"),
        ({"key": "a", "command": "c", "host": "a\nb"}, "host"),
        ({"key": "a", "command": "c", "stages": ["a", "\t"]}, "stages.1"),
    ],
)
def test_a_run_is_named_by_lines(sent: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        checked(sent, NewRun)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "sent",
    [
        {"key": "k" * (KEY_MAX + 1), "command": "c"},
        {"key": "", "command": "c"},
        {"key": "k", "command": "c", "ago": AGO_MAX + 1},
    ],
)
def test_a_key_and_an_age_have_their_bounds(sent: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        checked(sent, NewRun)
