"""A real page in Chromium watches a whole run through every mode of the rig, and ends with the server's events."""

import asyncio
from typing import Final

import pytest

from tests.browser.witness import Outcome, assert_exact
from tests.proxies.cases import Case, cases

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHOWN_WITHIN: Final = 20.0
"""Seconds after the server's completion within which people must see it: a dozen pages at a time share two cores, and
some are away when it comes. Where none is that busy it takes a second or two (docs/proxies.md).
"""


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_a_run_is_watched_to_its_end(
    case: Case, outcomes: dict[str, asyncio.Task[Outcome]], report: list[Outcome]
) -> None:
    outcome = await outcomes[case.name]
    report.append(outcome)
    assert_exact(outcome)
    way = "\n".join(outcome.way)
    assert outcome.shown_after <= SHOWN_WITHIN, way
    # Where each connection is cut again and again, all may be there in the moment of being away.
    is_away = case.name.startswith(("RST", "cuts")) and outcome.transport is None
    assert is_away or outcome.transport in case.ends_on, way
