"""Text into values, in this process: each is read, or refused with an error of ours; and what is read is right."""

import json
import os
from typing import Any, Final
from unittest.mock import patch

import msgspec
from hypothesis import strategies as st

from service.access.caller import Caller
from service.apps.projects.brief import parse_brief
from service.bus.start import Start
from service.core.cursor import Cursor
from service.core.errors import ConfigError, InvalidTokenError, TwinwireError, UnavailableError
from service.core.limits import CURSOR_MAX, DATA_MAX
from service.core.topics import TopicFilter, is_topic
from service.settings import Settings
from service.wire.drafts import DraftReader
from tests.fuzz import grammar
from tests.fuzz.target import Targets, must
from tests.support.clock import ManualClock
from tests.support.tokens import entry, pem, raw, ring, verifier

_READER: Final = DraftReader(DATA_MAX)


def add_values(targets: Targets) -> None:
    """Adds the targets of this module."""
    targets.pure("bodies", st.tuples(st.none() | grammar.MEDIA_TYPES, grammar.BODIES), 25)(_bodies)
    targets.pure("cursors", grammar.CURSORS, 10)(_cursors)
    targets.pure("topics", st.tuples(st.lists(grammar.FILTERS, max_size=4), grammar.TOPICS), 15)(_topics)
    targets.pure("policies", grammar.POLICIES, 5)(_policies)
    targets.pure("tokens", grammar.TOKENS, 15)(_tokens)
    targets.pure("briefs", grammar.BRIEFS, 10)(_briefs)


def _bodies(given: tuple[str | None, bytes]) -> None:
    """Drafts of a body: topics are topics, data is one line of JSON, of a size that is allowed."""
    try:
        drafts, _ = _READER.request(*given)
    except TwinwireError as error:
        must(400 <= error.status < 500, f"{error!r} is {error.status}")
        return
    for draft in drafts:
        must(is_topic(draft.topic), f"{draft.topic!r} is no topic")
        must("\n" not in draft.data and "\r" not in draft.data, "data has line breaks")
        must(len(draft.data.encode()) <= DATA_MAX, "data is too long")
        msgspec.json.decode(draft.data, type=msgspec.Raw)


def _cursors(text: str) -> None:
    """Never an error; what is read reads the same again."""
    start = Start.parse(text)
    must(len(start.requested.encode("utf-8", "replace")) <= max(CURSOR_MAX, len(text)), "a quote is too long")
    cursor = Cursor.parse(text)
    must(cursor is None or (str(cursor) == text and start.cursor == cursor), "a cursor reads as another")


def _topics(given: tuple[list[str], str]) -> None:
    """A filter matches what a comparison segment by segment says."""
    patterns, topic = given
    try:
        found = TopicFilter(tuple(patterns))
    except TwinwireError as error:
        must(error.status == 422, f"{error!r} is {error.status}")
        return
    if is_topic(topic):
        wanted = any(_matches(pattern.split("/"), topic.split("/")) for pattern in patterns if _may(pattern, topic))
        must(found.matches(topic) == wanted, f"{topic!r} matches {patterns}: {wanted}")


def _may(pattern: str, topic: str) -> bool:
    """Whether a pattern may reach it: the service's own topics are left out by wildcards at the beginning."""
    return not topic.startswith("twinwire/") or pattern.startswith("twinwire/")


def _matches(pattern: list[str], topic: list[str]) -> bool:
    if pattern[-1] == "**":
        pattern, topic = pattern[:-1], topic[: len(pattern) - 1] if len(topic) >= len(pattern) else []
        if not topic and pattern:
            return False
    return len(pattern) == len(topic) and all(one in ("*", two) for one, two in zip(pattern, topic, strict=True))


def _policies(text: str) -> None:
    """A setting of the environment: read, or a ConfigError that names the variable."""
    text = text.replace("\0", "").encode("utf-8", "ignore").decode()  # what an environment can hold
    with patch.dict(os.environ, {"TWINWIRE_RETENTION": text}):
        try:
            policies = Settings.read().log.retention
        except ConfigError as error:
            must("RETENTION" in error.detail.upper(), f"does not name the variable: {error.detail[:100]}")
            return
    for policy in policies:
        must(policy.filter.patterns, "a policy without topics")


_CLOCK: Final = ManualClock(grammar.TOKEN_NOW * 1000)
_ISSUER: Final = "https://login.example"
_RING: Final = ring(
    _CLOCK,
    entry("a"),
    {"alg": "EdDSA", "iss": "app", "public": pem("ed")},
    {"alg": ["RS256", "EdDSA"], "iss": _ISSUER, "jwks": f"{_ISSUER}/jwks"},
    audience="us",
)
_VERIFIER: Final = verifier(_RING, _CLOCK)


def _tokens(given: tuple[str, str, str | bytes]) -> None:
    """Refused with an error that shows nothing; or a caller who has what the claims say, and no more."""
    header, claims, noise = given
    _refused(noise if isinstance(noise, str) else noise.decode("latin-1"))
    for head in (header, '{"alg":"HS256","kid":"a"}'):
        token = raw(head, claims)
        _refused(token[:-4])
        _refused(f"{token.rpartition('.')[0]}.{'A' * 43}")
        if caller := _verified(token):
            _has_what_is_said(caller, json.loads(claims))


def _has_what_is_said(caller: Caller, said: dict[str, Any]) -> None:
    must(caller.expires is not None and caller.expires > _CLOCK.now, "it has ended")
    must(caller.subject == said.get("sub") and (caller.subject is None or caller.subject.isprintable()), "another name")
    must(
        (caller.rights.admin, caller.rights.metrics) == (said.get("admin", False), said.get("metrics", False)), "flags"
    )
    for grants in caller.rights[:4]:
        for pattern in grants.patterns:
            must(TopicFilter((pattern,)).patterns == (pattern,), "a grant is no filter")
    must(len(caller.rights.subscribe.patterns) <= len(said.get("subscribe", [])), "more than was said")
    msgspec.json.encode(caller.info)


def _verified(text: str) -> Caller | None:
    try:
        return _VERIFIER.verify(text)
    except InvalidTokenError as error:
        must(error.detail == "the token is not valid" and error.field is None, "its bearer is told why")
    except UnavailableError as error:
        must(error.retry_after == 5, "it is not told when to come back")
    return None


def _refused(text: str) -> None:
    must(_verified(text) is None, "a token that nobody signed")


def _briefs(text: str) -> None:
    """A brief that is read says itself again; one that is refused says where."""
    try:
        brief = parse_brief(text)
    except TwinwireError as error:
        must(error.status == 422 and error.detail, f"{error!r} is {error.status}")
        json.dumps(error.detail).encode("utf-8")
        return
    must(parse_brief(str(brief)) == brief, "a brief reads as another")
