"""Every error of the Quart part as an RFC 9457 problem."""

import structlog
from quart import Quart, Response
from werkzeug.exceptions import HTTPException

from service.core.errors import TwinwireError, unforeseen
from service.wire.problems import MEDIA_TYPE, problem_response

logger = structlog.get_logger(__name__)


def install(app: Quart) -> None:
    app.register_error_handler(TwinwireError, respond)
    app.register_error_handler(HTTPException, respond_to_werkzeug)
    app.register_error_handler(Exception, _unexpected)


async def respond(error: TwinwireError) -> Response:
    status, headers, body = problem_response(error)
    response = Response(body, status, content_type=MEDIA_TYPE)
    for name, value in headers:
        response.headers[name.decode()] = value.decode()
    return response


async def respond_to_werkzeug(error: HTTPException) -> Response:
    code = error.code or 500
    response = await respond(TwinwireError(error.description or error.name, status=code, title=error.name))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


async def _unexpected(error: Exception) -> Response:
    logger.error("request_failed", exc_info=error)
    return await respond(unforeseen())
