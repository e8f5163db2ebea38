"""The words of the OpenAPI document."""

import re

from service.openapi import COUNT, STRING, answer, array, nullable, operation, path, query, record, ref, use, whole


def test_all_members_of_a_record_are_required_but_the_optional_ones() -> None:
    found = record({"a": STRING, "b": COUNT}, optional=("b",), additionalProperties=False)
    assert (found["required"], found["additionalProperties"]) == (["a"], False)


def test_an_operation_lists_answers_and_problems_by_status() -> None:
    found = operation("tag", "id", "Does it", {200: answer("Yes.", STRING)}, problems=(404,), parameters=use("topic"))
    assert list(found["responses"]) == ["200", "404"]
    assert found["responses"]["404"] == {"$ref": "#/components/responses/Problem404"}
    assert found["parameters"] == [{"$ref": "#/components/parameters/topic"}]
    assert "requestBody" not in found
    assert operation("tag", "id", "Does it", {}, body={"text/plain": {}})["requestBody"]["required"]


def test_the_small_ones() -> None:
    assert array(ref("Topic"), maxItems=3) == {"type": "array", "items": ref("Topic"), "maxItems": 3}
    assert nullable(STRING)["anyOf"][1] == {"type": "null"}
    assert query("q", "text", STRING)["in"] == "query"
    assert path("id", "text")["required"] is True
    assert "content" not in answer("Nothing.")


def test_a_whole_pattern_takes_no_part_of_a_text() -> None:
    pattern = whole("a|b")
    assert re.search(pattern, "a")
    assert not re.search(pattern, "ax")
