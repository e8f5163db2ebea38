"""docs/protocol.md, section 11: presence, on every wire of a real server."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import api
from tests.support.bearers import ADMIN, KEYS, ask, bearer, revoke, token
from tests.support.clients import STREAMING, Collector, Transport, WebSocketCollector, connect, open_stream
from tests.support.frames import Frame
from tests.support.http import Response, request
from tests.support.server import ServerProcess

ASKED = {"presence": 1}
EPHEMERAL = {"ephemeral": 1}


@pytest.fixture
def place() -> str:
    return api.unique("place")


def is_of(place: str, frame: Frame) -> bool:
    return frame.value["type"] == "presence" and frame.value["place"] == place


async def told(stream: Collector, place: str) -> dict[str, Any]:
    """The next frame about a place."""
    return (await stream.until(lambda frame: is_of(place, frame))).value


async def put(url: str, place: str, member: str, **body: Any) -> Response:
    return await request(url, "PUT", f"/api/presence/{place}/{member}", json_body=body)


async def remove(url: str, place: str, member: str) -> Response:
    return await request(url, "DELETE", f"/api/presence/{place}/{member}")


async def listed(url: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = (await request(url, "GET", f"/api/presence?{query}")).json()
    return found


@pytest.mark.parametrize("transport", STREAMING)
async def test_11_a_place_is_watched_from_its_first_member_to_its_last(
    url: str, place: str, transport: Transport
) -> None:
    """11, "What watchers get": an empty state at once, diffs with dense versions, no `id`."""
    async with open_stream(url, transport, place, query=ASKED) as stream:
        assert stream.connection["presence"] is True
        empty = await told(stream, place)
        version = empty["version"]
        assert 0 < version < 2**53
        assert empty == {
            "type": "presence",
            "place": place,
            "version": version,
            "state": [],
            "users": 0,
            "members": 0,
            "truncated": False,
        }
        assert "caught_up" not in [frame.value["type"] for frame in stream.frames]
        response = await put(url, place, "t-1", data={"name": "Ada"})
        assert (response.status, response.json()) == (
            201,
            {"place": place, "member": "t-1", "lease": 30, "version": version},
        )
        first = await told(stream, place)
        (joined,) = first["joins"]
        since = joined.pop("since")
        assert joined == {"user": None, "member": "t-1", "data": {"name": "Ada"}, "verified": False}
        assert since.endswith("Z")
        assert first == {
            "type": "presence",
            "place": place,
            "version": version + 1,
            "joins": [joined],
            "updates": [],
            "leaves": [],
            "came": [],
            "went": [],
            "users": 1,
            "members": 1,
            "truncated": False,
        }
        assert (await put(url, place, "t-1", merge={"file": "a.py"})).status == 200
        second = await told(stream, place)
        assert [one["data"] for one in second["updates"]] == [{"name": "Ada", "file": "a.py"}]
        assert (second["version"], second["joins"], second["leaves"]) == (version + 2, [], [])
        assert (await remove(url, place, "t-1")).status == 204
        third = await told(stream, place)
        assert third["leaves"] == [{"user": None, "member": "t-1", "reason": "left"}]
        assert (third["version"], third["users"], third["members"]) == (version + 3, 0, 0)
        for frame in stream.frames:
            if frame.block is not None and frame.value["type"] == "presence":
                assert (frame.block.event, frame.block.id) == ("presence", None)


async def test_11_a_websocket_enters_says_more_and_leaves(url: str, place: str) -> None:
    """11, "Being there": replies to who has named what he said; its own member is told to it too."""
    async with open_stream(url, "websocket", place) as mine:
        assert isinstance(mine, WebSocketCollector)
        reply = await mine.ask({"op": "watch", "places": [place], "ref": "w"})
        assert reply.value == {"type": "reply", "ref": "w", "places": [place]}
        empty = await told(mine, place)
        version = empty["version"]
        assert empty["state"] == []
        reply = await mine.ask({"op": "enter", "place": place, "member": "t-1", "data": {"a": 1}, "ref": 1})
        present = {"place": place, "member": "t-1", "lease": 30, "version": version}
        assert reply.value == {"type": "reply", "ref": 1, **present}
        assert [one["member"] for one in (await told(mine, place))["joins"]] == ["t-1"]
        await mine.send({"op": "update", "place": place, "data": {"a": 1}})  # the same is no change
        await mine.send({"op": "update", "place": place, "merge": {"b": 2}})
        found = await told(mine, place)
        assert (found["version"], [one["data"] for one in found["updates"]]) == (version + 2, [{"a": 1, "b": 2}])
        await mine.send({"op": "presence", "place": place})
        found = await told(mine, place)
        assert (found["version"], [one["data"] for one in found["state"]]) == (version + 2, [{"a": 1, "b": 2}])
        reply = await mine.ask({"op": "leave", "place": place, "ref": 2})
        assert reply.value == {"type": "reply", "ref": 2, "place": place, "member": "t-1"}
        assert [one["reason"] for one in (await told(mine, place))["leaves"]] == ["left"]
        reply = await mine.ask({"op": "enter", "place": place, "ref": 3})
        drawn = reply.value["member"]
        assert uuid.UUID(drawn) != uuid.UUID(mine.connection["connection"])
        assert [one["member"] for one in (await told(mine, place))["joins"]] == [drawn]
        reply = await mine.ask({"op": "unwatch", "places": [place], "ref": 4})
        assert reply.value == {"type": "reply", "ref": 4, "places": []}


async def test_11_who_did_not_ask_is_told_nothing(url: str, place: str) -> None:
    async with open_stream(url, "websocket", place) as other, open_stream(url, "sse", place, query=ASKED) as watcher:
        assert isinstance(other, WebSocketCollector)
        await told(watcher, place)
        await put(url, place, "t-1")
        await told(watcher, place)
        last = await api.publish(url, place, 1)
        await other.events_until(last)
        assert "presence" not in [frame.value["type"] for frame in other.frames]
        assert "presence" not in other.connection


async def test_11_a_long_poll_has_the_state_of_what_it_does_not_know(url: str, place: str) -> None:
    """11, "Over long polling": at once what differs from `presence_version`, and else when something changes."""

    async def poll(*versions: str, wait: int = 20) -> dict[str, Any]:
        return await api.read(
            url, topic=[place, f"{place}/*"], after="latest", wait=wait, presence=1, presence_version=list(versions)
        )

    def rows(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
        return [(one["place"], one["version"] - floor, one["members"]) for one in answer["presence"]]

    first = await poll()
    floor = first["presence"][0]["version"]
    assert rows(first) == [(place, 0, 0)]
    waiting = asyncio.create_task(poll(f"{place}:{floor}"))
    await put(url, f"{place}/a", "t-1")
    answer = await waiting
    assert rows(answer) == [(f"{place}/a", 1, 1)]
    assert answer["events"] == []
    waiting = asyncio.create_task(poll(f"{place}:{floor}", f"{place}/a:{floor + 1}"))
    await put(url, place, "t-1")
    assert rows(await waiting) == [(place, 1, 1)]
    await remove(url, f"{place}/a", "t-1")
    assert rows(await poll(f"{place}:{floor + 1}", f"{place}/a:{floor + 1}")) == [(f"{place}/a", 2, 0)]
    assert (await poll(f"{place}:{floor + 1}", f"{place}/a:{floor + 2}", wait=0))["presence"] == []
    assert "presence" not in (await api.read(url, topic=place, after="latest"))
    response = await api.read_response(url, topic=place, presence=1, presence_version="a")
    assert (response.status, response.json()["field"]) == (422, "presence_version")
    many = {"topics": [place], "presence": 1, "presence_version": [f"p/{n}:1" for n in range(1_001)]}
    response = await request(url, "POST", "/api/events/read", json_body=many)
    assert (response.status, response.json()["field"]) == (422, "presence_version")


async def test_11_what_was_known_before_a_restart_is_not_taken_for_what_there_is(tmp_path: Path) -> None:
    """11, "What watchers get": numbers of a process are above those of earlier ones."""
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none"}) as process:
        known = list[dict[str, Any]]()
        for _ in range(2):
            watcher = await connect(process.url, "sse", "p", query=ASKED)
            await told(watcher, "p")
            await put(process.url, "p", "t-1")
            await told(watcher, "p")
            versions = [f"p:{one['version']}" for one in known]
            answer = await api.read(process.url, topic="p", presence=1, presence_version=versions)
            assert [one["members"] for one in answer["presence"]] == [1]
            known = answer["presence"]
            watcher.reset()
            assert await asyncio.to_thread(process.stop) == 0
            await process.astart()


async def leaves(stream: Collector, place: str) -> list[tuple[str, str]]:
    """Who left next, and why."""
    while not (found := (await told(stream, place)).get("leaves")):
        pass
    return [(one["member"], one["reason"]) for one in found]


async def test_11_who_is_back_in_time_was_never_away(url: str, place: str) -> None:
    """11, "Who leaves": another connection, another transport, a beacon and a reload are silent; a clean end is told
    after 3 seconds, a reset after 10."""
    async with open_stream(url, "sse", place, query=ASKED) as watcher:
        await told(watcher, place)
        mine = await connect(url, "websocket", place)
        assert isinstance(mine, WebSocketCollector)
        for member in ("t-1", "stays", "lost"):
            await mine.ask({"op": "enter", "place": place, "member": member, "data": {}, "ref": 1})
        joined, there = list[str](), 0
        while len(joined) < 3:  # one batch, unless the machine is slow just then
            found = await told(watcher, place)
            joined += [one["member"] for one in found["joins"]]
            there = found["version"]
        assert sorted(joined) == ["lost", "stays", "t-1"]
        named = [{"place": place, "member": member} for member in ("t-1", "stays", "never")]
        body = {"connection": mine.connection["connection"], "members": named}
        assert (await beacon(url, {**body, "connection": str(uuid.uuid4())})).status == 204, "of nobody"
        began = asyncio.get_running_loop().time()
        assert (await beacon(url, body)).status == 204
        mine.reset()
        async with open_stream(url, "sse", place) as mine_again:
            connection = mine_again.connection["connection"]
            assert (await put(url, place, "stays", connection=connection)).status == 200
            assert await leaves(watcher, place) == [("t-1", "closed")]
            assert asyncio.get_running_loop().time() - began >= 2.5
            assert await leaves(watcher, place) == [("lost", "lost")]
            assert asyncio.get_running_loop().time() - began >= 9.5
        assert await leaves(watcher, place) == [("stays", "closed")]
        versions = [frame.value["version"] for frame in watcher.frames if is_of(place, frame)]
        assert versions == list(range(versions[0], there + 4)), "three have left, and nothing else was told"


async def beacon(url: str, body: Any) -> Response:
    fields = {"Content-Type": "text/plain;charset=UTF-8"}
    return await request(url, "POST", "/api/presence/leave", headers=fields, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("a//b/t", {}, 422, "place"),
        ("twinwire/a/t", {}, 403, "place"),
        ("mercure/a/t", {}, 403, "place"),
        ("p/a%20b", {}, 422, "member"),
        ("p/" + "x" * 65, {}, 422, "member"),
        ("p/%3Aours", {}, 422, "member"),
        ("p/t", {"data": [1]}, 422, "data"),
        ("p/t", {"data": {"x": "y" * 1_017}}, 413, "data"),
        ("p/t", {"merge": 1}, 422, "merge"),
        ("p/t", {"data": {}, "merge": {}}, 422, "merge"),
        ("p/t", {"lease": 9}, 422, "lease"),
        ("p/t", {"lease": 121}, 422, "lease"),
        ("p/t", {"connection": str(uuid.uuid4())}, 404, "connection"),
        ("p/t", {"user": "eve"}, 422, "user"),
    ],
)
async def test_11_what_is_refused_over_http(url: str, path: str, body: Any, status: int, field: str) -> None:
    response = await request(url, "PUT", f"/api/presence/{path}", json_body=body)
    assert (response.status, response.json()["field"]) == (status, field)


async def test_11_leaving_and_listing(url: str, place: str) -> None:
    """11, `DELETE` and `GET /api/presence`: pages of places, and of the members of one."""
    async with open_stream(url, "sse", [f"{place}/*"], query=ASKED) as watcher:
        for n in range(3):
            for m in range(n + 1):
                await put(url, f"{place}/{n}", f"m{m}", lease=120)
        seen: dict[str, int] = {}
        while seen != {f"{place}/{n}": n + 1 for n in range(3)}:
            frame = (await watcher.until(lambda frame: frame.value["type"] == "presence")).value
            seen[frame["place"]] = frame["members"]
    assert (await remove(url, f"{place}/0", "never")).json()["field"] == "member"
    first = await listed(url, f"place={place}/*&limit=2")
    assert ([one["members"] for one in first["places"]], first["more"]) == ([1, 2], True)
    second = await listed(url, f"place={place}/*&limit=2&after={first['next']}")
    assert ([one["members"] for one in second["places"]], second["more"]) == ([3], False)
    assert "next" not in second
    page = await listed(url, f"place={place}/2&limit=2")
    assert ([one["member"] for one in page["places"][0]["state"]], page["next"]) == (["m0", "m1"], "m1")
    page = await listed(url, f"place={place}/2&limit=2&after=m1")
    assert [one["member"] for one in page["places"][0]["state"]] == ["m2"]
    assert (page["more"], page["places"][0]["members"]) == (False, 3)
    empty = await listed(url, f"place={place}/never")
    assert [(one["place"], one["state"]) for one in empty["places"]] == [(f"{place}/never", [])]
    for query, field in (
        ("place=a//b", "place"),
        ("limit=0", "limit"),
        ("x=1", "x"),
        (f"place={place}&after=/", "after"),
    ):
        response = await request(url, "GET", f"/api/presence?{query}")
        assert (response.status, response.json()["field"]) == (422, field)
    await api.publish(url, f"{place}/2", 1)
    (topic,) = (await request(url, "GET", f"/api/topics?topic={place}/2")).json()["topics"]
    assert topic["present"] == 3
    stats = (await request(url, "GET", "/api/presence/stats")).json()
    assert stats["members"] >= 6
    assert set(stats) == {"places", "members", "watchers", "frames", "changes"}


async def test_11_a_long_place_tells_counts_alone(tmp_path: Path) -> None:
    """11, "Above 500 members", with another bound."""
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none", "TWINWIRE_PRESENCE_LISTED": "10"}) as process:
        url = process.url
        async with open_stream(url, "websocket", "p", query=ASKED) as stream:
            assert (await told(stream, "p"))["state"] == []
            for n in range(12):
                await put(url, "p", f"m{n:02}")
            while (found := await told(stream, "p"))["members"] < 12:
                pass
            assert (found["truncated"], found["users"]) == (True, 12)
            assert found["joins"] == found["updates"] == found["leaves"] == []
            page = await listed(url, "place=p")
            assert ([one["member"] for one in page["places"][0]["state"]], page["more"], page["next"]) == (
                [f"m{n:02}" for n in range(10)],
                True,
                "m09",
            )
            for n in range(4):
                await remove(url, "p", f"m{n:02}")
            while "state" not in (found := await told(stream, "p")):
                pass
            assert (found["truncated"], len(found["state"])) == (False, found["members"])
        assert process.stop() == 0


async def test_11_an_ephemeral_event_says_which_member_sent_it(url: str, place: str) -> None:
    """10, `from`: of who is at the topic, and its key there."""
    async with open_stream(url, "websocket", place) as mine, open_stream(url, "sse", place, query=EPHEMERAL) as other:
        assert isinstance(mine, WebSocketCollector)
        await other.control("caught_up")
        message = {"op": "publish", "topic": place, "type": "cursor", "data": 1, "ephemeral": True}
        await mine.ask({**message, "ref": 1})
        await mine.ask({"op": "enter", "place": place, "member": "t-1", "ref": 2})
        await mine.ask({**message, "ref": 3})
        await mine.ask({"op": "enter", "place": place, "member": "t-2", "ref": 4})
        await mine.ask({**message, "ref": 5})
        found = [await other.until(lambda frame: "topic" in frame.value) for _ in range(3)]
        assert [frame.value.get("from") for frame in found] == [None, {"user": None, "member": "t-1"}, None]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_APPS": "none", "TWINWIRE_TOKEN_KEYS": KEYS}
    env |= {"TWINWIRE_ANONYMOUS_SUBSCRIBE": "open/**", "TWINWIRE_ANONYMOUS_PUBLISH": "open/**"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


def who(sub: str, place: str, **more: Any) -> str:
    return token(sub, subscribe=[place], presence=[place], **more)


async def test_11_users_come_and_go_whatever_tabs_they_have(guarded: ServerProcess, place: str) -> None:
    """11, "Presence": `user`, `verified` and `info` are the token's; `came` and `went` are of users."""
    url, ada, bob = guarded.url, who("ada", place, info={"team": "a"}), who("bob", place)
    async with open_stream(url, "sse", place, headers=bearer(ada), query=ASKED) as watcher:
        await told(watcher, place)
        path = f"/api/presence/{place}"
        await ask(url, "PUT", f"{path}/t-1", ada, {})
        found = await told(watcher, place)
        (joined,) = found["joins"]
        assert (joined["user"], joined["verified"], joined["info"], found["came"]) == (
            "ada",
            True,
            {"team": "a"},
            ["ada"],
        )
        await ask(url, "PUT", f"{path}/t-2", ada, {})
        await ask(url, "PUT", f"{path}/b-1", bob, {})
        while "bob" not in found["came"]:
            found = await told(watcher, place)
        while found["members"] < 3:
            found = await told(watcher, place)
        assert found["users"] == 2
        for method, body in (("PUT", {}), ("DELETE", None)):
            answer = await ask(url, method, f"{path}/t-1", bob, body)
            assert (answer.status, answer.json()["field"]) == (403, "member")
        await ask(url, "DELETE", f"{path}/t-1", ada)
        found = await told(watcher, place)
        assert (found["went"], found["users"], found["members"]) == ([], 2, 2)
        await ask(url, "DELETE", f"{path}/t-2", ada)
        assert (await told(watcher, place))["went"] == ["ada"]
        assert (await ask(url, "PUT", "/api/presence/elsewhere/t", bob, {})).json()["field"] == "place"
        answer = await ask(url, "GET", f"/api/presence?place={place}", token("eve", subscribe=["elsewhere"]))
        assert answer.status == 403


async def test_11_who_is_somebody_is_at_no_place_by_a_stream_that_is_nobody_s(
    guarded: ServerProcess, place: str
) -> None:
    """11, `connection`: what becomes of his token would not end it."""
    url, path = guarded.url, f"open/{place}"
    async with open_stream(url, "sse", path) as stream, open_stream(url, "sse", path, headers=ADMIN) as other:
        for connection, text, status in (
            (stream.connection["connection"], who("ada", path), 404),
            (stream.connection["connection"], who_without_subject(path), 404),
            (other.connection["connection"], who("ada", path), 404),
            (stream.connection["connection"], None, 201),
        ):
            answer = await ask(url, "PUT", f"/api/presence/{path}/t-1", text, {"connection": connection})
            assert answer.status == status
            assert status == 201 or answer.json()["field"] == "connection"


def who_without_subject(place: str) -> str:
    return token(subscribe=[place], presence=[place])


async def test_11_who_becomes_somebody_enters_again_as_that(guarded: ServerProcess, place: str) -> None:
    """11, "Who leaves": as whom he was he has left, and could say nothing of it any more."""
    url, path = guarded.url, f"open/{place}"
    async with open_stream(url, "sse", path, query=ASKED) as watcher, open_stream(url, "websocket", path) as mine:
        assert isinstance(mine, WebSocketCollector)
        await told(watcher, path)
        enter = {"op": "enter", "place": path, "member": "t-1"}
        await mine.ask({**enter, "ref": 1})
        assert [one["user"] for one in (await told(watcher, path))["joins"]] == [None]
        await mine.ask({"op": "auth", "token": who("bob", path), "ref": 2})
        assert (await told(watcher, path))["leaves"] == [{"user": None, "member": "t-1", "reason": "left"}]
        assert (await mine.ask({**enter, "ref": 3})).value["type"] == "reply"
        assert [one["user"] for one in (await told(watcher, path))["joins"]] == ["bob"]
        assert (await mine.ask({"op": "leave", "place": path, "ref": 4})).value["member"] == "t-1"
        assert (await told(watcher, path))["members"] == 0


async def test_11_bodies_have_bounds_and_an_application_s_own_stays(guarded: ServerProcess) -> None:
    """11, "Over HTTP": before anything in them is looked at, a beacon's without a credential too."""
    url = guarded.url
    for method, path, size in (
        ("PUT", "/api/presence/open/p/t-1", 64),
        ("POST", "/api/presence/leave", 256),
    ):
        fields = {"Content-Type": "application/json"}
        body = b"{" + b" " * (size * 1024)
        answer = await request(url, method, path, headers=fields, body=body)
        assert answer.status == 413, path
        assert (await request(url, method, path, headers=fields, body=body[:-1])).status == 400
    members = [{"place": f"open/{'x' * 190}", "member": "m" * 64}] * 500
    assert (await beacon(url, {"connection": "x", "members": members})).status == 204
    assert (await beacon(url, {"connection": "x", "members": [*members, members[0]]})).status == 422
    answer = await request(url, "DELETE", "/api/presence/projects/1/:run-1?disconnect=1", headers=ADMIN)
    assert (answer.status, answer.json()["field"]) == (403, "member")


async def test_11_a_token_that_is_revoked_ends_its_members_at_once(guarded: ServerProcess, place: str) -> None:
    """11, "Who leaves": over a stream and by a lease; and an operator's `disconnect`."""
    url, subject = guarded.url, f"u-{uuid.uuid4()}"
    mine = who(subject, place)
    async with open_stream(url, "sse", place, headers=ADMIN, query=ASKED) as watcher:
        await told(watcher, place)
        stream = await connect(url, "websocket", place, headers=bearer(mine))
        assert isinstance(stream, WebSocketCollector)
        await stream.ask({"op": "enter", "place": place, "member": "t-1", "ref": 1})
        await ask(url, "PUT", f"/api/presence/{place}/t-2", mine, {"lease": 120})
        while (await told(watcher, place))["members"] < 2:
            pass
        assert await revoke(url, sub=subject) == 1
        gone = await leaves(watcher, place)
        gone = gone if len(gone) == 2 else gone + await leaves(watcher, place)
        assert sorted(gone) == [("t-1", "revoked"), ("t-2", "revoked")]
        stream.reset()

        other = await connect(url, "websocket", place, headers=bearer(who("bob", place)))
        assert isinstance(other, WebSocketCollector)
        await other.ask({"op": "enter", "place": place, "member": "b-1", "ref": 1})
        await told(watcher, place)
        path = f"/api/presence/{place}/b-1?disconnect=1"
        assert (await ask(url, "DELETE", path, who("bob", place))).status == 403
        assert (await request(url, "DELETE", path, headers=ADMIN)).status == 204
        assert await leaves(watcher, place) == [("b-1", "revoked")]
        goodbye = await other.control("goodbye")
        assert goodbye.value["reason"] == "restart"
        other.reset()


async def test_11_a_restart_tells_nobody_that_anybody_left(tmp_path: Path) -> None:
    """11, "Who leaves": the service goes away, and clients enter again, with the same ids."""
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none"}) as process:
        streams = []
        for member in ("a", "b"):
            stream = await connect(process.url, "websocket", "p", query=ASKED)
            assert isinstance(stream, WebSocketCollector)
            await told(stream, "p")
            await stream.ask({"op": "enter", "place": "p", "member": member, "ref": 1})
            streams.append(stream)
        while (await told(streams[0], "p"))["members"] < 2:
            pass
        stopping = asyncio.create_task(asyncio.to_thread(process.stop))
        for stream in streams:
            await stream.end()
            assert [frame for frame in stream.frames if is_of("p", frame) and frame.value.get("leaves")] == []
            stream.reset()
        assert await stopping == 0
