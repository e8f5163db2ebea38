"""Events about subjects, and what a client makes of them."""

from typing import Any

from tests.support.http import request


async def publish(url: str, *drafts: dict[str, Any]) -> list[str]:
    answer = await request(url, "POST", "/api/events", json_body=list(drafts))
    assert answer.status == 201, answer.text
    return list(answer.json()["ids"])


def about(topic: str, subject: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "type": "log", "data": data, "subject": subject, **more}


def fold(value: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of events, by topic and subject."""
    for event in events:
        key = f"{event['topic']} {event['subject']}"
        if event.get("append"):
            value[key] = value.get(key, "") + event["data"]
        elif event["data"] is None:
            value.pop(key, None)
        else:
            value[key] = event["data"]
    return value
