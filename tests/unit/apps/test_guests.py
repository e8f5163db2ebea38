"""All applications as one."""

from typing import Any

import pytest

from service.apps.base import App
from service.apps.guests import Guests
from service.core.errors import ForbiddenError
from service.core.topics import TopicFilter
from service.stream.asgi import ASGI, Receive, Scope, Send


class Guest(App):
    """Owns the type `own` and what events are about on topics that begin with its name, and has a rule for `ruled`."""

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    def owns(self, topic: str, type: str) -> bool:
        return type == "own" and self.owns_subjects(topic)

    def owns_subjects(self, topic: str) -> bool:
        return topic.startswith(f"{self.name}/")

    def rule(self, topic: str, type: str) -> Any:
        return (lambda data: None) if type == "ruled" else None

    def alias(self, path: str) -> TopicFilter | None:
        return TopicFilter((path,)) if self.owns_subjects(path) else None


GUESTS = Guests([Guest("a"), Guest("b")])


def test_the_first_that_knows_gives_the_answer() -> None:
    assert GUESTS.rule("c/1", "ruled") is not None
    assert GUESTS.rule("a/1", "free") is None
    assert GUESTS.alias("b/1") == TopicFilter(("b/1",))
    assert GUESTS.alias("c/1") is None
    assert Guests(()).rule("a/1", "own") is None


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_an_applications_own_is_forbidden_to_others(name: str) -> None:
    with pytest.raises(ForbiddenError, match=f"the application {name} alone") as caught:
        GUESTS.rule(f"{name}/1", "own")
    assert caught.value.field == "type"
    with pytest.raises(ForbiddenError, match=f"the application {name} alone") as caught:
        GUESTS.check_subjects(f"{name}/1")
    assert caught.value.field == "subject"
    GUESTS.check_subjects("c/1")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Under a host name of a guest's."""


class Host(Guest):
    def host(self, host: str) -> ASGI | None:
        return answer if host.startswith(f"{self.name}.") else None

    def frames(self, host: str) -> list[str]:
        return [f"{self.name}.{host}"]


def test_host_names_are_asked_for_where_they_come_here() -> None:
    guests = [Guest("a"), Host("b"), Host("c")]
    assert Guests(guests).host("b.example") is answer
    assert Guests(guests).host("a.example") is None
    assert Guests(guests).frames("example") == ("b.example", "c.example")
    mounted = Guests(guests, has_hosts=False)
    assert mounted.host("b.example") is None
    assert mounted.frames("example") == ()
