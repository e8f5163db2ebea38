"""Its part of the OpenAPI document."""

from typing import Any, Final

from service.apps.projects.llm.proposals import PROSE_MAX
from service.openapi import JSON, STRING, Schema, answer, operation, record, ref

SCHEMAS: Final[dict[str, Schema]] = {
    "Prose": record({"text": {"type": "string", "minLength": 1, "maxLength": PROSE_MAX}}),
    "Proposal": record({"brief": STRING, "explanation": STRING}),
    "ProposalsAvailable": record({"available": {"type": "boolean"}}),
}


def proposal_paths(tag: str) -> dict[str, Any]:
    """The routes."""
    available = {200: answer("Whether there is a model.", ref("ProposalsAvailable"))}
    proposed = {200: answer("A brief that can be read, to be confirmed by a person.", ref("Proposal"))}
    body = {JSON: {"schema": ref("Prose")}}
    problems = (400, 413, 415, 422, 429, 501, 503)
    return {
        "/api/projects/brief": {
            "get": operation(tag, "canProposeBrief", "Whether a brief can be proposed", available, problems=()),
            "post": operation(tag, "proposeBrief", "A brief from prose", proposed, problems=problems, body=body),
        }
    }
