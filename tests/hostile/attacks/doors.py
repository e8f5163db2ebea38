"""Who may come in: names, origins, what is said back. One connection each: it is the answer that counts."""

from typing import Final

from tests.hostile.attack import Attacker, attack, handshake

EVENT: Final = b'{"topic":"a","type":"log","data":1}'
JSON: Final = {"Content-Type": "application/json"}
WRITES: Final = (
    ("/api/events", EVENT),
    ("/api/topics/trim", b'{"topic":"none/at/all","keep":9}'),
    ("/api/projects", b'{"name":"n","brief":"a: b text"}'),
)


async def _write(attacker: Attacker, allowed: int, what: str, **headers: str) -> None:
    """Each write with these headers has to get this status."""
    fields = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    for path, body in WRITES:
        answer = await attacker.ask_anew("POST", path, headers=fields, body=body)
        attacker.must(answer.status == allowed, f"{what}: {path} {answer.status}, not {allowed}")


@attack("rebinding", row="11", connections=(1,))
async def rebinding(attacker: Attacker) -> None:
    """A foreign name as Host and Origin: 421, for writes, reads and WebSockets."""
    evil = "evil.example:8000"
    await _write(attacker, 421, "rebinding", Host=evil, Origin=f"http://{evil}")
    answer = await attacker.ask_anew("GET", "/api/events?after=earliest", headers={"Host": evil})
    attacker.must(answer.status == 421, f"rebinding: a read gets {answer.status}")
    asked = handshake("topic=a", Host=evil, Origin=f"http://{evil}")
    status = (await (await attacker.send(asked)).read_head()).status
    attacker.must(status == 421, f"rebinding: a WebSocket gets {status}")
    answer = await attacker.ask_anew("GET", "/api/health", headers={"Host": evil})
    attacker.must(answer.status == 200, f"health under a foreign name gets {answer.status}")


@attack("other-port", row="13", connections=(1,))
async def other_port(attacker: Attacker) -> None:
    """A page on another port of the same host, and a Host without a port."""
    await _write(attacker, 403, "other port", Host="localhost", Origin="http://localhost:8080")


@attack("odd-origins", row="24", connections=(1,))
async def odd_origins(attacker: Attacker) -> None:
    """Origins that only end like ours."""
    for origin in ("chrome-extension://localhost:8000", "http://evil@localhost:8000"):
        await _write(attacker, 403, origin.partition(":")[0], Host="localhost:8000", Origin=origin)


@attack("bare-answers", row="24", connections=(1,))
async def bare_answers(attacker: Attacker) -> None:
    """Answers without `nosniff` and `Cross-Origin-Resource-Policy`."""
    for path in ("/api/events", "/api/health", "/", "/metrics", "/nothing"):
        answer = await attacker.ask_anew("GET", path)
        for name in ("x-content-type-options", "cross-origin-resource-policy"):
            attacker.must(answer.header(name) is not None, f"{path} lacks {name}")


@attack("echoed-token", row="25", connections=(1,))
async def echoed_token(attacker: Attacker) -> None:
    """A token in the URL is not said back."""
    answer = await attacker.ask_anew("GET", "/api/ws?topic=a&access_token=very-secret")
    attacker.must(b"very-secret" not in answer.body, "the token is said back")


@attack("hosts-of-nobody", row="11")
async def hosts_of_nobody(attacker: Attacker) -> None:
    """Host names of applications that are not there, as fast as they are answered: nothing of the service is there."""
    line, number = await attacker.connect(), 0
    while True:
        number += 1
        host = {"Host": f"app-nobody{attacker.number}x{number}.localhost:8000"}
        for path in ("/api/events?after=earliest", "/", "/.twinwire/enter?ticket=tk_made-up"):
            answer = await attacker.ask(line, "GET", path, headers=host)
            attacker.must(answer.status in (303, 403, 404, 429), f"{path} under an application's name: {answer.status}")
            attacker.must(b"twinwire" not in answer.body.lower(), f"{path} under an application's name tells of us")
