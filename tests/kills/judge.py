"""The zeros: what was sent, acknowledged, heard and kept, held against each other.

`judge` takes plain values, so that a test can hand it a run in which something is lost.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.kills.ledger import Faults, Journal, Ledger, State, Stored, Told

ZEROS: Final = (
    "acknowledged and lost",
    "delivered and lost",
    "not delivered, untold",
    "delivered twice",
    "out of order",
    "chain broken, untold",
    "keyed events stored twice",
    "others stored twice",
    "an offset used twice",
    "requests stored in part",
    "gaps without a reason",
    "answered wrongly",
    "states that are not so",
    "texts that are not so",
    "never sent",
)
"""What is counted, in the order of the table."""


def judge(
    ledger: Ledger,
    journals: Sequence[Journal],
    kept: Sequence[Stored],
    floors: Mapping[str, int],
    states: State | None = None,
) -> Faults:
    """Every fault of a run. `kept` is the log at its end, `floors` up to where each topic was trimmed, `states` what is
    told of the state.
    """
    faults = Faults()
    for one in (ledger.faults, *(journal.faults for journal in journals)):
        faults.counts += one.counts
        faults.examples += one.examples
    known = _known(faults, ledger, journals, kept)
    _look_for_lost(faults, ledger, known, {one.offset for one in kept}, floors)
    _look_at_the_log(faults, ledger, kept, floors)
    for journal in journals:
        _look_for_undelivered(faults, ledger, journal, known)
        _look_at_the_state(faults, journal, states)
    return faults


def _known(faults: Faults, ledger: Ledger, journals: Sequence[Journal], kept: Sequence[Stored]) -> dict[int, int]:
    """The serial at each offset of which anybody knows; one offset has one event, and one event has one offset."""
    serials: dict[int, int] = {}
    offsets: dict[int, int] = {}

    def learn(pairs: Iterable[tuple[int, int]], who: str) -> None:
        for offset, serial in pairs:
            if serial >= len(ledger.sent):
                faults.add("never sent", f"{serial} at {offset}, to {who}")
                continue
            if serials.setdefault(offset, serial) != serial:
                faults.add("an offset used twice", f"{offset}, {serials[offset]} and {serial}, to {who}")
            if offsets.setdefault(serial, offset) != offset:
                kind = "keyed events stored twice" if ledger.sent[serial].is_keyed else "others stored twice"
                faults.add(kind, f"{serial} at {offsets[serial]} and {offset}, to {who}")

    learn(((offset, serial) for serial, offset in ledger.acknowledged.items()), "its publisher")
    learn(((one.offset, one.serial) for one in kept), "the log")
    for journal in journals:
        learn(zip(journal.offsets, journal.serials, strict=True), journal.name)
    return serials


def _look_for_lost(
    faults: Faults, ledger: Ledger, known: Mapping[int, int], kept: set[int], floors: Mapping[str, int]
) -> None:
    """Whatever was acknowledged or delivered is in the log, unless it was trimmed."""
    for offset, serial in known.items():
        topic = ledger.sent[serial].topic
        if offset not in kept and offset > floors.get(topic, 0):
            kind = "acknowledged and lost" if serial in ledger.acknowledged else "delivered and lost"
            faults.add(kind, f"{serial} at {offset} on {topic}")


def _look_at_the_log(faults: Faults, ledger: Ledger, kept: Sequence[Stored], floors: Mapping[str, int]) -> None:
    """Topics, chains, whole requests, and the order of whoever waits for each answer."""
    last: dict[str, int] = {}
    lines: dict[str, int] = {}
    groups: dict[int, int] = defaultdict(int)
    for one in kept:
        if one.serial >= len(ledger.sent):
            continue  # told already
        sent = ledger.sent[one.serial]
        if sent.topic != one.topic:
            faults.add("never sent", f"{one.serial} on {one.topic} at {one.offset}, was for {sent.topic}")
        before = last.get(one.topic, 0)
        if one.prev != before and not before < one.prev <= floors.get(one.topic, 0):
            faults.add("chain broken, untold", f"{one.offset} on {one.topic}, in the log: prev is {one.prev}")
        last[one.topic] = one.offset
        if sent.line is not None:
            if one.serial < lines.get(sent.line, -1):
                faults.add("out of order", f"{one.serial} of {sent.line} after {lines[sent.line]}, in the log")
            lines[sent.line] = one.serial
        groups[sent.group] += 1
    _look_for_parts(faults, ledger, groups, floors)


def _look_for_parts(faults: Faults, ledger: Ledger, groups: Mapping[int, int], floors: Mapping[str, int]) -> None:
    """A request is stored whole; where its topics were trimmed nobody can tell."""
    sizes: dict[int, int] = defaultdict(int)
    trimmed: set[int] = set()
    for sent in ledger.sent:
        sizes[sent.group] += 1
        if floors.get(sent.topic, 0):
            trimmed.add(sent.group)
    for group, count in groups.items():
        if count < sizes[group] and group not in trimmed:
            faults.add("requests stored in part", f"{count} of {sizes[group]}")


def _look_for_undelivered(faults: Faults, ledger: Ledger, journal: Journal, known: Mapping[int, int]) -> None:
    """Whatever matches and anybody knows of has come, or a gap covers it."""
    gaps = _merged(journal.gaps)
    starts = [gap.low for gap in gaps]
    heard = set(journal.offsets)
    matches = {topic: journal.filter.matches(topic) for topic in {sent.topic for sent in ledger.sent}}
    for offset, serial in known.items():
        topic = ledger.sent[serial].topic
        if offset in heard:
            if not matches[topic]:
                faults.add("never sent", f"{offset} on {topic} to {journal.name}, which had not asked for it")
        elif matches[topic]:
            place = bisect_left(starts, offset)
            if not place or offset > gaps[place - 1].floor:
                faults.add("not delivered, untold", f"{offset} on {topic} to {journal.name}")


def _look_at_the_state(faults: Faults, journal: Journal, states: State | None) -> None:
    """Who heard all that was not replaced has what the service has, whatever went meanwhile."""
    if states is None or journal.state is None or not all(journal.filter.matches(topic) for topic, _ in states):
        return
    for about in sorted(states.keys() | journal.state.keys()):
        told, held = states.get(about, []), journal.state.get(about, [])
        if told != held:
            faults.add("states that are not so", f"{about} is {told[:3]}..., and {journal.name} has {held[:3]}...")


def _merged(gaps: Sequence[Told]) -> list[Told]:
    """Without overlaps, in order: a client that is far behind may be told of hundreds."""
    merged: list[Told] = []
    for gap in sorted(gaps):
        if merged and gap.low <= merged[-1].floor:
            merged[-1] = Told(merged[-1].low, max(merged[-1].floor, gap.floor))
        else:
            merged.append(gap)
    return merged
