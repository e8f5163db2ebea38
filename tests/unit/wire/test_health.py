"""Health: an answer whatever else goes on, and who gets none."""

from service.wire.health import HealthWire
from tests.support.stream_fixtures import House
from tests.support.wires import call


async def test_it_is_answered_also_while_the_service_goes_away(house: House) -> None:
    wire = HealthWire(house.gate)
    house.drain.begin()
    answer = await call(wire, "GET", "/api/health")
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    assert answer.headers["cache-control"] == "no-store"
    head = await call(wire, "HEAD", "/api/health")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "15")


async def test_a_page_of_an_allowed_origin_may_read_it_and_another_may_not(house: House) -> None:
    wire = HealthWire(house.gate)
    answer = await call(wire, "GET", "/api/health", headers={"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    (await call(wire, "GET", "/api/health", headers=foreign)).problem(403, "Sec-Fetch-Site")
