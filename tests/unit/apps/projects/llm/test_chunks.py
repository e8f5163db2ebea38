"""What endpoints say: chunks, with more or less in them, and errors in their own words."""

import pytest

from service.apps.projects.llm.chunks import read_chunk, words_of, words_of_body
from service.apps.projects.llm.hiding import Hiding


def test_what_is_not_known_is_passed_over_and_nothing_has_to_be_there() -> None:
    assert read_chunk('{"id": 1, "choices": null, "usage": null}').choices is None
    (choice,) = read_chunk('{"choices": [{"delta": null, "logprobs": {}}]}').choices or []
    assert (choice.delta, choice.finish_reason) == (None, None)


@pytest.mark.parametrize(
    "data", ["[]", "{", '{"choices": {}}', '{"choices": [{"delta": {"content": 1}}]}', "[" * 9_999]
)
def test_what_is_of_another_kind_is_none(data: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_chunk(data)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ('{"total_tokens": 7, "prompt_tokens": 1}', 7),
        ('{"prompt_tokens": 3, "completion_tokens": 2}', 5),
        ('{"total_tokens": -7}', 0),
        ('{"total_tokens": 9223372036854775808}', 10**12),
        ('{"prompt_tokens": 3}', None),
    ],
)
def test_tokens_as_they_are_told(usage: str, tokens: int | None) -> None:
    told = read_chunk(f'{{"usage": {usage}}}').usage
    assert told is not None
    assert told.tokens == tokens


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no\\n  such\\u0007 model", "code": 1}}', "no such model"),
        (b'{"error": "out of memory"}', "out of memory"),
        (b'{"detail": [{"loc": 1}], "message": "bad"}', "bad"),
        (b'{"error": {"code": 1}}', ""),
        (b"<html>", ""),
        (b'"' + b"x" * 400 + b'"', "x" * 299 + "…"),
    ],
)
def test_an_errors_own_words_in_a_line(body: bytes, words: str) -> None:
    assert words_of_body(body, str) == words


def test_words_of_something_else() -> None:
    assert words_of(None, str) == words_of([1], str) == ""


@pytest.mark.parametrize("before", [0, 290, 298, 1_195])
def test_a_key_is_taken_out_before_its_end_is_cut_off(before: int) -> None:
    key = "sk-0123456789"
    said = words_of({"message": "x" + " " * before + key}, Hiding(key).clean)
    assert said in ("x ****", "x****", "x")
