"""The data of the events on `projects/{id}` (docs/protocol.md, section 6), and times."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.apps.projects.models import EVENT_MODELS

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("status_update", {"status": "running", "progress": 0, "run": "r1", "message": ""}),
    ("status_update", {"status": "idle", "progress": 100}),
    (
        "agent_update",
        {"agent": "a", "stage": 1, "stages": 12, "status": "completed", "message": "", "duration": 0.5},
    ),
    ("agent_update", {"agent": "a", "stage": 1, "stages": 12, "status": "started", "duration": None}),
    ("log", {"level": "warning", "message": "m", "agent": None, "extra": 1}),
    ("file_update", {"path": "p", "size": 0, "action": "created", "preview": ""}),
    ("completion", {"run": "r", "status": "cancelled", "duration": 1, "files": 3, "message": ""}),
]
BAD: list[tuple[str, Any]] = [
    ("status_update", {"status": "dancing", "progress": 0}),
    ("status_update", {"status": "running", "progress": 101}),
    ("status_update", {"status": "running", "progress": -1}),
    ("status_update", {"status": "running", "progress": "50"}),
    ("status_update", {"status": "running"}),
    ("agent_update", {"agent": "a", "stage": 0, "stages": 12, "status": "started"}),
    ("agent_update", {"agent": "a", "stage": 1, "stages": 12, "status": "pending"}),
    ("agent_update", {"agent": "a", "stage": 1, "stages": 1, "status": "failed", "duration": float("inf")}),
    ("log", {"level": "loud", "message": "m"}),
    ("log", {"level": "info"}),
    ("log", "text"),
    ("file_update", {"path": "p", "size": -1, "action": "created"}),
    ("file_update", {"path": "p", "size": 1, "action": "deleted"}),
    ("completion", {"run": "r", "status": "running"}),
    ("completion", None),
]


@pytest.mark.parametrize(("type", "data"), GOOD)
def test_6_data_of_the_contract_is_accepted(type: str, data: dict[str, Any]) -> None:
    assert EVENT_MODELS[type].model_validate(data).model_dump(include=set(data)) == data


@pytest.mark.parametrize(("type", "data"), BAD)
def test_6_other_data_is_refused(type: str, data: Any) -> None:
    with pytest.raises(ValidationError):
        EVENT_MODELS[type].model_validate(data)
