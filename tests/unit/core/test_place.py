"""A place tells what became of its members since it told last, and in between what it told."""

import random
from typing import Any

from service.core.place import SHORT, Change, Member, Place, Shown
from service.core.words import LeaveReason


class Here:
    """A place in a test's words."""

    def __init__(self, listed: int = 500) -> None:
        self.place = Place("p", 1, 0, listed)

    def put(self, id: str, user: str | None = "ada", data: str = "{}") -> None:
        shown = Shown(user, id, data, 1, user is not None)
        is_new = id not in self.place.members
        self.place.put(shown, Member(self.place, shown, "who") if is_new else None)

    def drop(self, id: str, reason: LeaveReason = "left") -> None:
        self.place.remove(self.place.members[id], reason)

    def commit(self) -> Change:
        change = self.place.commit()
        assert change is not None
        return change


def ids(shown: Any) -> list[str]:
    return [one.member for one in shown]


def test_a_batch_is_the_next_version_and_nothing_is_none() -> None:
    here = Here()
    assert here.place.commit() is None
    here.put("a")
    here.put("b", "bob")
    change = here.commit()
    assert (change.version, ids(change.joins), change.came, change.was_empty) == (1, ["a", "b"], ("ada", "bob"), True)
    here.put("a", data='{"x":1}')
    here.put("a", data='{"x":2}')
    here.drop("b", "lost")
    change = here.commit()
    assert (change.version, [one.data for one in change.updates]) == (2, ['{"x":2}'])
    assert [tuple(one) for one in change.leaves] == [("bob", "b", "lost")]
    assert (change.came, change.went, change.users, change.members) == ((), ("bob",), 1, 1)
    assert here.place.commit() is None
    assert here.place.version == 2


def test_who_came_and_went_in_one_batch_is_in_none() -> None:
    here = Here()
    here.put("a")
    here.drop("a")
    assert here.place.commit() is None
    assert here.place.version == 0
    here.put("a")
    here.commit()
    here.put("a", data='{"x":1}')
    here.put("a", data="{}")
    assert here.place.commit() is None, "as it was"


def test_users_come_with_their_first_member_and_go_with_their_last() -> None:
    here = Here()
    here.put("a")
    assert here.commit().came == ("ada",)
    here.put("b")
    assert here.commit().came == ()
    here.drop("a")
    change = here.commit()
    assert (change.went, change.users, change.members) == ((), 1, 1)
    here.drop("b")
    here.put("c")
    change = here.commit()
    assert (change.went, change.came, len(change.joins), len(change.leaves)) == ((), (), 1, 1)
    here.drop("c")
    assert here.commit().went == ("ada",)


def test_each_without_a_name_is_a_user_by_itself() -> None:
    here = Here()
    here.put("a", None)
    here.put("b", None)
    change = here.commit()
    assert (change.users, change.members, change.came) == (2, 2, ())
    here.drop("a")
    change = here.commit()
    assert (change.users, change.went) == (1, ())


def test_an_id_that_is_somebody_else_s_now_leaves_and_joins() -> None:
    here = Here()
    here.put("a", "ada")
    here.commit()
    here.drop("a", "lost")
    here.put("a", "bob")
    change = here.commit()
    assert [tuple(one) for one in change.leaves] == [("ada", "a", "lost")]
    assert [(one.user, one.member) for one in change.joins] == [("bob", "a")]
    assert (change.came, change.went, change.updates) == (("bob",), ("ada",), ())


def test_what_was_told_stays_until_the_next_batch() -> None:
    here = Here()
    here.put("a")
    here.put("b")
    here.commit()
    here.put("c")
    here.drop("a")
    here.put("b", data='{"x":1}')
    assert sorted((one.member, one.data) for one in here.place.told()) == [("a", "{}"), ("b", "{}")]
    assert (here.place.told_users, here.place.told_members) == (1, 2)
    here.commit()
    assert sorted((one.member, one.data) for one in here.place.told()) == [("b", '{"x":1}'), ("c", "{}")]


def test_a_long_place_tells_counts_and_is_short_again_below_the_bound() -> None:
    here = Here(listed=20)
    for n in range(20):
        here.put(f"m{n}")
    assert here.commit().truncated is False
    here.put("more")
    change = here.commit()
    assert (change.truncated, change.members, change.is_whole) == (True, 21, False)
    for n in range(3):
        here.drop(f"m{n}")
    assert here.place.told_members == 21
    assert here.commit().truncated, "at 18 it is long yet"
    here.drop("m3")
    change = here.commit()
    assert (len(here.place.members), change.truncated, change.is_whole) == (int(20 * SHORT) - 1, False, True)


def test_at_random_every_change_leads_from_one_state_to_the_next() -> None:
    chance, here, seen = random.Random(3), Here(), dict[str, Shown]()
    for _ in range(2_000):
        id = chance.choice("abcdef")
        if id in here.place.members and chance.random() < 0.5:
            here.drop(id)
        elif id in here.place.members:
            here.put(id, here.place.members[id].shown.user, chance.choice(["{}", '{"x":1}']))
        else:
            here.put(id, chance.choice(["ada", "bob", None]))
        if chance.random() < 0.3:
            users = {one.user for one in seen.values()}
            change = here.place.commit()
            if change is not None:
                for gone in change.leaves:
                    assert seen.pop(gone.member).user == gone.user
                assert not seen.keys() & set(ids(change.joins))
                seen |= {one.member: one for one in change.joins}
                assert set(ids(change.updates)) <= seen.keys()
                seen |= {one.member: one for one in change.updates}
                now = {one.user for one in seen.values()}
                assert set(change.came) == now - users - {None}
                assert set(change.went) == users - now - {None}
            assert seen == {id: one.shown for id, one in here.place.members.items()}
        assert {one.member: one for one in here.place.told()} == seen
