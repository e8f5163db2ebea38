"""The questions' part of the OpenAPI document."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from service.apps.projects.questions.limits import (
    CHOICE_MAX,
    CHOICES_MAX,
    KEY_MAX,
    TEXT_MAX,
    TIMEOUT_MAX,
    TIMEOUT_MIN,
    WAIT_MAX,
)
from service.apps.projects.questions.models import Question, QuestionList
from service.openapi import (
    JSON,
    STRING,
    WRITING,
    Schema,
    answer,
    array,
    nullable,
    operation,
    path,
    query,
    record,
    ref,
    use,
)

_TAG: Final = "projects"
_CHANGING: Final = (404, 409, 429)


def describe_questions() -> dict[str, Any]:
    """Paths; `ids` of a project are a parameter of the projects' own part."""
    whole = ref("Question")
    ids, question = use("project"), path("question", "A question's id.")
    number: Schema = {"type": "number", "minimum": 0, "maximum": WAIT_MAX}
    wait = query("wait", "Seconds for which to wait for its end.", number)
    asked = answer("Asked.", whole)
    asked["headers"] = {"Location": {"description": "The question.", "schema": STRING}}
    known = answer("It was asked with this key before, and this has become of it.", whole)
    listed = {200: answer("Newest first.", ref("QuestionList"))}
    body, given = {JSON: {"schema": ref("NewQuestion")}}, {JSON: {"schema": ref("GivenAnswer")}}
    writing = (*WRITING, *_CHANGING)
    one = "/api/projects/{id}/questions/{question}"
    return {
        "/api/projects/{id}/questions": {
            "get": operation(_TAG, "listQuestions", "Its questions", listed, problems=(404, 422), parameters=ids),
            "post": operation(
                _TAG, "ask", "Ask people", {201: asked, 200: known}, problems=writing, parameters=ids, body=body
            ),
        },
        one: {
            "get": operation(
                _TAG,
                "showQuestion",
                "What became of a question, now or in a while",
                {200: answer("As it is.", whole)},
                problems=(404, 422, 429, 503),
                parameters=[*ids, question, wait],
            ),
            "delete": operation(
                _TAG,
                "withdrawQuestion",
                "Withdraw a question",
                {204: answer("Withdrawn.")},
                problems=(*_CHANGING, 503),
                parameters=[*ids, question],
            ),
        },
        f"{one}/answer": {
            "post": operation(
                _TAG,
                "answerQuestion",
                "Answer: the first answer counts",
                {200: answer("This answer counts.", whole)},
                problems=writing,
                parameters=[*ids, question],
                body=given,
            )
        },
    }


def question_schemas() -> dict[str, Schema]:
    """Of what is answered, from the models themselves."""
    _, found = models_json_schema(
        [(Question, "serialization"), (QuestionList, "serialization")], ref_template="#/components/schemas/{model}"
    )
    text, number = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}
    choice = {**text, "maxLength": CHOICE_MAX}
    optional = ("choices", "default", "run")
    asked = record(
        {
            "key": {**text, "maxLength": KEY_MAX},
            "question": {**text, "maxLength": TEXT_MAX},
            "timeout": {"type": "number", "minimum": TIMEOUT_MIN, "maximum": TIMEOUT_MAX},
            "choices": nullable(array(choice, minItems=1, maxItems=CHOICES_MAX, uniqueItems=True)),
            "default": nullable({**text, "maxLength": TEXT_MAX}),
            "run": nullable(number),
        },
        optional,
        additionalProperties=False,
    )
    given = record({"answer": {**text, "maxLength": TEXT_MAX}}, additionalProperties=False)
    definitions: dict[str, Schema] = found["$defs"]
    return definitions | {"NewQuestion": asked, "GivenAnswer": given}
