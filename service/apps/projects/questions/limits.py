"""Every bound of a question, with its unit and its reason."""

from typing import Final

TEXT_MAX: Final = 1_000
"""Characters of a question, and of an answer in words: what people read on a card."""

CHOICES_MAX: Final = 10
"""Choices of one question: each is a button."""

CHOICE_MAX: Final = 100
"""Characters of a choice: it is a button's label."""

KEY_MAX: Final = 64
"""Characters of the key that whoever asks brings along."""

TIMEOUT_MIN: Final = 1.0
TIMEOUT_MAX: Final = 86_400.0
"""Seconds for which a question may be open: a day at most, since something waits for it."""

OPEN_MAX: Final = 20
"""Open questions of one project: people look at all of them."""

KEPT_MAX: Final = 50
"""Questions of one project that are kept; of more, the oldest that are not open any more go."""

WAIT_MAX: Final = 30.0
"""Seconds for which one request waits for an answer; then it is asked again."""

BODY_MAX: Final = 16 * 1024
"""Bytes of a request that asks; the longest legal one has about half."""
