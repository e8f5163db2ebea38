"""Questions for tests: how they are asked, and one that has ended."""

from typing import Any

from service.apps.projects.questions.models import Asked, Question


def asked(key: str = "k", **more: Any) -> Asked:
    """A question of a command that may be answered with yes or no for a minute."""
    values: dict[str, Any] = {"question": "Deploy?", "choices": ("yes", "no"), "timeout": 60.0, "default": None}
    return Asked(key, **{**values, **more})


def closed_question(asked: Asked, answer: str | None, **more: Any) -> Question:
    """What somebody has answered."""
    values: dict[str, Any] = {
        "id": "q",
        "project": "p",
        "run": asked.run,
        "question": asked.question,
        "choices": asked.choices,
        "default": asked.default,
        "agent": asked.agent,
        "author": asked.author,
        "asked": "2026-11-23T05:50:09.000Z",
        "deadline": "2026-11-23T05:51:09.000Z",
        "how": "person",
        "answer": answer,
        "by": "ada",
        "answered": "2026-11-23T05:50:19.000Z",
    }
    return Question(**{**values, **more})
