import pytest

from service.apps.projects.runs.limits import PLACES_TOLD
from service.apps.projects.runs.wording import cancelled, details, ordinal, place, without_folders


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[Errno 2] No such file: '/srv/twinwire/app/x.py'", "[Errno 2] No such file: '…/x.py'"),
        (r"C:\Users\me\x.py is not there", "…/x.py is not there"),
        ("see https://example.org/a/b/c and docs/a/b.md", "see https://example.org/a/b/c and docs/a/b.md"),
        ("/etc is a folder, 1/2 a number", "/etc is a folder, 1/2 a number"),
    ],
)
def test_where_things_lie_on_the_server_is_not_told(text: str, told: str) -> None:
    assert without_folders(text) == told
    assert details(ValueError(text)) == f"Details: ValueError: {told}"


def test_who_has_cancelled_it_and_where() -> None:
    assert cancelled("alice", 4) == "Cancelled by alice at stage 4"
    assert cancelled(None, 0) == "Cancelled"


def test_places_are_words() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)
    assert " ".join(map(ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th"
    assert [place(number) for number in (1, 3)] == ["Next in the queue", "3rd in the queue"]
    assert place(PLACES_TOLD + 1) == place(PLACES_TOLD + 500)
