"""A small restart behind HAProxy, and the verdict: a restart that loses or refuses something is called so."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.restart.plots import write
from tests.restart.returner import Refusal
from tests.restart.run import run
from tests.restart.verdict import Client, Result

CLIENTS: Final = 50
GOOD_CLIENT: Final = Client("sse 1", [1, 2, 3], [-5.0, 4.0], [2.0], [Refusal(2.5, "503")])
GOOD: Final = Result(2.5, 3.0, 4.0, [GOOD_CLIENT, replace(GOOD_CLIENT, name="poll 2", arrivals=[-5.0, 3.5])], [1, 2, 3])


@pytest.mark.timeout(180)
async def test_a_restart_loses_nothing_and_refuses_nobody_who_comes_later() -> None:
    result = await run(CLIENTS, delay=0.5)
    assert result.problems == [], result.summary()
    assert len(result.returns) == CLIENTS
    assert len(result.offsets) > 3
    assert 0.5 < result.gone < result.ready < result.back


def test_a_good_one_is_called_so() -> None:
    assert GOOD.problems == []
    assert GOOD.returns == [3.5, 4.0]
    assert [GOOD.connected(at) for at in (0.0, 2.0, 3.5, 4.0)] == [2, 0, 1, 2]
    assert GOOD.arrived(3.0, 4.0) == 2
    assert GOOD.refused == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"offsets": [1, 3]}, "2 events of 3"),
        ({"offsets": [1, 2, 2, 3]}, "4 events of 3"),
        ({"offsets": [1, 3, 2]}, "another order"),
        ({"gaps": 1}, "1 gaps"),
        ({"cuts": 1}, "cut without a goodbye"),
        ({"refusals": [Refusal(3.001, "503")]}, "refused 0.001 s after"),
    ],
)
def test_what_a_client_must_not_see_is_told(changes: dict[str, Any], told: str) -> None:
    bad = replace(GOOD, clients=[replace(GOOD_CLIENT, **changes)])
    (problem,) = bad.problems
    assert problem.startswith("sse 1")
    assert told in problem


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"refusals": [Refusal(3.5, "502")]}, "the publisher was refused"),
        ({"code": 1}, "ended with 1"),
        ({"faults": ["Traceback"]}, "Traceback"),
    ],
)
def test_what_a_server_must_not_do_is_told(changes: dict[str, Any], told: str) -> None:
    (problem,) = replace(GOOD, **changes).problems
    assert told in problem


def test_the_curve_is_printed_and_drawn(tmp_path: Path) -> None:
    assert [line.split()[:5] for line in GOOD.table()[1:]] == [
        ["0", "-", "1", "0", "2"],
        ["1", "-", "2", "0", "0"],
        ["2", "-", "3", "0", "0"],
        ["3", "-", "4", "2", "2"],
        ["4", "-", "5", "0", "2"],
    ]
    drawn = write(tmp_path, GOOD).read_text()
    assert "back in the last second" in drawn
    assert drawn.count("<polyline") == 2
