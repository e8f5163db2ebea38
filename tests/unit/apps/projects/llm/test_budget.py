"""What is left to a run of a model, at the bound and one past it."""

import pytest

from service.apps.projects.agents.base import Used
from service.apps.projects.llm.budget import LEAST, SLACK, Budget
from service.apps.projects.llm.exchange import tokens_in, tokens_of
from service.apps.projects.llm.faults import BudgetError

BUDGET = Budget(tokens=10_000, seconds=60.0, answer=4_000)


def test_an_answer_has_what_it_may_or_what_is_left() -> None:
    assert BUDGET.answer_tokens(Used(), 1_000) == 4_000
    assert BUDGET.answer_tokens(Used(8_000), 1_000) == 1_000
    assert BUDGET.answer_tokens(Used(9_000), 1_000 - LEAST) == LEAST
    with pytest.raises(BudgetError, match="used 9,001 of the 10,000 tokens that it may"):
        BUDGET.answer_tokens(Used(9_001), 1_000 - LEAST)
    assert BUDGET.tokens_left(Used(20_000)) == 0


def test_an_answer_is_cut_off_where_it_does_not_end_or_nothing_is_left() -> None:
    assert BUDGET.room(Used(), 1_000, 1_000) == 1_000 + SLACK * 1_000
    assert BUDGET.room(Used(9_000), 500, 500) == 1_000


def test_time_is_over_when_it_is() -> None:
    assert BUDGET.seconds_left(Used(0, 59.5)) == 0.5
    with pytest.raises(BudgetError, match=r"for the 60 s that it may \(TWINWIRE_LLM_SECONDS_MAX\)"):
        BUDGET.seconds_left(Used(0, 60.0))


def test_estimates_are_of_bytes_and_rounded_up() -> None:
    assert [tokens_in(text) for text in ("", "a", "abcd", "ü" * 3)] == [0, 1, 2, 2]
    assert tokens_of([{"role": "user", "content": "abcd"}] * 2) == 2 * (2 + 8)
