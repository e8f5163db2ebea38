"""docs/protocol.md, section 6: the resources of runs, on a real log and bus."""

import asyncio
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from service.access.caller import Caller, TokenId
from service.access.rights import Grants, Rights
from service.access.spending import Spending
from service.apps.projects.models import Run
from service.apps.projects.routes import projects_blueprint
from service.apps.projects.runs.limits import ITEMS_MAX, REPORT_MAX
from service.core.rates import Rate, Rates
from tests.support.access import Visitor, gate_with
from tests.support.asking import client_of
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, Plain, World

PROJECT = {"name": "ci", "brief": None}


@pytest.fixture
async def client(world: World) -> Client:
    return client_of(projects_blueprint(await world.service([Plain("a")])), gate_with())


async def begin(client: Client, **more: Any) -> tuple[str, Any]:
    """The path of a new command's run, and the answer."""
    project = await (await client.post("/api/projects", json=PROJECT)).get_json()
    response = await client.post(f"/api/projects/{project['id']}/runs", json={"key": "k", "command": "make", **more})
    assert response.status_code == 201
    return response.headers["Location"], await response.get_json()


async def test_6_a_command_is_begun_reported_and_shown(client: Client) -> None:
    path, begun = await begin(client, host="h", stages=["build"])
    assert set(begun) == {*Run.model_fields, "limits", "reported"}
    assert (begun["limits"], begun["reported"]) == ({"bytes": 8 << 20, "items": ITEMS_MAX, "body": REPORT_MAX}, 0)
    items = [{"stage": "build"}, {"output": "<b>grün</b>\n"}, {"end": {"exit": 2}}]
    response = await client.post(f"{path}/reports", json={"from": 1, "items": items})
    assert (response.status_code, await response.get_json()) == (200, {"reported": 3, "cancel": False})
    run = await (await client.get(path)).get_json()
    assert (run["status"], run["exit"], run["stages"][0]["status"], run["lines"]) == ("failed", 2, "failed", 1)
    again = await client.post(path.rpartition("/")[0], json={"key": "k", "command": "make"})
    assert (again.status_code, (await again.get_json())["reported"]) == (200, 3)


async def test_6_a_gap_tells_where_to_go_on(client: Client) -> None:
    path, _ = await begin(client)
    response = await client.post(f"{path}/reports", json={"from": 2, "items": [{"alive": True}]})
    problem = await response.get_json()
    assert (response.status_code, problem["reported"], problem["field"]) == (409, 0, "from")


async def test_6_the_log_is_text_that_does_nothing(client: Client) -> None:
    path, _ = await begin(client)
    await client.post(f"{path}/reports", json={"from": 1, "items": [{"output_base64": "PGI+/w=="}]})
    response = await client.get(f"{path}/log")
    assert await response.get_data(as_text=False) == b"<b>\xff"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (await client.get(f"{path}/log?stage=x")).status_code == 404
    assert (await client.get(f"{path}/log?stages=x")).status_code == 422


async def test_6_runs_are_listed_newest_first(client: Client) -> None:
    path, _ = await begin(client)
    runs = path.rpartition("/")[0]
    for number in range(2, 5):
        await client.post(runs, json={"key": f"k{number}", "command": "make"})
    page = await (await client.get(f"{runs}?limit=2")).get_json()
    assert ([run["number"] for run in page["runs"]], page["more"]) == ([4, 3], True)
    page = await (await client.get(f"{runs}?limit=2&before=3")).get_json()
    assert ([run["number"] for run in page["runs"]], page["more"]) == ([2, 1], False)
    assert (await client.get(f"{runs}?limit=0")).status_code == 422
    assert (await client.get(f"{runs}/9")).status_code == 404


async def test_6_a_project_is_made_once_however_many_ask_for_it(client: Client) -> None:
    wanted = {**PROJECT, "once": True}
    answers = await asyncio.gather(*(client.post("/api/projects", json=wanted) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({(await answer.get_json())["id"] for answer in answers}) == 1
    project = await answers[0].get_json()
    assert (project["brief"], project["status"]) == (None, "idle")
    assert (await (await client.get(f"/api/projects/{project['id']}")).get_json())["stages"] == []
    assert (await client.post(f"/api/projects/{project['id']}/generate")).status_code == 409
    refused = await client.post("/api/projects", json={**wanted, "brief": "a: b text"})
    assert (refused.status_code, (await refused.get_json())["field"]) == (422, "brief")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"from": 1, "items": [{"stage": ""}]}, 422, "items.0.stage"),
        ({"from": 1, "items": [{"output": "a", "alive": True}]}, 422, "items.0"),
        ({"items": [{"alive": True}]}, 422, "from"),
    ],
)
async def test_6_what_is_wrong_with_a_report_is_named(client: Client, body: Any, status: int, field: str) -> None:
    path, _ = await begin(client)
    response = await client.post(f"{path}/reports", json=body)
    assert (response.status_code, (await response.get_json())["field"]) == (status, field)


async def test_6_what_is_searched_for_and_which_lines_are_asked_for(client: Client) -> None:
    path, _ = await begin(client)
    items = [{"stage": "a"}, {"output": "one\nTwo\n"}, {"stage": "b"}, {"output": "two\n"}]
    await client.post(f"{path}/reports", json={"from": 1, "items": items})
    found = await (await client.get(f"{path}/lines?search=TWO&limit=1")).get_json()
    assert ([line["text"] for line in found["lines"]], found["next"], found["more"]) == (["Two"], 2, True)
    found = await (await client.get(f"{path}/lines?search=TWO&after=2&stage=b")).get_json()
    assert [(line["line"], line["stage"]) for line in found["lines"]] == [(3, "b")]
    for query, field in (
        ("after=-1", "after"),
        ("search=" + "x" * 201, "search"),
        ("search=%0A", "search"),
        ("from=1", "from"),
    ):
        refused = await client.get(f"{path}/lines?{query}")
        assert (refused.status_code, (await refused.get_json())["field"]) == (422, field)
    assert (await client.get(f"{path}/lines?stage=c")).status_code == 404


async def test_6_a_command_is_cancelled_and_a_generation_tried_again(client: Client, world: World) -> None:
    path, _ = await begin(client)
    assert (await client.post(f"{path}/cancel")).status_code == 202
    answer = await client.post(f"{path}/reports", json={"from": 1, "items": [{"end": {"exit": 1}}]})
    assert await answer.get_json() == {"reported": 1, "cancel": False}
    assert (await (await client.get(path)).get_json())["status"] == "cancelled"
    project = await (await client.post("/api/projects", json={"name": "P", "brief": BRIEF})).get_json()
    path = f"/api/projects/{project['id']}"
    run = await (await client.post(f"{path}/generate")).get_json()
    await world.completion(run["id"])
    files = await (await client.get(f"{path}/runs/1/files")).get_json()
    assert files == {"files": [{"path": "a.txt", "size": 5, "action": "created"}]}
    assert await (await client.get(f"{path}/runs/1/files/a.txt")).get_data(as_text=True) == "by a\n"
    again = await client.post(f"{path}/runs/1/retry", json={"stage": 1})
    assert (again.status_code, (await again.get_json())["number"]) == (202, 2)
    refused = await client.post(f"{path}/runs/1/retry", json={"stage": 0})
    assert (refused.status_code, (await refused.get_json())["field"]) == (422, "stage")


async def test_who_may_publish_to_it_finds_a_project_and_makes_none(world: World) -> None:
    service = await world.service([Plain("a")])
    theirs, mine = [(await service.create("ci", None)).id for _ in range(2)]
    newest = await service.create("ci", None)
    rights = Rights(publish=Grants([f"projects/{theirs}", f"projects/{mine}"]))
    client = client_of(
        projects_blueprint(service), gate_with(), Visitor(decided=Caller("ada", rights, token=TokenId()))
    )
    found = await client.post("/api/projects", json={**PROJECT, "once": True})
    assert (found.status_code, (await found.get_json())["id"]) == (200, mine)
    assert (await client.post("/api/projects", json={"name": "other", "brief": None, "once": True})).status_code == 403
    assert (await client.post("/api/projects", json=PROJECT)).status_code == 403
    run = await client.post(f"/api/projects/{mine}/runs", json={"key": "k", "command": "make"})
    assert (run.status_code, (await run.get_json())["author"]) == (201, "ada")
    for path in (f"{newest.id}/runs", f"{mine}/runs/1"):
        assert (await client.get(f"/api/projects/{path}")).status_code == 403, "he may not read"


async def test_a_report_costs_its_events_but_one_for_each_item_at_most(world: World) -> None:
    clock = ManualClock()
    rates = Rates(publishes=Rate(1, 6))
    door = gate_with(spending=Spending(clock, Rates(), rates), clock=clock)
    client = client_of(projects_blueprint(await world.service([Plain("a")])), door)
    path, _ = await begin(client)  # two events, and two for the project
    long = {"output": "x" * 60_000}
    assert (await client.post(f"{path}/reports", json={"from": 1, "items": [long]})).status_code == 200
    waits = await client.post(f"{path}/reports", json={"from": 2, "items": [long, long]})
    assert (waits.status_code, waits.headers["Retry-After"]) == (429, "1")
    too_much = await client.post(f"{path}/reports", json={"from": 2, "items": [long] * 7})
    assert (too_much.status_code, "field" in await too_much.get_json()) == (413, False)
    clock.advance(1)
    assert (await client.post(f"{path}/reports", json={"from": 2, "items": [long, long]})).status_code == 200
