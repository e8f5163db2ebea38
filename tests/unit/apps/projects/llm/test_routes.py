"""`/api/projects/brief`: what it answers, and that it costs its caller what a project costs."""

from collections.abc import AsyncIterator

import pytest
from quart.typing import TestClientProtocol as Client

from service.access.spending import Spending
from service.apps.projects.llm.proposals import Proposals
from service.apps.projects.llm.routes import proposals_blueprint
from service.core.rates import Rate, Rates
from tests.support import standin as manners
from tests.support.access import gate_with
from tests.support.asking import client_of
from tests.support.clock import ManualClock
from tests.support.models import model_of
from tests.support.standin import StandIn, well

PATH = "/api/projects/brief"
PROSE = {"text": "We lend tools to neighbours."}


@pytest.fixture
async def standin() -> AsyncIterator[StandIn]:
    async with StandIn.open() as standin:
        yield standin


@pytest.fixture
async def client(standin: StandIn) -> AsyncIterator[Client]:
    async with model_of(standin) as model:
        yield asking(Proposals(model))


def asking(proposals: Proposals, rates: Rates | None = None) -> Client:
    clock = ManualClock()
    door = gate_with(spending=Spending(clock, Rates(), rates or Rates()), clock=clock)
    return client_of(proposals_blueprint(proposals), door)


async def test_prose_becomes_a_brief(client: Client) -> None:
    assert await (await client.get(PATH)).get_json() == {"available": True}
    answer = await client.post(PATH, json=PROSE)
    assert answer.status_code == 200
    assert await answer.get_json() == {"brief": "tools: name text, deposit float", "explanation": "Tools, as you said."}


async def test_without_a_model_it_says_so() -> None:
    client = asking(Proposals(None))
    assert await (await client.get(PATH)).get_json() == {"available": False}
    answer = await client.post(PATH, json=PROSE)
    assert (answer.status_code, answer.content_type) == (501, "application/problem+json")


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [({"text": " "}, 422, "text"), ({"text": 1}, 422, "text"), ({}, 422, "text"), ([], 422, None)],
)
async def test_what_is_no_description_is_refused(client: Client, sent: object, status: int, field: str | None) -> None:
    answer = await client.post(PATH, json=sent)
    assert (answer.status_code, (await answer.get_json()).get("field")) == (status, field)


async def test_it_costs_its_caller_also_in_vain_but_not_what_was_refused(standin: StandIn) -> None:
    async with model_of(standin) as model:
        client = asking(Proposals(model), Rates(publishes=Rate(1, 4)))
        standin.then(manners.refuses_the_key)
        statuses = [(await client.post(PATH, json=sent)).status_code for sent in ({"text": ""}, PROSE)]
        standin.then(well)
        statuses += [(await client.post(PATH, json=PROSE)).status_code for _ in range(2)]
    assert statuses == [422, 503, 200, 429]
