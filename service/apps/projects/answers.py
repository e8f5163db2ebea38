"""How this application's resources answer with a value, and with text that is not its own."""

from collections.abc import AsyncIterator

from pydantic import BaseModel
from quart import Response

from service.web.json import answer_text, fresh


def answer_value(value: BaseModel, status: int = 200) -> Response:
    """As JSON."""
    return answer_text(value.model_dump_json(), status)


def as_text(text: bytes | AsyncIterator[bytes]) -> Response:
    """Plain text whatever it holds: what a command or an agent wrote must not run as a page of this origin."""
    response = Response(text, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return fresh(response)
