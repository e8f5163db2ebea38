"""The resources of a project's questions (docs/protocol.md, section 6). Asking and answering take the same right."""

import math
from typing import Final

from quart import Blueprint, Response, request, url_for

from service.apps.projects.answers import answer_value
from service.apps.projects.changes import topic_of
from service.apps.projects.questions.limits import BODY_MAX, WAIT_MAX
from service.apps.projects.questions.models import Asked, GivenAnswer, NewQuestion
from service.apps.projects.questions.service import Questions
from service.core.errors import InvalidError
from service.core.parameters import Parameters
from service.web.caller import visit
from service.web.json import nothing, read

_NONE: Final = Parameters()
_WAIT: Final = Parameters("wait")


def questions_blueprint(questions: Questions) -> Blueprint:
    """Every route below `/api/projects/{id}/questions`."""
    blueprint = Blueprint("questions", __name__, url_prefix="/api/projects/<id>/questions")

    @blueprint.post("")
    async def ask(id: str) -> Response:
        visit().check_publish(topic_of(id))
        asked = Asked.of(await read(NewQuestion, BODY_MAX), visit().caller.subject)
        with visit().spending(1):
            question, is_new = await questions.ask(id, asked)
        response = answer_value(question, 201 if is_new else 200)
        response.headers["Location"] = url_for("questions.show", id=id, question=question.id)
        return response

    @blueprint.get("")
    async def index(id: str) -> Response:
        visit().check_read(topic_of(id))
        _NONE.check(request.args)
        return answer_value(await questions.listing(id))

    @blueprint.get("/<question>")
    async def show(id: str, question: str) -> Response:
        visit().check_read(topic_of(id))
        _WAIT.check(request.args)
        wait, found = _read_wait(), await questions.get(id, question)
        if wait and found.is_open:
            async with visit().waiting(wait):
                await questions.ended(id, question)
            found = await questions.get(id, question)
        return answer_value(found)

    @blueprint.post("/<question>/answer")
    async def give(id: str, question: str) -> Response:
        visit().check_publish(topic_of(id))
        given = await read(GivenAnswer, BODY_MAX)
        with visit().spending(1):
            return answer_value(await questions.answer(id, question, given.answer, visit().caller.subject))

    @blueprint.delete("/<question>")
    async def withdraw(id: str, question: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            await questions.withdraw(id, question, visit().caller.subject)
        return nothing()

    return blueprint


def _read_wait() -> float:
    """Seconds, WAIT_MAX at most. Raises InvalidError."""
    text = request.args.get("wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= WAIT_MAX:
        raise InvalidError(f"wait is 0 to {WAIT_MAX:g} seconds", field="wait")
    return wait
