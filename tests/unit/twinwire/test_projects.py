"""A project by its id or its name, made if there is none, once however many ask for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support import api
from twinwire.errors import TwinwireError
from twinwire.http import Http
from twinwire.place import Place
from twinwire.projects import in_project
from twinwire.timing import Timing
from twinwire.token import Token


@pytest_asyncio.fixture
async def http(url: str) -> AsyncIterator[Http]:
    http = Http(Place(url), Token(""), Timing())
    yield http
    await http.close()


async def found(http: Http, named: str) -> str:
    async def show(id: str) -> str:
        found: dict[str, object] = await http.json("GET", http.place.url(f"projects/{id}"), dict)
        return str(found["id"])

    return await in_project(http, named, show)


async def test_by_its_name_or_its_id_it_is_the_same_and_made_once(http: Http) -> None:
    name = api.unique("by name")
    (id,) = set(await asyncio.gather(*(found(http, name) for _ in range(5))))
    assert await found(http, id) == id


async def test_a_name_may_look_like_an_id(http: Http) -> None:
    id = await found(http, "abcdefghijkm")
    assert id != "abcdefghijkm"
    assert await found(http, "abcdefghijkm") == id


async def test_one_that_is_deleted_meanwhile_is_made_anew(http: Http) -> None:
    name, seen = api.unique("deleted"), []

    async def late(id: str) -> str:
        seen.append(id)
        if len(seen) == 1:
            await http.json("DELETE", http.place.url(f"projects/{id}"), type(None))
        await http.json("GET", http.place.url(f"projects/{id}"), dict)
        return id

    assert await in_project(http, name, late) == seen[1] != seen[0]
    with pytest.raises(TwinwireError, match="404") as caught:
        await in_project(http, name, lambda id: http.json("GET", http.place.url(f"projects/{id}/runs/7"), dict))
    assert caught.value.status == 404


async def test_other_errors_are_as_they_are(http: Http) -> None:
    async def fail(id: str) -> str:
        raise TwinwireError("409 no", status=409)

    with pytest.raises(TwinwireError, match="409 no"):
        await in_project(http, "abcdefghijkm", fail)
    with pytest.raises(TwinwireError, match=r"422 .*a name"):
        await found(http, "two\nlines")
