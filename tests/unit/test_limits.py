"""Limits are settings: one table of them, made from these, each row with its test; none in the code that is not there.

docs/reliability.md, "Limits". Settings stand in the first table, bounds that do not move in the second.
"""

import ast
import re
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic.fields import FieldInfo

from service.access.gate import Act
from service.admission import most_of, spending_of
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import ConfigError
from service.core.limits import DATA_MAX, ENVELOPE_MAX, REQUEST_MAX
from service.core.rates import Rate, Rates
from service.limits import ADDRESSES, CALLERS, LimitSettings
from service.settings import Settings, every_setting
from tests.support.access import Known, Visitor, gate_with
from tests.support.clock import ManualClock

pytestmark = pytest.mark.usefixtures("clean_environment")

UNIT: Final = Path(__file__).parent
ROOT: Final = UNIT.parents[1]
SERVICE: Final = ROOT / "service"
SECTION: Final = (
    (ROOT / "docs" / "reliability.md")
    .read_text("utf-8")
    .partition("\n## Limits\n")[2]
    .partition("\n## What can grow\n")[0]
)
SETTINGS, _, CONSTANTS = SECTION.partition("<!-- /limits -->")

REFUSALS: Final = frozenset({"LongTextError", "OverloadedError", "RateLimitedError", "TooLargeError"})
"""What whoever passes a limit is answered."""

LIMITS: Final[list[tuple[str, FieldInfo]]] = [
    (name, info) for name, info in every_setting(ProjectsSettings) if info.json_schema_extra
]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the tables in it, without their heads."""
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    return [row for row in found if row[0].startswith("`")]


def cells(name: str, info: FieldInfo) -> list[str]:
    """What the table has to say of a setting."""
    more: Any = info.json_schema_extra
    default: float = info.get_default()
    return [f"`{name}`", more["unit"], f"{int(default):,}", more["answer"]]


# The tables


def test_the_table_is_the_one_of_the_settings() -> None:
    assert [row[:4] for row in rows(SETTINGS)] == [cells(name, info) for name, info in LIMITS]


def test_every_limit_of_the_settings_has_a_unit_and_an_answer() -> None:
    assert {name for name, _ in LIMITS} >= {f"TWINWIRE_{name.upper()}" for name in LimitSettings.model_fields}
    for name, info in LIMITS:
        assert set(info.json_schema_extra or ()) == {"unit", "answer"}, name


@pytest.mark.parametrize("row", rows(SECTION), ids=lambda row: row[0])
def test_each_row_has_its_test(row: list[str]) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row[-1])
    assert named, f"{row[0]} has no test"
    for file, name in named:
        places = [path for path in (UNIT / file, UNIT.parent / file) if path.exists()]
        assert places, f"there is no {file}"
        assert re.search(rf"def {name}\(", places[0].read_text("utf-8")), f"{file} has no {name}"


def refusals() -> set[tuple[str, str]]:
    """Each function of the service that refuses because there is too much of something: its module, and its name."""
    found: set[tuple[str, str]] = set()
    for path in sorted(SERVICE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _refuses(node):
                found.add((path.relative_to(SERVICE).as_posix(), node.name))
    return found


def _refuses(node: ast.AST) -> bool:
    """Whether it makes such an error, or an ending of one; not what functions inside of it do."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.Call):
            names = [one.id for one in (child.func, *child.args) if isinstance(one, ast.Name)]
            if REFUSALS.intersection(names) and names[0] != "isinstance":
                return True
        if _refuses(child):
            return True
    return False


def test_they_are_found() -> None:
    assert {("log/sqlite/commit.py", "_too_many_topics"), ("wire/websocket.py", "listen")} <= refusals()
    assert all(not module.startswith("core/errors") for module, _ in refusals())


@pytest.mark.parametrize(("module", "function"), sorted(refusals()))
def test_a_limit_in_the_code_is_in_a_table(module: str, function: str) -> None:
    named = [row for row in rows(SECTION) if f"`{module}`" in row[-2] and f"`{function}`" in row[-2]]
    assert named, f"{function} of {module} refuses: which limit is it, and which test holds it?"


@pytest.mark.parametrize("row", rows(SECTION), ids=lambda row: row[0])
def test_where_a_row_says_it_is_held_it_is(row: list[str]) -> None:
    module, *names = re.findall(r"`([\w/.]+)`", row[-2])
    text = (SERVICE / module).read_text("utf-8")
    assert names, row
    for name in names:
        assert re.search(rf"\b{name}\b", text), f"{module} has no {name}"


@pytest.mark.parametrize("row", [row for row in rows(CONSTANTS) if row[0].strip("`").isupper()], ids=lambda row: row[0])
def test_a_bound_that_does_not_move_is_the_one_of_the_code(row: list[str]) -> None:
    """Where the table has a plain number: several bounds may have one name, and one of them is this."""
    name = row[0].strip("`")
    texts = [path.read_text("utf-8") for path in SERVICE.rglob("*.py")]
    values = [
        found[1] for text in texts for found in re.finditer(rf"^{name}: Final = ([\d_.* <]+)$", text, re.MULTILINE)
    ]
    assert values, f"there is no {name}"
    number = row[2].replace(",", "")
    if number.replace(".", "").isdigit():
        assert float(number) in [float(eval(value)) for value in values]


# What they are by default, and when they count


def test_without_keys_and_hops_nothing_is_counted_of_one() -> None:
    """A company behind one proxy is one address, and everybody is anonymous."""
    settings = Settings.read()
    assert spending_of(settings, ManualClock(), has_keys=False) is None
    assert set(most_of(settings)) == {0}
    gate = gate_with(most=most_of(settings), spending=spending_of(settings, ManualClock(), has_keys=False))
    leases = [gate.enter(Visitor(), Act.STREAM) for _ in range(18_000)]
    assert gate.places == len(leases)


def test_with_keys_those_without_a_token_are_limited_and_bearers_are_not() -> None:
    settings = Settings.read()
    assert settings.limits.bearers() == Rates()
    assert settings.limits.anonymous(has_keys=True) == Rates(publishes=Rate(20, 20), topics=Rate(1, 60))
    assert spending_of(settings, ManualClock(), has_keys=True) is not None


def test_named_hops_switch_on_what_is_counted_by_address() -> None:
    assert most_of(Settings.read({"trusted_hops": "10.0.0.1"})).address_streams == 1_000
    gate = gate_with(Known(), most=most_of(Settings.read({"trusted_hops": "10.0.0.1", "address_streams": 0})))
    assert gate.shares.most.address_streams == 0


def test_what_is_set_counts_also_where_its_default_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_ANONYMOUS_PUBLISH_RATE", "5")
    monkeypatch.setenv("TWINWIRE_ADDRESS_STREAMS", "7")
    settings = Settings.read()
    assert settings.limits.anonymous(has_keys=False) == Rates(publishes=Rate(5, 20))
    assert most_of(settings).address_streams == 7
    monkeypatch.setenv("TWINWIRE_ANONYMOUS_PUBLISH_RATE", "")
    assert Settings.read().limits.anonymous(has_keys=False).is_off
    assert {*CALLERS, *ADDRESSES} <= set(LimitSettings.model_fields)


def test_a_rate_without_a_burst_has_as_much_at_once_as_in_its_time() -> None:
    limits = LimitSettings(publish_rate=5, topic_rate=60, message_rate=0.1, publish_bytes=100, publish_bytes_burst=1)
    assert limits.bearers() == Rates(Rate(5, 5), Rate(100, 1), Rate(1, 60), Rate(0.1, 1))
    anonymous = LimitSettings(anonymous_publish_burst=0, anonymous_topic_burst=0).anonymous(has_keys=True)
    assert anonymous == Rates(publishes=Rate(20, 20), topics=Rate(1, 60))


@pytest.mark.parametrize("name", [name for name in LimitSettings.model_fields if name.endswith("_rate")])
@pytest.mark.parametrize("value", ["-1", "inf", "nan"])
def test_a_rate_is_a_number(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"TWINWIRE_{name.upper()}"):
        Settings.read({name: value})


def test_a_body_holds_one_event_at_least() -> None:
    assert Settings.read({"body_max": DATA_MAX + ENVELOPE_MAX}).limits.body_max == DATA_MAX + ENVELOPE_MAX
    for values in (
        {"body_max": DATA_MAX + ENVELOPE_MAX - 1},
        {"data_max": 1 << 20, "body_max": 1 << 20},
        {"body_max": REQUEST_MAX + 1},
    ):
        with pytest.raises(ConfigError) as refused:
            Settings.read(values)
        assert refused.value.field == "TWINWIRE_BODY_MAX"
