"""Who is at a place, over each transport of a real server."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.python.conftest import QUICK
from tests.python.taking import DEADLINE, become, data_of
from tests.support.api import unique
from tests.support.bearers import KEYS, revoke, token
from tests.support.server import ServerProcess
from twinwire import (
    AsyncTwinwire,
    Change,
    ClosedError,
    InvalidError,
    RefusedError,
    Room,
    Transport,
    Twinwire,
    TwinwireError,
    Watch,
)
from twinwire.errors import Fault


async def changed(watch: Watch, count: int = 1) -> list[Change]:
    """The next so many."""
    async with asyncio.timeout(DEADLINE):
        return [await anext(watch) for _ in range(count)]


async def until(watch: Watch, what: Any) -> list[Change]:
    """All changes up to the first that is what is looked for."""
    found: list[Change] = []
    async with asyncio.timeout(DEADLINE):
        while not (found and what(found[-1])):
            found.append(await anext(watch))
    return found


def ids(room: Room) -> set[str]:
    return {member.member for member in room.members}


@asynccontextmanager
async def everybody(server: ServerProcess, place: str, *members: str) -> AsyncIterator[list[Room]]:
    """Rooms of that place, each of a client of its own."""
    async with AsyncTwinwire(server.url, timing=QUICK) as live:
        rooms = [live.place(place, member=member, data={"name": member}) for member in members]
        for room in rooms:
            await room.__aenter__()
        yield rooms


async def test_who_enters_sees_himself_and_others_and_leaves_at_the_end(
    live: AsyncTwinwire, any_live: AsyncTwinwire, transport: Transport
) -> None:
    place = unique("room") + "/a.b~c"
    async with any_live.watch(place) as watch:
        assert [(roll.place, roll.members) for roll in watch.rolls] == [(place, ())]
        async with live.place(place, data={"name": "Ada"}, member="t-1") as room:
            assert room.transport == transport
            assert room.self is not None
            assert (room.self.member, room.self.data, room.self.user, room.self.verified) == (
                "t-1",
                {"name": "Ada"},
                None,
                False,
            )
            assert room.self.since.tzinfo is not None
            (change,) = await changed(watch)
            assert [member.member for member in change.joined] == ["t-1"]
            assert (change.place, change.user_count, change.member_count, change.truncated) == (place, 1, 1, False)
            async with any_live.place(place) as other:
                await become(lambda: len(room.members) == 2)
                assert other.users[0].members[0].member == other.member
                assert room.users[0].members[0].member == "t-1"
                (listed,) = await live.who(place)
                assert listed == replace(room.roll, version=listed.version)
        gone = await until(watch, lambda change: change.member_count == 0)
        assert {(left.member.member, left.reason) for change in gone for left in change.left} >= {("t-1", "left")}


async def test_data_are_set_and_merged_and_the_last_wins(
    live: AsyncTwinwire, any_live: AsyncTwinwire, transport: Transport
) -> None:
    place = unique("data")
    async with any_live.watch(place) as watch, live.place(place, data={"a": 1, "b": {"c": 1}}, member="t") as room:
        await changed(watch)
        await room.merge({"b": {"c": None, "d": 12345678901234567890}, "a": None})
        (change,) = await changed(watch)
        assert [member.data for member in change.updated] == [{"b": {"d": 12345678901234567890}}]
        await asyncio.gather(*(room.set({"n": n}) for n in range(50)))
        last = (await until(watch, lambda change: change.updated[0].data == {"n": 49}))[-1]
        assert (last.joined, last.left, last.came, last.went) == ((), (), (), ())
        await room.set({"n": 49})  # which nobody is told of
        await room.set({"n": 50})
        assert (await changed(watch))[0].updated[0].data == {"n": 50}
        with pytest.raises(TwinwireError) as refused:
            await room.set({"text": "x" * 5_000})
        assert (refused.value.status, refused.value.field) == (413, "data")
        with pytest.raises(InvalidError):
            await room.set([])  # type: ignore[arg-type]
        await room.merge({"m": 1})
        assert (await changed(watch))[0].updated[0].data == {"n": 50, "m": 1}


async def test_one_that_is_started_again_is_the_same_member(any_live: AsyncTwinwire, server: ServerProcess) -> None:
    """A program that is killed and comes back within the time, under the id that it gives."""
    place = unique("again")
    async with any_live.watch(place) as watch:
        first = AsyncTwinwire(server.url, timing=QUICK)
        room = first.place(place, member="bot", data={"n": 1})
        await room.__aenter__()
        await changed(watch)
        assert room._connection is not None
        await room._connection.close()  # and nobody has said that it leaves
        async with AsyncTwinwire(server.url, timing=QUICK) as second, second.place(place, member="bot", data={"n": 2}):
            (change,) = await changed(watch)
            assert [member.data for member in change.updated] == [{"n": 2}]
            assert (change.joined, change.left) == ((), ())
        await first.aclose()


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_over_a_restart_nobody_goes_or_comes(tmp_path: Path, transport: Transport, how: str) -> None:
    told: list[str] = []
    quick = replace(QUICK, lease=10.0)
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none"}) as server:
        async with (
            AsyncTwinwire(server.url, timing=quick, transports=[transport]) as live,
            AsyncTwinwire(server.url, timing=quick) as other,
            live.place("p", member="a", data={"n": 1}, change=lambda change: told.append(repr(change))) as room,
            other.place("p", member="b", data={"n": 2}),
        ):
            await become(lambda: ids(room) == {"a", "b"})
            told.clear()
            await (server.akill9() if how == "kill" else asyncio.to_thread(server.stop))
            await become(lambda: room.state == "reconnecting" or transport == "poll")
            await server.astart()
            await become(lambda: room.state in ("replaying", "live"))

            async def both() -> bool:
                try:
                    (roll,) = await other.who("p")
                except TwinwireError:
                    return False
                return {member.member for member in roll.members} == {"a", "b"}

            async with asyncio.timeout(DEADLINE):
                while not await both():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # two batches, in which anything would have been told
            assert ids(room) == {"a", "b"}
            assert told == []
            await room.set({"n": 3})
            await become(lambda: told)


async def test_it_stays_over_a_switch_of_transports(server: ServerProcess, any_live: AsyncTwinwire) -> None:
    place = unique("switch")
    async with (
        any_live.watch(place) as watch,
        AsyncTwinwire(server.url, timing=QUICK) as live,
        live.place(place, member="t") as room,
    ):
        await changed(watch)
        connection: Any = room._connection
        connection._link.drop(Fault("stalled", "as if"))
        await become(lambda: room.transport in ("sse", "poll"))
        await become(lambda: room.transport == "websocket")
        await room.set({"n": 1})
        (change,) = await changed(watch)
        assert ([one.data for one in change.updated], change.joined, change.left) == ([{"n": 1}], (), ())


async def test_it_is_there_without_a_stream_by_a_lease(server: ServerProcess, any_live: AsyncTwinwire) -> None:
    place = unique("lease")
    async with AsyncTwinwire(server.url, timing=replace(QUICK, lease=10.0)) as live, any_live.watch(place) as watch:
        async with live.place(place, watch=False, member="bot") as room:
            assert (room.users, room.state, room.transport) == ((), "connecting", None)
            (change,) = await changed(watch)
            assert [member.member for member in change.joined] == ["bot"]
            await room.merge({"step": 2})
            assert (await changed(watch))[0].updated[0].data == {"step": 2}
        (change,) = await changed(watch)
        assert [left.reason for left in change.left] == ["left"]


async def test_users_come_with_their_first_member_and_go_with_the_last(tmp_path: Path) -> None:
    came, went, seen = list[str | None](), list[str | None](), list[int]()
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none", "TWINWIRE_TOKEN_KEYS": KEYS}) as server:

        def client(name: str) -> AsyncTwinwire:
            given = token(name, subscribe=["p"], publish=["p"])
            return AsyncTwinwire(server.url, token=given, timing=QUICK)

        async with client("eve") as eve, client("ada") as ada, client("bob") as bob:
            told: Any = {
                "came": lambda user: came.append(user.user),
                "went": lambda user: went.append(user.user),
                "change": lambda change: seen.append(change.member_count),
            }
            async with eve.place("p", **told) as room:
                assert room.self is not None
                assert (room.self.user, room.self.verified) == ("eve", True)
                async with ada.place("p"), ada.place("p"), bob.place("p", member="b"):
                    await become(lambda: len(room.members) == 4)
                    assert room.users[0].user == "eve"
                    assert {user.user: len(user.members) for user in room.users} == {"eve": 1, "ada": 2, "bob": 1}
                    with pytest.raises(RefusedError) as refused:
                        await ada.place("p", member="b").__aenter__()
                    assert (refused.value.status, refused.value.reason) == (403, "forbidden")
                await become(lambda: len(room.members) == 1)
            assert (sorted(map(str, came)), sorted(map(str, went))) == (["ada", "bob"], ["ada", "bob"])
            assert seen[-1] == 1
            with pytest.raises(RefusedError):
                await ada.place("elsewhere", watch=False).__aenter__()
            with pytest.raises(RefusedError):
                await ada.who("elsewhere")


async def test_who_is_revoked_is_out_and_who_has_another_token_comes_back(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none", "TWINWIRE_TOKEN_KEYS": KEYS}) as server:
        rights = {"subscribe": ["p"], "publish": ["p"]}
        given = iter([token("ada", jti="one", **rights), token("ada", jti="two", **rights)])
        async with (
            AsyncTwinwire(server.url, token=token("eve", **rights), timing=QUICK) as eve,
            AsyncTwinwire(server.url, token=token("bob", jti="three", **rights), timing=QUICK) as bob,
            AsyncTwinwire(server.url, token=lambda: next(given), timing=QUICK) as ada,
            eve.watch("p") as watch,
            bob.place("p", member="b") as out,
            ada.place("p", member="a") as back,
        ):
            await until(watch, lambda change: change.member_count == 2)
            await revoke(server.url, jti="three")
            (change,) = await changed(watch)
            assert [(left.member.member, left.reason) for left in change.left] == [("b", "revoked")]
            with pytest.raises(RefusedError):
                await until(out, lambda _: False)
            with pytest.raises(RefusedError):
                await out.set({"n": 1})
            await revoke(server.url, jti="one")
            await back.set({"n": 1})
            await until(watch, lambda change: {"n": 1} in [one.data for one in (*change.joined, *change.updated)])


async def test_who_may_not_read_may_be_there(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none", "TWINWIRE_TOKEN_KEYS": KEYS}) as server:
        async with AsyncTwinwire(server.url, token=token("bot", publish=["p"]), timing=QUICK) as live:
            with pytest.raises(RefusedError):
                await live.place("p").__aenter__()
            async with live.place("p", watch=False) as room:
                await room.set({"n": 1})


async def test_filters_are_watched_and_asked_for(live: AsyncTwinwire, server: ServerProcess) -> None:
    base = unique("filter")
    async with everybody(server, f"{base}/1", "a"), live.watch(f"{base}/*") as watch:
        (change,) = await changed(watch)
        assert (change.place, [one.member for one in change.joined]) == (f"{base}/1", ["a"])
        async with everybody(server, f"{base}/2", "b"):
            (change,) = await changed(watch)
            assert (change.place, [one.member for one in change.joined]) == (f"{base}/2", ["b"])
            assert {roll.place: len(roll.members) for roll in await live.who(f"{base}/**")} == {
                f"{base}/1": 1,
                f"{base}/2": 1,
            }
            assert {roll.place for roll in watch.rolls} == {f"{base}/1", f"{base}/2"}
        (change,) = await changed(watch)
        assert (change.place, [one.member.member for one in change.left]) == (f"{base}/2", ["b"])
    assert await live.who(f"{base}/nobody/*") == []


async def test_a_subscription_tells_of_it_beside_its_events(live: AsyncTwinwire, server: ServerProcess) -> None:
    place, seen = unique("beside"), list[str]()

    def note(change: Change) -> None:
        seen.extend(one.member for one in change.joined)

    async with live.subscribe(place, presence=note) as events:
        async with everybody(server, place, "a"):
            await become(lambda: seen == ["a"])
        id = await live.publish(place, "note", 1)
        assert await data_of(events, 1) == [1]
    assert events.cursor != id or seen == ["a"]


async def test_more_than_are_listed_are_counted_and_asked_for_by_pages(tmp_path: Path) -> None:
    env = {"TWINWIRE_APPS": "none", "TWINWIRE_PRESENCE_LISTED": "10"}
    with ServerProcess(tmp_path, env=env) as server:
        names = [f"m{number}" for number in range(25)]
        async with AsyncTwinwire(server.url, timing=QUICK) as live, live.watch("p") as watch:
            async with everybody(server, "p", *names):
                last = (await until(watch, lambda change: change.member_count == 25))[-1]
                assert (last.truncated, last.joined, last.user_count) == (True, (), 25)
                (roll,) = await live.who("p")
                assert {member.member for member in roll.members} == set(names)
                assert (roll.member_count, roll.user_count) == (25, 25)
            await until(watch, lambda change: change.member_count == 0 and not change.truncated)


async def test_what_is_no_place_and_who_is_not_in(live: AsyncTwinwire) -> None:
    for place in ("a/*", 7):
        with pytest.raises(InvalidError):
            live.place(place)  # type: ignore[arg-type]
    with pytest.raises(InvalidError):
        live.place("a", member="a b")
    with pytest.raises(InvalidError):
        live.place("a", data=[1])  # type: ignore[arg-type]
    with pytest.raises(InvalidError):
        await live.place("a//b").__aenter__()
    with pytest.raises(TypeError):
        live.watch(["a"])  # type: ignore[arg-type]
    with pytest.raises(TwinwireError) as refused:
        await live.watch("a b").__aenter__()
    assert refused.value.status == 422
    with pytest.raises(RefusedError):
        await live.place("twinwire/x", watch=False).__aenter__()
    room = live.place(unique("closed"))
    with pytest.raises(ClosedError):
        await anext(room)
    with pytest.raises(ClosedError):
        await room.set({})
    async with room:
        pass
    with pytest.raises(StopAsyncIteration):
        await anext(room)
    with pytest.raises(ClosedError):
        await room.__aenter__()


async def test_its_client_leaves_all_places(server: ServerProcess, any_live: AsyncTwinwire) -> None:
    place = unique("client")
    async with any_live.watch(place) as watch:
        live = AsyncTwinwire(server.url, timing=QUICK)
        room = live.place(place)
        await room.__aenter__()
        await changed(watch)
        following = asyncio.create_task(anext(room))
        await live.aclose()
        with pytest.raises(StopAsyncIteration):
            await following
        (change,) = await changed(watch)
        assert [left.reason for left in change.left] == ["left"]


async def test_a_fault_of_the_program_is_in_the_log(live: AsyncTwinwire, caplog: pytest.LogCaptureFixture) -> None:
    place = unique("fault")

    def fail(_: object) -> None:
        raise KeyError("mine")

    async with live.place(place, change=fail) as room:
        await room.set({"n": 1})
        await become(lambda: "has failed" in caplog.text)
        assert room.state in ("replaying", "live")


def test_a_program_without_a_loop_has_it_too(server: ServerProcess) -> None:
    place, seen = unique("blocking"), set[str]()
    with Twinwire(server.url, timing=QUICK, transports=["websocket"]) as live:
        with (
            live.watch(place) as watch,
            live.place(place, data={"n": 1}, change=lambda _: seen.add(threading.current_thread().name)) as room,
        ):
            assert (room.place, room.state, room.transport) == (place, watch.state, "websocket")
            assert room.self in room.members
            assert next(watch).joined[0].member == room.member
            room.set({"n": 2})
            assert next(watch).updated[0].data == {"n": 2}
            room.merge({"m": 3})
            for change in room:
                assert change.updated
                if change.updated[0].data == {"n": 2, "m": 3}:
                    break
            assert [user.members for user in room.users] == [room.members]
            assert live.who(place)[0].members == room.roll.members
            assert [roll.place for roll in watch.rolls] == [place]
        with pytest.raises(StopIteration):
            next(room)
    assert seen == {"twinwire"}


def test_changes_are_json_safe(server: ServerProcess) -> None:
    """What `data` is can be given on as it is."""
    with Twinwire(server.url) as live, live.place(unique("json"), data={"a": [1, None, {"b": 1.5}]}) as room:
        assert room.self is not None
        assert json.loads(json.dumps(room.self.data)) == {"a": [1, None, {"b": 1.5}]}
