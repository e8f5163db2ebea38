"""What claims say, and that what they say wrongly invalidates all of them."""

import json
from typing import Any

import pytest

from service.access.caller import Caller, TokenId
from service.access.claims import MOMENT_MAX, ClaimError, Times, is_for, read_caller, read_issuer, read_times
from service.access.rights import Grants

TIMES = Times(7_000, 6_000, None)


def caller(**claims: Any) -> Caller:
    return read_caller(claims, TIMES, "k")


def test_all_of_them() -> None:
    found = caller(
        sub="ada",
        jti="id",
        subscribe=["projects/*", "users/{sub}/**"],
        publish=["projects/42"],
        presence=["rooms/*"],
        ephemeral=["cursors/x-{sub}"],
        run=["projects/{sub}"],
        metrics=True,
        info={"name": "Ada é"},
        streams=3,
        another=[{}],
    )
    assert found.subject == "ada"
    assert found.rights.subscribe.patterns == ("projects/*", "users/ada/**")
    assert found.rights.publish.patterns == ("projects/42",)
    assert found.rights.presence.patterns == ("rooms/*",)
    assert found.rights.ephemeral.patterns == ("cursors/x-ada",)
    assert found.rights.run.patterns == ("projects/ada",)
    assert (found.rights.admin, found.rights.metrics) == (False, True)
    assert (found.expires, found.token) == (7_000, TokenId("id", 6_000, "k"))
    assert (found.streams, found.info) == (3, {"name": "Ada é"})
    assert not found.is_anonymous


def test_none_of_them() -> None:
    """Whoever says nothing may nothing."""
    found = caller()
    assert found.subject is None
    assert not any(found.rights)
    assert (found.streams, found.info, found.token) == (None, None, TokenId(None, 6_000, "k"))


def test_who_publishes_may_enter_and_send_ephemeral_events_unless_it_is_said() -> None:
    found = caller(publish=["a"]).rights
    assert (found.presence.patterns, found.ephemeral.patterns) == (("a",), ("a",))
    found = caller(publish=["a"], presence=[], ephemeral=["b"]).rights
    assert (found.presence.patterns, found.ephemeral.patterns) == ((), ("b",))


def test_who_publishes_may_not_run() -> None:
    found = caller(subscribe=["**"], publish=["**"], metrics=True).rights
    assert not found.may_run("projects/a")
    assert caller(run=["projects/a"]).rights.may_run("projects/a")
    assert not caller(run=["projects/a"]).rights.may_run("projects/b")
    assert caller(admin=True).rights.may_run("projects/a")


@pytest.mark.parametrize("subject", [None, "a b", "a/b", "*", "**", "é"])
def test_a_template_grants_nothing_to_whose_name_is_no_segment(subject: str | None) -> None:
    claims = {} if subject is None else {"sub": subject}
    assert caller(**claims, subscribe=["users/{sub}", "a"]).rights.subscribe.patterns == ("a",)


def test_a_filter_that_a_name_makes_too_long_grants_nothing() -> None:
    fits, over = "a" * 96 + "/{sub}/**", "a" * 97 + "/{sub}/**"
    found = caller(sub="s" * 100, subscribe=[fits, over, "{sub}/{sub}"]).rights.subscribe
    assert found.patterns == ("a" * 96 + "/" + "s" * 100 + "/**",)
    assert len(found.patterns[0]) == 200


LISTS = ["a//b", "", "**/a", "a/", "a" * 201, 7, None, ["a"], {}, "{sub", "{SUB}", "a b", "*a", "{sub}{x}", "a\n"]


@pytest.mark.parametrize("name", ["subscribe", "publish", "presence", "ephemeral", "run"])
@pytest.mark.parametrize("claim", [None, "a", "**", 7, True, {}, {"a": 1}, *([one] for one in LISTS), ["a"] * 101])
def test_a_right_that_is_no_list_of_filters_invalidates(name: str, claim: Any) -> None:
    with pytest.raises(ClaimError, match=rf"^{name}(\.0)? "):
        caller(**{name: claim})


def test_a_list_has_a_hundred_filters() -> None:
    assert len(caller(subscribe=[f"a{n}" for n in range(100)]).rights.subscribe.patterns) == 100
    assert caller(subscribe=["a"] * 100).rights.subscribe == Grants(["a"])


@pytest.mark.parametrize("name", ["admin", "metrics"])
@pytest.mark.parametrize("claim", [None, 1, 0, "true", "", [], {}, 1.0])
def test_only_true_is_true(name: str, claim: Any) -> None:
    assert caller(**{name: False}) == caller()
    with pytest.raises(ClaimError, match=name):
        caller(**{name: claim})


@pytest.mark.parametrize("subject", ["", "s" * 129, "a\nb", "a\0", "\ud800", "\u2028", "\u200e", 7, None, ["a"], True])
def test_a_subject_is_printable_text(subject: Any) -> None:
    with pytest.raises(ClaimError, match="sub is not 1-128 printable"):
        caller(sub=subject)


@pytest.mark.parametrize("subject", ["a", "s" * 128, "Ada Lovelace", "é", "auth0|5f7c", "a/b"])
def test_subjects_that_may_be(subject: str) -> None:
    assert caller(sub=subject).subject == subject


@pytest.mark.parametrize("jti", ["", "j" * 129, 7, None, "a\n"])
def test_an_id_is_text(jti: Any) -> None:
    with pytest.raises(ClaimError, match="jti"):
        caller(jti=jti)


@pytest.mark.parametrize("streams", [-1, True, 1.0, "1", None, []])
def test_streams_are_counted(streams: Any) -> None:
    assert caller(streams=0).streams == 0
    with pytest.raises(ClaimError, match="streams"):
        caller(streams=streams)


@pytest.mark.parametrize(
    "info",
    [
        None,
        [],
        "a",
        {"a": "a" * 1_017},
        {"a": "\ud800"},
        {"a": float("inf")},
        json.loads('{"a":' * 500 + "1" + "}" * 500),
    ],
)
def test_info_is_an_object_of_a_kib(info: Any) -> None:
    assert caller(info={"a": "a" * 1_016}).info is not None
    with pytest.raises(ClaimError, match="info"):
        caller(info=info)


def test_what_is_wrong_is_not_shown() -> None:
    for name in ("subscribe", "sub", "jti", "admin", "streams", "info"):
        with pytest.raises(ClaimError) as caught:
            caller(**{name: "sEcReT\n"})
        assert "sEcReT" not in str(caught.value)


def test_times_are_in_milliseconds() -> None:
    assert read_times({}) == (None, None, None)
    assert read_times({"exp": 1_800_000_000.001, "iat": 1_800_000_000, "nbf": 0.0004}) == (
        1_800_000_000_001,
        1_800_000_000_000,
        0,
    )
    assert read_times({"exp": MOMENT_MAX}).expires == MOMENT_MAX * 1000


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "claim", [None, "1", True, [], -1, -0.1, float("inf"), float("nan"), MOMENT_MAX + 1, 10**4_000]
)
def test_a_time_is_a_number_of_seconds(name: str, claim: Any) -> None:
    with pytest.raises(ClaimError, match=name):
        read_times({name: claim})


def test_an_audience_is_text_or_a_list_of_it() -> None:
    assert is_for({"aud": "a"}, "a")
    assert is_for({"aud": ["b", "a"]}, "a")
    assert not is_for({"aud": "ab"}, "a")
    assert not is_for({"aud": []}, "a")
    assert not is_for({}, "a")
    for wrong in (None, 7, {"a": 1}, ["a", 7], ["a"] * 101):
        with pytest.raises(ClaimError, match="aud"):
            is_for({"aud": wrong}, "a")


def test_an_issuer_is_text() -> None:
    assert read_issuer({}) is None
    assert read_issuer({"iss": "https://login.example"}) == "https://login.example"
    for wrong in (None, 7, ["a"], "", "\n"):
        with pytest.raises(ClaimError, match="iss"):
            read_issuer({"iss": wrong})
