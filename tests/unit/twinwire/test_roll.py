"""Lists of members, what a frame makes of them, and what lies between two."""

from dataclasses import replace

import pytest

from tests.unit.twinwire.present import SINCE, counts, diff, member, read, roll, state, wire
from twinwire.roll import REASONS_MAX, Changes, Roll, between, following, listed, read_presence, with_held


def names(found: "Roll | None") -> list[str]:
    assert found is not None
    return [f"{one.user or ''}:{one.member}" for one in found.members]


def test_a_list_is_read_as_it_is() -> None:
    found = listed(read(state(7, "ada:t1", ":x")))
    assert (found.place, found.version, found.user_count, found.member_count, found.truncated) == ("p", 7, 2, 2, False)
    assert found.members == (member("ada:t1"), member(":x"))
    assert found.members[0].since == SINCE


def test_users_are_grouped_and_nobody_is_one_with_nobody() -> None:
    users = roll("ada:t1", ":x", "bob:b", "ada:t2", ":y").users
    assert [(user.user, [one.member for one in user.members]) for user in users] == [
        ("ada", ["t1", "t2"]),
        (None, ["x"]),
        ("bob", ["b"]),
        (None, ["y"]),
    ]


def test_a_change_follows_only_on_the_number_before() -> None:
    before = roll("ada:t1", "bob:b", version=4)
    change = diff(5, joins=["eve:e"], leaves=["bob:b"], updates=[wire("ada:t1", x=1)], users=2, members=2)
    now = following(before, read(change))
    assert names(now) == ["eve:e", "ada:t1"], "of those who entered at the same time by their ids"
    assert now is not None
    assert (now.members[1].data, now.version, now.user_count, now.member_count) == ({"x": 1}, 5, 2, 2)
    for number in (3, 4, 6):
        assert following(before, read(diff(number))) is None


def test_an_id_may_be_anothers_in_the_same_frame() -> None:
    now = following(roll("ada:t1"), read(diff(2, joins=["bob:t1"], leaves=["ada:t1"])))
    assert names(now) == ["bob:t1"]


def test_integers_keep_their_digits_and_what_is_later_is_passed_over() -> None:
    text = state(1, "ada:t1").replace('"data": {}', '"data": {"n": 123456789012345678901234567890}, "more": 1')
    assert listed(read(text)).members[0].data == {"n": 123456789012345678901234567890}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"place":"p"}',
        '{"place":"p","version":1,"state":[{"user":"a"}]}',
        '{"place":"p","version":1,"state":' + "[" * 100_000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_presence(text)


def test_a_member_has_a_time() -> None:
    with pytest.raises(ValueError, match="since"):
        listed(read('{"place":"p","version":1,"state":[{"user":"a","member":"b"}]}'))


def test_who_is_only_counted_has_neither_come_nor_gone() -> None:
    changes = Changes()
    changes.note(roll("ada:t1"), {})
    assert changes.take() is not None
    many = following(roll("ada:t1"), read(counts(2, 600, 700)))
    assert many is not None
    assert many.members == ()
    changes.note(many, {})
    change = changes.take()
    assert change is not None
    assert (change.joined, change.left, change.user_count, change.member_count) == ((), (), 600, 700)
    assert change.truncated
    changes.note(many, {})
    assert changes.take() is None, "nothing is another way"
    changes.note(roll("bob:b", version=9), {})
    change = changes.take()
    assert change is not None
    assert [user.user for user in change.came] == ["bob"]
    assert [user.user for user in change.went] == ["ada"]


def test_between_two_lists_there_are_users_and_members() -> None:
    before = roll("ada:t1", "bob:b", ":x")
    now = roll("ada:t1", "ada:t2", ":y")
    change = between(before, now, {("bob", "b"): "lost"})
    assert change is not None
    assert change.joined == (member("ada:t2"), member(":y"))
    assert [(left.member.member, left.reason) for left in change.left] == [("b", "lost"), ("x", None)]
    assert (change.came, [user.user for user in change.went]) == ((), ["bob"])


def test_who_was_entered_anew_after_a_restart_is_no_change() -> None:
    before = roll("ada:t1")
    later = replace(before, members=(replace(before.members[0], since=SINCE.replace(hour=9)),), version=1)
    assert between(before, later, {}) is None


def test_who_asks_seldom_gets_one_change_and_none_of_what_is_over() -> None:
    changes = Changes()
    for now, reasons in (
        (roll("ada:t1"), {}),
        (roll("ada:t1", "bob:b"), {}),
        (roll("ada:t1"), {("bob", "b"): "left"}),
        (roll("ada:t1", "eve:e"), {}),
    ):
        changes.note(now, reasons)
    change = changes.take()
    assert change is not None
    assert [one.member for one in change.joined] == ["t1", "e"]
    assert (change.left, changes.take()) == ((), None)
    changes.note(roll(), {("ada", "t1"): "left", ("eve", "e"): "lost"})
    change = changes.take()
    assert change is not None
    assert [left.reason for left in change.left] == ["left", "lost"]
    assert changes._places == {}, "nothing is kept of a place where nobody is"


def test_of_places_that_nobody_asks_about_only_those_are_kept_where_somebody_is() -> None:
    changes = Changes()
    for number in range(100):
        changes.note(roll("ada:t1", place=f"p/{number}"), {})
        changes.note(roll(place=f"p/{number}"), {("ada", "t1"): "left"})
    assert changes._places == {}
    assert changes.take() is None


def test_reasons_that_nobody_asks_for_are_bounded() -> None:
    changes = Changes()
    for batch in range(3):
        changes.note(roll("ada:t1"), {("u", f"{batch}-{n}"): "left" for n in range(REASONS_MAX // 2)})
    assert len(changes._places["p"].reasons) == REASONS_MAX


def test_places_are_told_apart() -> None:
    changes = Changes()
    changes.note(roll("ada:t1", place="a"), {})
    changes.note(roll("ada:t1", place="b"), {})
    changes.pass_over()
    changes.note(roll("ada:t1", "bob:b", place="b"), {})
    changes.note(roll(place="a"), {})
    told = [changes.take(), changes.take()]
    assert [change and change.place for change in told] == ["b", "a"]


def test_who_is_held_counts_and_who_is_back_counts_once() -> None:
    found = with_held(roll("ada:t1"), roll("ada:t1", "bob:b", ":x").members)
    assert names(found) == ["bob:b", "ada:t1", ":x"]
    assert (found.user_count, found.member_count) == (3, 3)
    many = Roll("p", (), 600, 600, True)
    assert with_held(many, roll("bob:b").members) is many
