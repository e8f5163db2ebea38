"""`/api/projects/brief`: a brief for a description, and whether there is a model that proposes one."""

from typing import Final

import msgspec
from quart import Blueprint, Response

from service.apps.projects.answers import answer_value
from service.apps.projects.changes import PROJECTS_TOPIC
from service.apps.projects.limits import BODY_MAX
from service.apps.projects.llm.proposals import Proposals
from service.core.errors import UnavailableError
from service.web.caller import visit
from service.web.json import answer, read

PROPOSAL_EVENTS: Final = 2
"""Events as which a proposal counts: those of the project that it is for."""


class Prose(msgspec.Struct, forbid_unknown_fields=True):
    """What a client sends; its bounds are checked by `Proposals`."""

    text: str


def proposals_blueprint(proposals: Proposals) -> Blueprint:
    """For who may make projects."""
    blueprint = Blueprint("proposals", __name__, url_prefix="/api/projects/brief")

    @blueprint.get("")
    async def is_possible() -> Response:
        visit().check_publish(PROJECTS_TOPIC)
        return answer({"available": proposals.is_possible})

    @blueprint.post("")
    async def propose() -> Response:
        visit().check_publish(PROJECTS_TOPIC)
        description = await read(Prose, BODY_MAX)
        with visit().spending(PROPOSAL_EVENTS):
            outcome = await proposals.propose(description.text)
        if isinstance(outcome, UnavailableError):  # past the rate, which it has cost like any other
            raise outcome
        return answer_value(outcome)

    return blueprint
