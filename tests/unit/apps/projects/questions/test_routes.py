"""docs/protocol.md, section 6: the resources of questions, on a real log and bus, without a server around them."""

import asyncio
from typing import Any, Final

import pytest

from service.access.gate import Gate
from service.apps.projects.questions.limits import BODY_MAX
from service.apps.projects.questions.routes import questions_blueprint
from service.apps.projects.service import ProjectService
from tests.support.access import Known, Visitor, caller_of, gate_with
from tests.support.asking import client_of
from tests.support.projects import BRIEF, DEADLINE, Plain, World

ASKED: Final[dict[str, Any]] = {"key": "k", "question": "Deploy?", "choices": ["yes", "no"], "timeout": 60}


@pytest.fixture
async def service(world: World) -> ProjectService:
    return await world.service([Plain()])


@pytest.fixture
async def at(service: ProjectService) -> str:
    return f"/api/projects/{(await service.create('P', BRIEF)).id}/questions"


def bearer(token: str) -> Visitor:
    return Visitor(authorization=f"Bearer {token}")


async def test_ask_look_answer_and_too_late(service: ProjectService, at: str) -> None:
    client = client_of(questions_blueprint(service.questions), gate_with())
    asked = await client.post(at, json=ASKED | {"default": "no"})
    question = await asked.get_json()
    assert (asked.status_code, asked.headers["Location"]) == (201, f"{at}/{question['id']}")
    assert (question["question"], question["choices"], question["how"]) == ("Deploy?", ["yes", "no"], None)
    again = await client.post(at, json=ASKED | {"question": "Something else?"})
    assert (again.status_code, (await again.get_json())["id"]) == (200, question["id"])
    given = await client.post(f"{at}/{question['id']}/answer", json={"answer": "yes"})
    answered = await given.get_json()
    assert (given.status_code, answered["how"], answered["answer"]) == (200, "person", "yes")
    for late in (
        await client.post(f"{at}/{question['id']}/answer", json={"answer": "no"}),
        await client.delete(f"{at}/{question['id']}"),
    ):
        assert (late.status_code, (await late.get_json())["detail"]) == (409, "somebody has answered 'yes'")
    listed = await (await client.get(at)).get_json()
    assert listed["questions"] == [answered]
    assert listed["cursor"]
    assert await (await client.get(f"{at}/{question['id']}?wait=30")).get_json() == answered


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({}, 422, "key"),
        (ASKED | {"timeout": "1"}, 422, "timeout"),
        (ASKED | {"timeout": True}, 422, "timeout"),
        (ASKED | {"timeout": 0}, 422, "timeout"),
        (ASKED | {"run": 0}, 422, "run"),
        (ASKED | {"run": 9}, 422, "run"),
        (ASKED | {"colour": "red"}, 422, "colour"),
        (ASKED | {"choices": ["yes", 1]}, 422, "choices.1"),
        (ASKED | {"choices": []}, 422, "choices"),
        (ASKED | {"default": "perhaps"}, 422, "default"),
        ([], 422, None),
    ],
)
async def test_what_is_no_question_is_422(
    service: ProjectService, at: str, sent: Any, status: int, field: str | None
) -> None:
    client = client_of(questions_blueprint(service.questions), gate_with())
    response = await client.post(at, json=sent)
    problem = await response.get_json()
    assert (response.status_code, problem.get("field")) == (status, field), problem
    assert (await (await client.get(at)).get_json())["questions"] == []


async def test_other_things_that_are_refused(service: ProjectService, at: str) -> None:
    client = client_of(questions_blueprint(service.questions), gate_with())
    id = (await (await client.post(at, json=ASKED)).get_json())["id"]
    json = {"Content-Type": "application/json"}
    assert (await client.post(at, data=b"{", headers=json)).status_code == 400
    assert (await client.post(at, data=b" " * (BODY_MAX + 1), headers=json)).status_code == 413
    assert (await client.post(at, data=b"{}")).status_code == 415
    for query, field in (("wait=31", "wait"), ("wait=x", "wait"), ("wait=nan", "wait"), ("until=1", "until")):
        response = await client.get(f"{at}/{id}?{query}")
        assert (response.status_code, (await response.get_json())["field"]) == (422, field)
    response = await client.post(f"{at}/{id}/answer", json={"answer": "perhaps"})
    assert (response.status_code, (await response.get_json())["field"]) == (422, "answer")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "?wait=1"), ("POST", "/answer")):
        response = await client.open(f"{at}/nothing{path}", method=method, json={"answer": "yes"})
        assert response.status_code == 404
    for method, path in (("GET", ""), ("POST", "")):
        response = await client.open(f"/api/projects/nobody/questions{path}", method=method, json=ASKED)
        assert response.status_code == 404


async def test_a_wait_has_a_place_and_ends_with_the_question_its_time_or_the_service(
    service: ProjectService, at: str
) -> None:
    door = gate_with(max_places=1)
    client = client_of(questions_blueprint(service.questions), door)
    first = (await (await client.post(at, json=ASKED)).get_json())["id"]
    assert (await (await client.get(f"{at}/{first}?wait=0.01")).get_json())["how"] is None
    waiting = asyncio.create_task(client.get(f"{at}/{first}?wait=30"))
    await placed(door)
    refused = await client.get(f"{at}/{first}?wait=30")
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    await client.post(f"{at}/{first}/answer", json={"answer": "no"})
    async with asyncio.timeout(DEADLINE):
        assert (await (await waiting).get_json())["answer"] == "no"
    assert door.places == 0
    second = (await (await client.post(at, json=ASKED | {"key": "second"})).get_json())["id"]
    waiting = asyncio.create_task(client.get(f"{at}/{second}?wait=30"))
    await placed(door)
    door.drain.begin()
    async with asyncio.timeout(DEADLINE):
        assert (await (await waiting).get_json())["how"] is None
    assert door.places == 0


async def placed(door: Gate) -> None:
    """Somebody waits."""
    async with asyncio.timeout(DEADLINE):
        while not any(lease.told for lease in door._waiting):
            await asyncio.sleep(0)


async def test_who_may_publish_asks_and_answers_and_is_named_and_who_may_read_looks(
    service: ProjectService, at: str
) -> None:
    topic = at.removeprefix("/api/").removesuffix("/questions")
    readers = Known(
        ada=caller_of("ada", topic, publish=(topic,)),
        eve=caller_of("eve", topic),
        bob=caller_of("bob", publish=(topic,)),
    )
    door = gate_with(readers)
    routes = questions_blueprint(service.questions)
    ada, eve, bob = (client_of(routes, door, bearer(name)) for name in ("ada", "eve", "bob"))
    assert (await eve.post(at, json=ASKED)).status_code == 403
    question = await (await bob.post(at, json=ASKED)).get_json()
    assert question["author"] == "bob"
    one = f"{at}/{question['id']}"
    assert (await bob.get(one)).status_code == 403
    assert (await bob.get(at)).status_code == 403
    assert (await eve.post(f"{one}/answer", json={"answer": "yes"})).status_code == 403
    assert (await eve.delete(one)).status_code == 403
    waiting = asyncio.create_task(eve.get(f"{one}?wait=30"))
    await placed(door)
    assert (await (await ada.post(f"{one}/answer", json={"answer": "yes"})).get_json())["by"] == "ada"
    async with asyncio.timeout(DEADLINE):
        assert (await (await waiting).get_json())["by"] == "ada"
    late = await bob.post(f"{one}/answer", json={"answer": "no"})
    assert (await late.get_json())["detail"] == "'ada' has answered 'yes'"
