"""`twinwire publish`: what a shell gives goes out as it is, and is refused before it is sent if it can't be."""

import json

import pytest

from tests.support import api
from tests.support.server import HOST, free_port
from tests.unit.twinwire.command.conftest import Run
from twinwire.errors import InvalidError, TwinwireError


def kept(run: Run, topic: str) -> list[str]:
    return run("tail", topic, "--after", "earliest", "--once", "--json").stdout.splitlines()


@pytest.mark.parametrize(
    "data", ["1" * 5_000, '{"a":1,"a":2}', "0.12345678901234567890", '"gr\u00fc\u00dfe"', "[1,\n 2]"]
)
def test_data_goes_out_as_it_was_written(run: Run, data: str) -> None:
    topic = api.unique("as-it-is")
    for args, given in (((data,), None), (("-",), data), (("-",), "\ufeff" + data)):
        done = run("publish", topic, "note", *args, input=given)
        assert done.exit_code == 0, done.output
    lines = kept(run, topic)
    assert len(lines) == 3
    assert all(f'"data":{data.replace(chr(10), " ")}' in line for line in lines)
    assert json.loads(lines[-1].replace(data, "0") if len(data) > 4_000 else lines[-1])["id"] == done.stdout.strip()


def test_a_key_makes_a_repeat_harmless(run: Run) -> None:
    topic = api.unique("key")
    assert len({run("publish", topic, "x", "1", "--key", "once").stdout for _ in range(2)}) == 1
    assert len(kept(run, topic)) == 1


def test_what_it_is_about(run: Run) -> None:
    topic = api.unique("about")
    run("publish", topic, "x", '"a"', "--subject", "s")
    run("publish", topic, "x", '"b"', "--subject", "s", "--append", "--final")
    first, second = map(json.loads, kept(run, topic))
    assert (first["subject"], second["subject"], second["append"], second["final"]) == ("s", "s", True, True)
    refused = run("publish", topic, "x", '"c"', "--subject", "s", "--append").exception
    assert isinstance(refused, TwinwireError)
    assert refused.status == 409


@pytest.mark.parametrize("data", ["\udcff", "[" * 100_000, "", "{", "NaN"])
def test_what_is_no_json_is_not_sent(run: Run, data: str) -> None:
    with pytest.raises(InvalidError, match="data is not JSON"):
        raise run("publish", "a", "x", data, "--url", f"http://{HOST}:{free_port()}").exception or AssertionError


def test_what_is_no_text_is_not_sent(run: Run) -> None:
    for args, told in ((("\udcff", "x", "1"), "is not UTF-8"), (("a", "x", "-"), "DATA is not UTF-8")):
        with pytest.raises(InvalidError, match=told):
            raise run("publish", *args, input=b"\xff").exception or AssertionError


@pytest.mark.parametrize(("topic", "type"), [("a//b", "x"), ("a", "x y"), ("a", "gap")])
def test_what_the_service_refuses_is_said(run: Run, topic: str, type: str) -> None:
    with pytest.raises(TwinwireError, match="422 "):
        raise run("publish", topic, type, "1").exception or AssertionError


@pytest.mark.parametrize("proxy", ["http://me:secret@127.0.0.1:9", "socks5://127.0.0.1:9", "htp://x", "http://x:port"])
def test_no_proxy_of_the_environment_comes_between_a_machine_and_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """It can't reach this machine's own, and would read the token; elsewhere one that is none is told."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    topic = api.unique("proxied")
    assert run("publish", topic, "note", "1").exit_code == 0
    assert len(kept(run, topic)) == 1
    error = run("publish", topic, "note", "1", "--url", "http://live.invalid").exception
    assert isinstance(error, TwinwireError)
    assert "secret" not in error.detail


def test_what_is_waited_out_is_told(run: Run) -> None:
    done = run("publish", "a", "x", "1", "--retry-for", "2", "--url", f"http://{HOST}:{free_port()}")
    assert done.exit_code == 1
    assert "Connection refused; trying again in " in done.stderr
    never = run("publish", "a", "x", "1", "--retry-for", "nan", "--url", f"http://{HOST}:{free_port()}")
    assert never.exit_code == 1


def test_nobody_there_is_said_by_name_and_at_once(run: Run) -> None:
    port = free_port()
    with pytest.raises(TwinwireError, match=f"no answer from http://{HOST}:{port}: Connection refused"):
        raise run("publish", "a", "x", "1", "--url", f"http://{HOST}:{port}").exception or AssertionError
