"""The composition root: bottom up, top down, and nothing left open when something fails on the way."""

import asyncio
from pathlib import Path

import pytest

from service.apps.base import App, Ground
from service.assembly import Assembly
from service.core.ephemeral import EphemeralDraft
from service.core.errors import ConfigError, InvalidError, StorageError
from service.core.event import Draft, Rule
from service.core.topics import TopicFilter
from service.named import named_apps
from service.settings import Settings
from service.wire.ephemeral.gathering import Gathering
from service.wire.frames import Frames


class Told(App):
    """Writes down what happens to it. `fails` names the step at which it does."""

    def __init__(self, name: str, diary: list[str], fails: str = "") -> None:
        self.name = name  # type: ignore[misc]
        self._diary = diary
        self._fails = fails

    def _note(self, step: str) -> None:
        self._diary.append(f"{self.name} {step}")
        if step == self._fails:
            raise InvalidError(f"{self.name} can't {step}")

    async def open(self, ground: Ground) -> None:
        self._note("open")
        await ground.bus.publish([Draft.of(self.name, "opened", None)])

    async def start(self) -> None:
        self._note("start")

    async def close(self) -> None:
        self._note("close")

    def alias(self, path: str) -> TopicFilter | None:
        return TopicFilter((path,)) if path.startswith(self.name) else None

    def rule(self, topic: str, type: str) -> Rule | None:
        return (lambda data: None) if topic == self.name else None


def settings(folder: Path, **values: float) -> Settings:
    return Settings.read({"database": folder / "test.db", **values})


async def test_applications_open_in_order_and_close_the_other_way_round(tmp_path: Path) -> None:
    diary: list[str] = []
    assembly = await Assembly.open(settings(tmp_path), [Told("a", diary), Told("b", diary)])
    assert diary == ["a open", "b open", "a start", "b start"]
    assert assembly.bus.head == 2
    await assembly.close()
    assert diary[4:] == ["b close", "a close"]


async def test_once_it_is_closed_nobody_is_told_of_ephemeral_events(tmp_path: Path) -> None:
    assembly = await Assembly.open(settings(tmp_path), [])
    lights, told = assembly.bus.ephemeral, list[int]()
    with Gathering(lights, Frames(assembly.bus.epoch).poll, None).during(TopicFilter.all(), lambda: told.append(1)):
        lights.send([EphemeralDraft("t", "x", "1", None, 5.0)], sender="ada")
        await assembly.close()
        lights.send([EphemeralDraft("t", "x", "2", None, 5.0)], sender="bob")
    assert told == [1]
    assert lights.accepted == 1


@pytest.mark.parametrize("step", ["open", "start"])
async def test_what_fails_leaves_nothing_open(tmp_path: Path, step: str) -> None:
    diary: list[str] = []
    with pytest.raises(InvalidError, match=f"b can't {step}"):
        await Assembly.open(settings(tmp_path), [Told("a", diary), Told("b", diary, step)])
    assert diary[-2:] == ["b close", "a close"]
    again = await Assembly.open(settings(tmp_path), [])  # the lock is free, the log is well
    await again.close()


async def test_two_on_one_database_are_refused(tmp_path: Path) -> None:
    assembly = await Assembly.open(settings(tmp_path), [])
    with pytest.raises(StorageError, match="another Twinwire"):
        await Assembly.open(settings(tmp_path), [])
    await assembly.close()


async def test_the_first_application_that_knows_decides(tmp_path: Path) -> None:
    assembly = await Assembly.open(settings(tmp_path), [Told("a", []), Told("b", [])])
    assert assembly.guests.alias("b/1") == TopicFilter(("b/1",))
    assert assembly.guests.alias("c/1") is None
    assert assembly.guests.rule("b", "x") is not None
    assert assembly.guests.rule("c", "x") is None
    await assembly.close()


def test_an_applications_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_GENERATION_PACE", "-1")
    with pytest.raises(ConfigError, match="TWINWIRE_GENERATION_PACE"):
        named_apps(["projects"])


@pytest.mark.parametrize("delay", [0.0, 0.01])
async def test_a_drain_is_announced_for_so_long_and_then_goes_on(tmp_path: Path, delay: float) -> None:
    assembly = await Assembly.open(settings(tmp_path, drain_delay=delay), [])
    await assembly.announce_drain(asyncio.Event())
    assert (assembly.draining.is_announced, assembly.draining.has_begun) == (True, False)
    await assembly.drain()
    assert assembly.draining.has_begun
    await assembly.close()


async def test_whoever_is_in_a_hurry_ends_the_delay_of_a_drain(tmp_path: Path) -> None:
    assembly = await Assembly.open(settings(tmp_path, drain_delay=300.0), [])
    hurry = asyncio.Event()
    announcing = asyncio.create_task(assembly.announce_drain(hurry))
    await asyncio.sleep(0)
    assert assembly.draining.is_announced
    assert (await assembly.checks())["draining"] != "ok"
    assert not announcing.done()
    hurry.set()
    await announcing
    await assembly.close()
