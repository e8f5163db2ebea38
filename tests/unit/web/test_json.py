"""JSON in and out of Quart's resources."""

import msgspec
import pytest
from quart import Quart, Response

from service.web import problems
from service.web.json import answer, read


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    n: int


@pytest.fixture
def app() -> Quart:
    app = Quart("test")
    problems.install(app)

    @app.post("/")
    async def echo() -> Response:
        return answer({"n": (await read(Wish, limit=20)).n, "text": "é"}, 201)

    return app


async def test_what_was_read_is_answered_and_kept_by_nobody(app: Quart) -> None:
    response = await app.test_client().post("/", data=b'{"n":1}', headers={"Content-Type": "application/json"})
    assert (response.status_code, await response.get_data()) == (201, '{"n":1,"text":"é"}'.encode())
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "media_type", "status", "field"),
    [
        (b'{"n":1}', "text/plain", 415, "Content-Type"),
        (b'{"n":' + b"1" * 15 + b"}", "application/json", 413, None),
        (b'{"n":', "application/json", 400, None),
        (b"\xff", "application/json", 400, None),
        (b'{"n":"1"}', "application/json", 422, "n"),
        (b'{"m":1}', "application/json", 422, "m"),
    ],
)
async def test_what_is_wrong_is_told_with_its_field(
    app: Quart, body: bytes, media_type: str, status: int, field: str | None
) -> None:
    response = await app.test_client().post("/", data=body, headers={"Content-Type": media_type})
    assert response.status_code == status
    assert (await response.get_json()).get("field") == field


async def test_the_bound_itself_is_taken(app: Quart) -> None:
    body = b'{"n":' + b"1" * 14 + b"}"
    response = await app.test_client().post("/", data=body, headers={"Content-Type": "application/json"})
    assert (len(body), response.status_code) == (20, 201)
