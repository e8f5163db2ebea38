"""How much of a model a run may have, in tokens and in seconds, and how much of it is left.

Nobody but the endpoint knows how many tokens a text has, and not every endpoint tells. What it does not tell is
estimated. An answer is counted before it is asked for, as long as it may become, and set right afterwards: a service
that is killed in the middle has then not forgotten it.
"""

from dataclasses import dataclass
from typing import Final

from service.apps.projects.agents.base import Used
from service.apps.projects.llm.faults import BudgetError

LEAST: Final = 256
"""Tokens of an answer that are worth asking for."""

SLACK: Final = 3
"""Times the tokens that an answer was to have, from which on it does not end."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`tokens` and `seconds` are the most that a run may use, `answer` the most tokens of one answer."""

    tokens: int
    seconds: float
    answer: int

    def seconds_left(self, used: Used) -> float:
        """Over 0. Raises BudgetError."""
        left = self.seconds - used.seconds
        if left <= 0:
            raise self.out_of_time()
        return left

    def tokens_left(self, used: Used) -> int:
        return max(0, self.tokens - used.tokens)

    def answer_tokens(self, used: Used, question: int) -> int:
        """How many an answer may have to a question of so many. Raises BudgetError if there is no room for one."""
        room = min(self.answer, self.tokens_left(used) - question)
        if room < LEAST:
            raise self.out_of_tokens(used.tokens)
        return room

    def out_of_tokens(self, used: int) -> BudgetError:
        return BudgetError(
            f"The run has used {used:,} of the {self.tokens:,} tokens that it may (TWINWIRE_LLM_TOKENS_MAX), and the"
            " next answer does not fit: raise it, or take a smaller brief"
        )

    def room(self, used: Used, question: int, answer: int) -> int:
        """Tokens that a question and its answer may have before it is cut off: more than it was asked for, since they
        are estimated, and no more than are left.
        """
        return min(self.tokens_left(used), question + SLACK * answer)

    def endless(self, used: int, answer: int) -> BudgetError:
        return BudgetError(
            f"The model's answer does not come to an end: it was to have {answer:,} tokens at most, and with it the run"
            f" has used {used:,} of the {self.tokens:,} that it may (TWINWIRE_LLM_TOKENS_MAX): see whether the endpoint"
            " honours max_tokens, or change TWINWIRE_LLM_ANSWER_TOKENS"
        )

    def out_of_time(self) -> BudgetError:
        return BudgetError(
            f"The run has waited for the model for the {self.seconds:g} s that it may (TWINWIRE_LLM_SECONDS_MAX):"
            " raise it, or take a faster model"
        )
