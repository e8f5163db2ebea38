"""The tree of errors: drawn in the docstring, and equal to the real one."""

import re

import pytest

from service.core import errors
from service.core.errors import InvalidError, TwinwireError

LINE = re.compile(r"^    (?P<indent>[ │├└─]*)(?P<name>\w+Error)\s+(?P<status>\d{3})(?:  (?P<code>\d{4}))?(?P<rest>.*)$")
HTTP_STATUSES = {400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 421, 426, 429, 500, 501, 503}
CLOSE_CODES = {1008, 1009, 1011, 1012, 1013}


def real_tree() -> dict[str, type[TwinwireError]]:
    return {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, TwinwireError)
    }


def drawn_tree() -> list[tuple[str, str | None, re.Match[str]]]:
    """Each class of the drawing with its parent's name."""
    found: list[tuple[str, str | None, re.Match[str]]] = []
    path: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["indent"]) // 4
            path[depth] = match["name"]
            found.append((match["name"], path.get(depth - 1) if depth else None, match))
    return found


def test_the_drawing_is_the_real_tree() -> None:
    drawn = {name: parent for name, parent, _ in drawn_tree()}
    real = {name: kind.__base__.__name__ for name, kind in real_tree().items() if kind.__base__ is not None}
    assert drawn == {**real, "TwinwireError": None}


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, _, line in drawn_tree()])
def test_the_drawing_tells_statuses_codes_and_retries(name: str, line: re.Match[str]) -> None:
    kind = real_tree()[name]
    assert kind.status == int(line["status"])
    assert line["code"] is None or kind.close_code == int(line["code"])
    assert (kind.retry_after is not None) == ("retry" in line["rest"].split())


@pytest.mark.parametrize("kind", real_tree().values())
def test_every_error_knows_what_to_tell(kind: type[TwinwireError]) -> None:
    error = kind("why", field="2.topic", line=7)
    assert error.status in HTTP_STATUSES
    assert error.close_code in CLOSE_CODES
    assert error.title
    assert (str(error), error.detail, error.field, error.line) == ("why", "why", "2.topic", 7)
    assert error.retry_after is None or error.retry_after > 0


def test_titles_tell_the_classes_apart() -> None:
    titles = {kind.title for kind in real_tree().values()}
    assert len(titles) >= len(real_tree()) - 1, "a MigrationError is a StorageError to those who read titles"


def test_what_one_error_tells_is_its_own() -> None:
    error = errors.DrainingError("restarting", retry_after=1.5, status=504, title="Away")
    assert (error.retry_after, error.status, error.title) == (1.5, 504, "Away")
    plain = errors.DrainingError("restarting")
    assert (plain.retry_after, plain.status, plain.title) == (5.0, 503, "Restarting")
    assert errors.MethodError("use POST", allow="POST", field="method").allow == "POST"
    assert errors.MethodError("use GET").allow == "GET, HEAD"


@pytest.mark.parametrize("kind", real_tree().values())
def test_an_error_elsewhere_is_another_one(kind: type[TwinwireError]) -> None:
    error = kind("why", field="topic", retry_after=1.5)
    found = error.at("2.", 7)
    assert type(found) is kind
    assert (found.detail, found.field, found.line, found.retry_after) == ("why", "2.topic", 7, 1.5)
    assert (error.field, error.line) == ("topic", None)
    assert kind("why").at("2.").field == "2", "the whole of it, if it names no field"
    assert kind("why").at("").field is None


def test_an_error_elsewhere_keeps_what_is_its_own() -> None:
    assert errors.MethodError("use POST", allow="POST").at("2.").allow == "POST"
    assert errors.InvalidError("why", line=3).at("2.").line is None, "the line is the place's, not the error's"


def test_a_token_that_is_not_valid_tells_its_bearer_no_more() -> None:
    error = errors.InvalidTokenError(reason="expired", why="it ended")
    assert (str(error), error.detail) == ("the token is not valid", "the token is not valid")
    again = error.again()
    assert (again.reason, again.why, again.detail) == ("expired", "it ended", error.detail)


def test_a_bad_cursor_or_value_is_never_a_fault_of_the_server() -> None:
    assert all(kind.status < 500 for kind in real_tree().values() if issubclass(kind, InvalidError))
