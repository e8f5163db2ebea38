from typing import Any

import pytest

from twinwire.errors import TwinwireError
from twinwire.event import Draft
from twinwire.place import Place
from twinwire.publishing import BYTES_MAX, EVENTS_MAX, Publisher, bunches
from twinwire.timing import Timing


class Http:
    """Answers as it is told, and keeps what it was asked."""

    place = Place("http://x")

    def __init__(self, *answers: Any, **timing: float) -> None:
        self.timing = Timing(**{"backoff_base": 0.001, "backoff_cap": 0.001, **timing})
        self.bodies: list[bytes] = []
        self._answers = list(answers)

    async def json(self, method: str, url: str, kind: Any, *, body: bytes, media: str) -> Any:
        assert (method, url) == ("POST", "http://x/api/events")
        self.bodies.append(body)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return kind(**answer)


def publisher(http: Http) -> Publisher:
    made: Any = http
    return Publisher(made)


def passing(**rest: Any) -> TwinwireError:
    return TwinwireError("later", is_passing=True, **rest)


async def test_what_passes_is_sent_again_as_it_was_with_its_key() -> None:
    http = Http(passing(), passing(status=503, retry_after=0.001), {"id": "e-1"})
    assert await publisher(http).one(Draft("t", "k", 1)) == "e-1"
    assert len(http.bodies) == 3
    assert len(set(http.bodies)) == 1
    assert b'"key":"' in http.bodies[0]


async def test_what_does_not_pass_is_told_at_once() -> None:
    http = Http(TwinwireError("no", status=422))
    with pytest.raises(TwinwireError, match="no"):
        await publisher(http).one(Draft("t", "k", 1))


@pytest.mark.parametrize("error", [passing(), passing(retry_after=60.0)])
async def test_it_does_not_wait_beyond_its_time(error: TwinwireError) -> None:
    http = Http(*[error] * 1_000, publish=0.01)
    with pytest.raises(TwinwireError, match="later"):
        await publisher(http).one(Draft("t", "k", 1))


async def test_another_number_of_ids_is_no_answer_of_ours() -> None:
    with pytest.raises(TwinwireError, match="1 ids for 2 events"):
        await publisher(Http({"ids": ["e-1"]})).post([b"{}", b"{}"])


def test_bunches_are_what_a_request_takes() -> None:
    assert [len(bunch) for bunch in bunches([b"x"] * (2 * EVENTS_MAX + 1))] == [EVENTS_MAX, EVENTS_MAX, 1]
    large = b"x" * (BYTES_MAX // 2)
    assert [len(bunch) for bunch in bunches([large] * 3)] == [1, 1, 1]
    assert [len(bunch) for bunch in bunches([b"x" * (2 * BYTES_MAX), b"y"])] == [1, 1]
    assert list(bunches([])) == []
