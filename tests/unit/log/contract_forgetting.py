"""What holds when topics are forgotten; `test_contract.py` has it for every engine."""

import pytest

from service.core.topics import TopicFilter
from tests.unit.log.rigs import ALL, Rig, drafts, list_topics, read_all


def floor(rig: Rig, *patterns: str) -> int:
    return rig.log.bounds(TopicFilter(patterns)).floor


class ForgetContract:
    """One floor stays for all topics that were forgotten: no cursor below it is told too little."""

    async def test_only_what_is_empty_and_not_reserved_goes(self, rig: Rig) -> None:
        for name in ("a", "b", "twinwire/x", "mercure"):
            await rig.log.append(drafts(name, 2))
        await rig.log.trim(TopicFilter(("a", "twinwire/x", "mercure")), 0)
        assert await rig.forget() == 1
        assert [stats.topic for stats in await list_topics(rig.log)] == ["b", "mercure"]
        assert [rig.log.has_topic(name) for name in ("a", "b", "twinwire/x")] == [False, True, True]
        assert await rig.forget() == 0

    async def test_what_somebody_subscribes_to_stays(self, rig: Rig) -> None:
        async def interest(topic: str) -> bool:
            return topic == "b"

        rig.log.keep_while(interest)
        await rig.log.append([*drafts("a", 1), *drafts("b", 1)])
        await rig.log.trim(ALL, 0)
        assert await rig.forget() == 1
        assert rig.log.has_topic("b")

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_their_floor_is_that_of_all_that_are_not_known(self, rig: Rig, way: str) -> None:
        await rig.log.append([*drafts("low", 1), *drafts("a", 2), *drafts("kept", 1), *drafts("b", 1)])
        await rig.log.trim(TopicFilter(("low", "a", "b")), 0)
        assert [floor(rig, name) for name in ("never", "x/*", "low")] == [0, 0, 1]
        await rig.forget()
        for _ in range(2):
            found = [
                floor(rig, name) for name in ("low", "a", "never", "x/*", "**", "kept", "twinwire/x", "twinwire/*")
            ]
            assert found == [5, 5, 5, 5, 5, 0, 0, 0]
            assert floor(rig, "kept", "never") == 5
            await getattr(rig, way)()
        assert rig.log.head == 5

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_it_is_the_prev_of_what_begins_and_its_floor(self, rig: Rig, way: str) -> None:
        await rig.log.append([*drafts("a", 3), *drafts("kept", 1)])
        await rig.log.trim(TopicFilter(("a",)), 0)
        await rig.forget()
        await rig.log.append([*drafts("a", 2), *drafts("never", 1), *drafts("kept", 1), *drafts("twinwire/x", 1)])
        own = TopicFilter(("twinwire/x",))
        found = [*await read_all(rig.log), *await read_all(rig.log, own)]
        assert [(event.topic, event.prev) for event in found] == [
            ("kept", 0),
            ("a", 3),
            ("a", 5),
            ("never", 3),
            ("kept", 4),
            ("twinwire/x", 0),
        ]
        await rig.log.append(drafts("b", 1))
        await rig.log.trim(TopicFilter(("b",)), 0)
        await rig.forget()
        for _ in range(2):
            assert [floor(rig, name) for name in ("a", "never", "kept", "b", "twinwire/x")] == [3, 3, 0, 10, 0]
            await getattr(rig, way)()
