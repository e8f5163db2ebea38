"""Names in order: what a page of topics looks at, and that it finds what a plain list has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.topics import TopicFilter
from service.log.sqlite import names as module
from service.log.sqlite.names import Names

NAMES = st.lists(st.sampled_from(["a", "ab", "b", "~", "-"]), min_size=1, max_size=3).map("/".join)
PATTERNS = st.one_of(
    NAMES, st.sampled_from(["*", "**", "a/*", "a/**", "*/b", "a/*/b", "ab/**", "~/*", "*/*", "b/*/**"])
)


def same(name: str) -> str:
    return name


@given(
    st.lists(NAMES, max_size=30, unique=True),
    st.lists(PATTERNS, max_size=4).map(lambda patterns: TopicFilter(tuple(patterns))),
    st.integers(1, 4),
    st.integers(1, 9),
)
def test_pages_have_what_a_plain_list_has(known: list[str], topics: TopicFilter, limit: int, most: int) -> None:
    names = Names(known)
    found, after, looked = list[str](), "", 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LOOKED_MAX", most)
        while True:
            page = names.page(topics, after, limit, same)
            assert len(page.found) <= limit
            assert len(page.found) <= page.looked <= most
            found += page.found
            looked += page.looked
            if page.next is None:
                break
            assert page.next > after, "it goes on"
            after = page.next
    assert found == sorted(filter(topics.matches, known))
    assert looked <= len(known), "none is looked at twice"


@pytest.mark.parametrize(
    ("patterns", "looked"),
    [
        (["a/1"], 1),
        (["a/1", "b/2", "zz"], 2),
        (["a/*"], 3),
        (["a/*", "a/1", "a/2"], 3),
        (["b/**", "a/1"], 4),
        (["*/1"], 8),
        (["**"], 8),
        (["none/**"], 0),
    ],
)
def test_only_names_that_may_match_are_looked_at(patterns: list[str], looked: int) -> None:
    """A list of `projects/*` looked at each of 500,000 topics that begin otherwise."""
    names = Names(["a/1", "a/2", "a/3", "aa", "b/1", "b/2", "b/3", "c"])
    assert names.page(TopicFilter(tuple(patterns)), "", 99, same).looked == looked


def test_what_is_found_no_more_is_in_no_page() -> None:
    names = Names(["a", "b", "c"])
    assert names.page(TopicFilter.all(), "", 9, {"a": 1, "c": 3}.get) == ([1, 3], None, 3)
    names.discard("b")
    names.add(["d", "aa"])
    assert len(names) == 4
    assert names.page(TopicFilter.all(), "a", 2, same) == (["aa", "c"], "c", 2)
    assert names.page(TopicFilter.all(), "c", 9, same) == (["d"], None, 1)


def test_a_filter_that_is_hard_to_match_looks_at_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = TopicFilter(("*/*/*/*/x",))
    names = Names([f"{n}" for n in range(10)])
    monkeypatch.setattr(module, "COMPARISONS", 2 * heavy.weight)
    assert names.page(heavy, "", 9, same) == ([], "1", 2)
    monkeypatch.setattr(module, "COMPARISONS", 1)
    assert names.page(heavy, "8", 9, same) == ([], None, 1)
