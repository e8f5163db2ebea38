"""Why the log refused a publish: one word of a closed set, whatever it raises."""

import pytest

from service.bus.refusals import REASONS, reason_of
from service.core import errors
from service.core.errors import TwinwireError


def every_error() -> list[type[TwinwireError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, TwinwireError)]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_word(kind: type[TwinwireError]) -> None:
    assert reason_of(kind("why")) in REASONS


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (errors.GuardError("no"), "guard"),
        (errors.ReserveError("no"), "reserve"),
        (errors.StorageFullError("no"), "full"),
        (errors.OverloadedError("no"), "queue"),
        (errors.OverloadedError("no", field="topic"), "topics"),
        (errors.UnavailableError("no"), "closed"),
        (errors.StorageDownError("no"), "down"),
        (errors.StorageError("no"), "storage"),
        (errors.UnsupportedError("no"), "unsupported"),
        (errors.InvalidError("no"), "other"),
    ],
)
def test_the_nearest_class_gives_the_word(error: TwinwireError, word: str) -> None:
    assert reason_of(error) == word


def test_every_word_is_given() -> None:
    found = {reason_of(kind("why")) for kind in every_error()}
    assert found | {"topics"} == set(REASONS)
