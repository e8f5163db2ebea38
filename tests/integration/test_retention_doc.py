"""The policies of docs/deployment.md, "What is kept": each is read as a setting, and done to a log."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from service.core.event import Draft
from service.settings import RetentionPolicy, Settings
from tests.support.clock import ManualClock
from tests.support.server import ROOT
from tests.unit.log.rigs import ALL, Parts

DAY: Final = 86_400.0
AGES: Final = (100.0, 80.0, 20.0, 6.0, 0.9, 0.01)
"""Days; at each of these ages there is an event on each topic."""

TOPICS: Final = ("audit/logins", "builds/7", "chats/1", "devices/hall", "metrics/web/cpu", "state/lamp")
MANY: Final = 1_200
"""Events on `MANY_TOPICS` a few seconds ago."""

MANY_TOPICS: Final = ("builds/8", "metrics/web/load", "other")
LARGE: Final = 64
"""Events of 32 KiB on `large` then: 2 MiB of data."""

KEPT: Final[Sequence[Mapping[str, object]]] = (
    dict.fromkeys(TOPICS, AGES[-2:]) | dict.fromkeys(MANY_TOPICS, MANY),
    dict.fromkeys(TOPICS, AGES[2:])
    | {"metrics/web/cpu": AGES[-1:], "builds/8": MANY, "metrics/web/load": 1_000, "other": MANY},
    {"audit/logins": AGES, "builds/7": AGES, "chats/1": AGES[1:], "metrics/web/cpu": AGES[3:], "state/lamp": AGES[3:]}
    | {"builds/8": 500, "metrics/web/load": MANY, "other": MANY, "devices/hall": AGES[3:]},
    dict.fromkeys(TOPICS, AGES[2:]) | dict.fromkeys(MANY_TOPICS, MANY) | {"large": LARGE // 2},
    dict.fromkeys(TOPICS, AGES[3:]) | dict.fromkeys(MANY_TOPICS, MANY) | {"devices/hall": AGES[4:]},
    dict.fromkeys(TOPICS, AGES) | dict.fromkeys(MANY_TOPICS, MANY) | {"state/lamp": AGES[-1:]},
)
"""What each leaves, in the order of the document: the ages of a topic's events, or how many of many."""


def documented() -> list[str]:
    text = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    section = text.partition("## What is kept")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash retention\nexport (TWINWIRE_RETENTION=.*)\n```", section, re.MULTILINE)
    return [shlex.split(block)[0].partition("=")[2] for block in blocks]


async def kept_by(policies: Sequence[RetentionPolicy], path: Path) -> dict[str, list[int]]:
    """The times of what is kept after one pass, by topic."""
    clock = ManualClock()
    now = clock.now
    parts = await Parts.open(path, clock)
    for age in AGES:
        clock.now = now - round(age * DAY * 1_000)
        await parts.writer.append([Draft(topic, "log", "{}") for topic in TOPICS])
    clock.now = now - 10_000
    for topic in MANY_TOPICS:
        await parts.writer.append([Draft(topic, "log", "{}")] * MANY)
    await parts.writer.append([Draft("large", "log", f'"{"x" * (32_768 - 2)}"')] * LARGE)
    clock.now = now
    await parts.retention(policies).run(now, parts.head)
    page = await parts.reader.page(ALL, 0, parts.head + 1, 1 << 30, 1 << 30)
    await parts.close()
    found: dict[str, list[int]] = {}
    for event in page.events:
        found.setdefault(event.topic, []).append(now - event.time)
    return found


def test_the_default_keeps_everything() -> None:
    assert Settings.read().log.retention == ()


def test_each_policy_of_the_document_has_its_expectation() -> None:
    assert len(documented()) == len(KEPT)


@pytest.mark.parametrize("number", range(len(KEPT)))
async def test_a_policy_keeps_what_the_document_says(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", documented()[number])
    found = await kept_by(Settings.read().log.retention, tmp_path / "test.db")
    for topic, expected in {"large": LARGE, **KEPT[number]}.items():
        if isinstance(expected, int):
            assert len(found[topic]) == expected, topic
        else:
            assert found[topic] == [round(age * DAY * 1_000) for age in expected], topic


async def test_without_a_policy_nothing_goes(tmp_path: Path) -> None:
    found = await kept_by((), tmp_path / "test.db")
    assert sum(map(len, found.values())) == len(AGES) * len(TOPICS) + MANY * len(MANY_TOPICS) + LARGE
