"""Whether what is asked lies within what was granted: by segments, and against brute force."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.rights import EVERYTHING, NOTHING, Grants, Rights, for_subject
from service.core.errors import InvalidError
from service.core.topics import TopicFilter

ALPHABET = ("a", "b")
TOPICS = ["/".join(segments) for length in range(1, 6) for segments in product(ALPHABET, repeat=length)]
PATTERNS = st.lists(st.sampled_from(("a", "b", "*")), max_size=3).flatmap(
    lambda first: st.sampled_from(("a", "b", "*", "**")).map(lambda last: "/".join([*first, last]))
)


@pytest.mark.parametrize(
    ("grant", "asked", "covered"),
    [
        ("**", "a", True),
        ("**", "**", True),
        ("**", "*/a/**", True),
        ("a/**", "a/b", True),
        ("a/**", "a/**", True),
        ("a/**", "a/*/c", True),
        ("a/**", "a", False),
        ("a/**", "**", False),
        ("*", "a", True),
        ("*", "*", True),
        ("*", "**", False),
        ("*", "a/b", False),
        ("a/*", "a/b", True),
        ("a/*", "a/*", True),
        ("a/*", "a/**", False),
        ("a/b", "a/*", False),
        ("a/b", "a/b", True),
        ("a/b", "a/bc", False),
        ("a/b", "a", False),
        ("*/b", "a/b", True),
        ("*/b", "*/b", True),
        ("*/b", "a/*", False),
    ],
)
def test_what_one_grant_covers(grant: str, asked: str, covered: bool) -> None:
    assert Grants((grant,)).covers(asked) is covered
    assert Grants(("x", grant, "y/*/z")).covers(asked) is covered


@given(st.lists(PATTERNS, max_size=4), st.lists(PATTERNS, max_size=12))
def test_what_was_asked_before_changes_nothing(grants: list[str], asked: list[str]) -> None:
    """What it was asked last is remembered."""
    same = Grants(grants)
    assert [same.covers(one) for one in [*asked, *asked]] == 2 * [Grants(grants).covers(one) for one in asked]
    assert same.has_all is same.covers("**")
    assert not Grants(()).covers("")


def test_what_is_no_topic_is_not_kept() -> None:
    """A path may have a name of 60,000 characters, which is looked at before anybody knows that it is none."""
    grants = Grants(("projects/*",))
    assert grants.covers(f"projects/{'x' * 60_000}")
    assert grants._covered is None
    assert grants.covers("projects/a")
    assert grants._covered == "projects/a"


def matched(pattern: str) -> set[str]:
    found = TopicFilter((pattern,))
    return {topic for topic in TOPICS if found.matches(topic)}


@given(st.lists(PATTERNS, min_size=1, max_size=5), PATTERNS)
def test_covered_implies_a_subset_of_one_grant(grants: list[str], asked: str) -> None:
    """And what one grant has all of, it covers: over five segments of two letters, and one that is in no grant."""
    covering = [grant for grant in grants if matched(asked) <= matched(grant)]
    others = [grant for grant in covering if _names_all(grant, asked)]
    assert Grants(grants).covers(asked) is bool(others)


def _names_all(grant: str, asked: str) -> bool:
    """With a third letter too, which the topics above have not: `*` is more than `a` and `b`."""
    filled = asked.replace("**", "c/c").replace("*", "c")
    return TopicFilter((grant,)).matches(filled) and (not asked.endswith("**") or grant.endswith("**"))


def test_each_pattern_has_to_lie_within_one_grant() -> None:
    rights = Rights(subscribe=Grants(("a/x", "a/y", "b/**")))
    assert rights.unread(("b/c", "a/*", "a/x", "c")) == ("a/*", "c")
    assert rights.may_read("b/1/2")
    assert not rights.may_publish("b/1")


def test_the_services_own_topics_are_for_nobody() -> None:
    for rights in (EVERYTHING, Rights(subscribe=Grants(("twinwire/**", "**")), publish=Grants(("twinwire/**",)))):
        assert not rights.may_read("twinwire/revocations")
        assert not rights.may_read("twinwire/**")
        assert not rights.may_publish("twinwire/revocations")
    assert Rights(subscribe=Grants(("twinwire/**", "a"))).readable == TopicFilter(("a",))


def test_all_that_may_be_read_is_a_filter() -> None:
    assert EVERYTHING.readable == TopicFilter.all()
    assert NOTHING.readable.patterns == ()
    assert Rights(subscribe=Grants(("b", "a/*", "b"))).readable == TopicFilter(("a/*", "b"))
    with pytest.raises(InvalidError, match="at most 100"):
        _ = Rights(subscribe=Grants(f"t/{n}" for n in range(101))).readable


def test_rights_of_two_add_up() -> None:
    both = Rights(Grants(("a",)), Grants(("b",))).plus(Rights(Grants(("c", "a")), metrics=True, run=Grants(("p",))))
    assert both == Rights(Grants(("a", "c")), Grants(("b",)), metrics=True, run=Grants(("p",)))


@pytest.mark.parametrize(
    ("subject", "granted"),
    [
        ("ada", ("users/ada/**", "open")),
        (None, ("open",)),
        ("a/b", ("open",)),
        ("*", ("open",)),
        ("ada lovelace", ("open",)),
        ("{sub}", ("open",)),
    ],
)
def test_a_template_takes_the_subject_only_as_a_segment(subject: str | None, granted: tuple[str, ...]) -> None:
    assert for_subject(("users/{sub}/**", "open"), subject) == Grants(granted)


def test_a_hundred_grants_that_begin_alike_are_one_walk() -> None:
    grants = Grants("/".join(["*"] * n + ["x"]) for n in range(90))
    assert grants.covers("/".join(["y"] * 89 + ["x"]))
    assert not grants.covers("/".join(["y"] * 91))
