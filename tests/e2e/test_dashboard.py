"""deploy/grafana.json and deploy/alerts.yml, and the table of docs/deployment.md, held against a running service."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml

from tests.support.http import request
from tests.support.server import ROOT

DEPLOY: Final = ROOT / "deploy"
TABLE: Final = re.compile(r"<!-- metrics:[^>]*-->\n(.*?)<!-- /metrics -->", re.DOTALL)
FOREIGN: Final = frozenset({"up"})
"""What Prometheus makes itself."""

LABELS: Final = frozenset(
    {"act", "instance", "job", "kind", "le", "percentile", "reason", "status", "transport", "version"}
)
GROWING: Final = frozenset({"changes", "increase", "rate"})
"""Functions of counters, and of what is set anew at each start."""

PARTS: Final = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
RATE_INTERVAL: Final = "5m"
"""In place of Grafana's variable."""


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """By where they stand."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
            found[f"panel {panel['title']} {target['refId']}"] = text
    found |= {f"annotation {one['name']}": one["expr"] for one in dashboard()["annotations"]["list"]}
    return found


EXPRESSIONS: Final = expressions()
every_expression = pytest.mark.parametrize("place", EXPRESSIONS)


def selectors(node: Any, within: str = "") -> Iterator[tuple[Any, str]]:
    """Every selector of an expression, and the function that is called on it, if one is."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node, within
        return
    if isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument, node.func.name)
        return
    inner = ("vector_selector",) if isinstance(node, promql_parser.MatrixSelector) else ("expr", "lhs", "rhs")
    for name in inner:
        if (child := getattr(node, name, None)) is not None:
            yield from selectors(child, within if name in ("vector_selector", "expr") else "")


async def families(url: str) -> dict[str, tuple[str, str]]:
    """Type and help of each metric that is told, by its name."""
    text = (await request(url, "GET", "/metrics")).text
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    assert types.keys() == helps.keys()
    return {name: (types[name], helps[name]) for name in types}


def samples(found: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The type of each name that a query may ask for."""
    names: dict[str, str] = {}
    for name, (type, _) in found.items():
        names |= {f"{name}{part}": "counter" for part in PARTS[type]} if type in PARTS else {name: type}
    return names


def test_there_is_something_to_hold() -> None:
    assert len(EXPRESSIONS) > 60
    assert [one.name for one, _ in selectors(promql_parser.parse("sum(rate(a[5m])) / (b - on (x) c) > 1"))] == [
        "a",
        "b",
        "c",
    ]


@every_expression
def test_each_expression_is_promql(place: str) -> None:
    assert "$_" not in EXPRESSIONS[place]
    promql_parser.parse(EXPRESSIONS[place])


def test_what_is_no_promql_is_told() -> None:
    for text in ("sum by (le (rate(a[5m]))", "rate(a)", "histogram_quantile(0.9)", "a{b=c}"):
        with pytest.raises(ValueError):  # noqa: PT011 - of a parser
            promql_parser.parse(text)


async def test_every_metric_that_they_name_is_told_and_is_of_the_right_kind(url: str) -> None:
    """`rate` is of counters, and a counter alone says nothing."""
    known = samples(await families(url))
    for place, text in EXPRESSIONS.items():
        for selector, function in selectors(promql_parser.parse(text)):
            if selector.name in FOREIGN:
                continue
            assert selector.name in known, f"{place}: there is no {selector.name}"
            if known[selector.name] == "counter":
                assert function in GROWING, f"{place}: {selector.name} is a counter"
            else:
                assert function not in GROWING - {"changes"}, f"{place}: {selector.name} is no counter"


@every_expression
def test_labels_are_those_that_there_are(place: str) -> None:
    text = EXPRESSIONS[place]
    named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", text))
    for group in re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", text):
        named |= {one.strip() for one in group.split(",")}
    assert named <= LABELS


async def test_the_dashboard_shows_every_metric_of_the_service(url: str) -> None:
    shown = set(re.findall(r"\btwinwire_\w+", json.dumps(dashboard())))
    for name, (type, _) in (await families(url)).items():
        if name.startswith("twinwire_"):
            assert shown & {f"{name}{part}" for part in PARTS.get(type, ("",))}, name


def test_the_dashboard_can_be_read() -> None:
    """Ids are each one panel's, places do not overlap, and each panel says what it shows."""
    found = dashboard()["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    places: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        taken = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not places & taken, panel["title"]
        places |= taken
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
    variables = {one["name"] for one in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", (DEPLOY / "grafana.json").read_text("utf-8"))) - {"__rate_interval"}
    assert used == variables


def test_alerts_say_what_to_do() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert re.fullmatch(r"[1-9]\d*[smhd]", rule.get("for", "1m"))
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["annotations"]["description"].endswith(".")


def test_alerts_name_settings_and_reasons_that_there_are() -> None:
    text = (DEPLOY / "alerts.yml").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in set(re.findall(r"TWINWIRE_\w+", text)):
        assert f"`{name}`" in readme, name


def metrics_table(found: Mapping[str, tuple[str, str]]) -> str:
    rows = ["| metric | type | tells |", "|---|---|---|"]
    rows += [f"| `{name}` | {type} | {help} |" for name, (type, help) in found.items() if name.startswith("twinwire_")]
    return "\n".join(rows) + "\n"


async def test_the_table_of_metrics_is_the_one_of_a_running_service(url: str) -> None:
    found = await families(url)
    page = TABLE.search((ROOT / "docs" / "deployment.md").read_text("utf-8"))
    assert page is not None
    assert page[1] == metrics_table(found), f"the table should be\n{metrics_table(found)}"
    others = {name.partition("_")[0] for name in found} - {"twinwire"}
    assert others <= {"process", "python"}, "told in one line below the table"


async def test_the_example_of_a_scrape_is_one(url: str) -> None:
    """Its YAML, and the path that Prometheus asks for without one."""
    (block,) = re.findall(
        r"^```yaml prometheus\.yml\n(.*?)^```", Path(ROOT / "docs/deployment.md").read_text("utf-8"), re.M | re.S
    )
    (job,) = yaml.safe_load(block)["scrape_configs"]
    assert job["job_name"] == "twinwire"
    assert "metrics_path" not in job
    assert (await request(url, "GET", "/metrics")).status == 200
    assert yaml.safe_load(block)["rule_files"] == ["alerts.yml"]
