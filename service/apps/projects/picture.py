"""What a project's events are about: the state of its topic is a picture of the project (docs/protocol.md, section 6).

    status         the last `status_update`
    agents/NAME    the last `agent_update` of each agent that the last run has come to
    files/PATH     the last `file_update` of each file that the project has
    runs/NUMBER    the last `run_update` of each run that is kept
    questions/ID   the `question`, or its `answer`, of each that is kept
    output/NUMBER  what the stage's agent has put out, as one text that grows

What is not so any more is deleted, by an event `removed` about it, in the transaction in which it goes.
"""

import hashlib
from typing import Final

from service.apps.projects.models import AgentUpdate, EventData, FileUpdate, RunUpdate, StatusUpdate
from service.core.limits import ABOUT_MAX

STATUS: Final = "status"
_FILES: Final = "files/"
_DIGITS: Final = 16


def subject_of(event: EventData) -> str | None:
    """What it is about; None for what just happens."""
    if isinstance(event, StatusUpdate):
        return STATUS
    if isinstance(event, AgentUpdate):
        return subject_of_agent(event.agent)
    if isinstance(event, RunUpdate):
        return subject_of_run(event.number)
    return subject_of_file(event.path) if isinstance(event, FileUpdate) else None


def subject_of_agent(name: str) -> str:
    return f"agents/{name}"


def subject_of_file(path: str) -> str:
    """A path that is too long for it is cut, with a hash of all of it at its end."""
    subject = f"{_FILES}{path}"
    if len(subject) <= ABOUT_MAX:  # paths are ASCII
        return subject
    digest = hashlib.sha256(path.encode()).hexdigest()[:_DIGITS]
    return f"{subject[: ABOUT_MAX - _DIGITS - 1]}~{digest}"


def subject_of_output(stage: int) -> str:
    return f"output/{stage}"


def subject_of_run(number: int) -> str:
    return f"runs/{number}"


def subject_of_question(id: str) -> str:
    return f"questions/{id}"
