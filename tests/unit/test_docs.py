"""What the documents say is held against the code: settings, limits, links, commands, configurations."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service.access.carriers import STREAM_COOKIE
from service.access.keys import KeyRing
from service.apps.projects.described import describe_projects
from service.apps.projects.settings import ProjectsSettings
from service.clock import SystemClock
from service.core import limits, words
from service.log.sqlite.backup import JOURNAL_BYTES
from service.log.sqlite.database import WRITE_TIMEOUT
from service.log.sqlite.jobs import QUEUE_EVENTS
from service.log.sqlite.texts import JOIN_EVENTS, JOIN_MOST
from service.log.sqlite.upkeep import UNDONE_PAUSE, WAL_BUSY_BYTES, WAL_IDLE_BYTES
from service.settings import ServerSettings, Settings, StreamSettings, every_setting
from service.version import __version__
from service.web.openapi import describe
from service.wire import request as asgi
from service.wire import sse
from tests.support.needs import program
from tests.support.tokens import SECRET, b64, pem
from twinwire.command import bearer
from twinwire.running import folder as runs
from twinwire.running import markers, spool
from twinwire.running.program import SEND

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
DEFAULTS: Final = Settings(ServerSettings.model_construct(), stream=StreamSettings.model_construct())
"""Without the environment of whoever runs the tests, where it is asked below."""

SETTINGS: Final = list(every_setting(ProjectsSettings))
"""Every variable: the service's and the applications'."""
TABLE: Final = re.compile(r"<!-- settings:[^>]*-->\n(.*?)<!-- /settings -->", re.DOTALL)

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def anchor(heading: str) -> str:
    """The fragment that a heading gets where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# Settings


def default_of(field: FieldInfo) -> str:
    value: Any = field.get_default()
    if value in ("", SecretStr("")):
        return "empty"
    if isinstance(value, tuple):
        return "empty" if not value else ", ".join(map(str, value))
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def bound_of(field: FieldInfo) -> str:
    """As the field declares it: choices, or an interval."""
    choices = getattr(field.annotation, "__args__", ()) if "Literal" in str(field.annotation) else ()
    if choices:
        return ", ".join(f"`{one}`" for one in choices)
    found = {name: getattr(one, name) for one in field.metadata for name in ("gt", "ge", "le") if hasattr(one, name)}
    if "le" in found:
        return f"{found.get('ge', found.get('gt')):,}-{found['le']:,}"
    if "gt" in found:
        return f"over {found['gt']:g}"
    return f"{found['ge']:,} or more" if "ge" in found else ""


def settings_table() -> str:
    rows = ["| variable | default | bound | meaning |", "|---|---|---|---|"]
    for name, field in SETTINGS:
        cells = (f"`{name}`", default_of(field), bound_of(field), field.description or "")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def test_table_of_settings_is_the_one_of_the_code() -> None:
    found = TABLE.search(read("README.md"))
    assert found is not None
    assert found[1] == settings_table(), f"the table should be\n{settings_table()}"


@every_document
def test_variables_that_documents_name_exist(path: Path) -> None:
    command = {"TWINWIRE_URL", bearer.VARIABLE, bearer.FILE_VARIABLE, runs.VARIABLE}
    known = {name for name, _ in SETTINGS} | command | {"TWINWIRE_CHROMIUM", "TWINWIRE_REPOSITORY"}
    assert set(re.findall(r"TWINWIRE_[A-Z_]+[A-Z]", path.read_text("utf-8"))) <= known


def test_example_of_retention_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = re.findall(r"^export (TWINWIRE_RETENTION=.*)$", read("README.md"), re.MULTILINE)
    name, _, value = shlex.split(line)[0].partition("=")
    monkeypatch.setenv(name, value)
    policies = Settings.read().log.retention
    assert [policy.topics for policy in policies] == ["metrics/**", "projects/*", "**"]
    assert [policy.max_age for policy in policies] == [3600, 30 * 24 * 3600, None]
    assert policies[2].max_bytes == 64 * 1024 * 1024


# Bounds and names that documents repeat


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("README.md", f"{limits.DATA_MAX // 1024} KiB of JSON"),
        ("README.md", f"{limits.REQUEST_MAX >> 20} MiB, {limits.BATCH_MAX:,} events"),
        ("README.md", f"{limits.TOPIC_MAX} bytes, {limits.TYPE_MAX} characters, {limits.KEY_MAX} bytes"),
        ("README.md", f"| {limits.FILTER_TOPICS_MAX} |"),
        ("README.md", f"{limits.PAGE_MAX:,} events, waits up to {limits.WAIT_MAX:g} s"),
        ("README.md", f"{QUEUE_EVENTS:,} events, then `503`"),
        ("README.md", f"heartbeat of {DEFAULTS.stream.heartbeat:g} s"),
        ("docs/protocol.md", f"1-{limits.TOPIC_MAX} bytes"),
        ("docs/protocol.md", f"1-{limits.TYPE_MAX} of `A-Z a-z 0-9 _ . -`"),
        ("docs/protocol.md", f"at most {limits.DATA_MAX // 1024} KiB encoded"),
        ("docs/protocol.md", f"at most {limits.CURSOR_MAX} bytes of ASCII"),
        ("docs/protocol.md", f"cut to {limits.CURSOR_MAX} bytes"),
        ("docs/protocol.md", f"{limits.ENVELOPE_MAX // 1024} KiB for the envelope"),
        ("docs/protocol.md", f"{limits.PAGE_DEFAULT} without it; more than {limits.PAGE_MAX:,} is capped"),
        ("docs/protocol.md", f"0-{limits.WAIT_MAX:g}; 0 without it"),
        ("docs/protocol.md", f"(1-{limits.KEY_MAX} bytes, printable)"),
        ("docs/protocol.md", f"a request over {limits.REQUEST_MAX >> 20} MiB"),
        ("docs/protocol.md", f"more than {limits.BATCH_MAX:,} in one request"),
        ("docs/protocol.md", f"up to {limits.FILTER_TOPICS_MAX} of them"),
        ("docs/protocol.md", f"Once {JOIN_EVENTS} events were appended to a value of strings"),
        ("docs/protocol.md", f"(or {JOIN_MOST:,} events)"),
        ("docs/run.md", f"{markers.NAME_MAX} characters; {spool.STAGES_MAX} of them"),
        ("docs/run.md", f"{markers.MESSAGE_MAX} characters"),
        ("docs/run.md", f"over {markers.LINE_MAX:,} bytes"),
        ("docs/run.md", f"there are {SEND:.0f} s for what is left"),
        ("docs/run.md", f"{runs.COUNT_MAX} runs, {runs.BYTES_MAX >> 30} GiB"),
        ("docs/run.md", f"and {runs.AGE_MAX / 86_400:.0f} days old"),
        ("docs/deployment.md", f"`TWINWIRE_HEARTBEAT` ({DEFAULTS.stream.heartbeat:g} s)"),
        ("docs/deployment.md", f"`TWINWIRE_GRACE` ({DEFAULTS.server.grace:g} s)"),
        ("docs/deployment.md", f"accept bodies of {limits.REQUEST_MAX >> 20} MiB"),
        ("docs/deployment.md", f"while the service's journal is over {JOURNAL_BYTES >> 20} MiB"),
        ("docs/deployment.md", f"once {WAL_IDLE_BYTES >> 20} MiB of the journal is in use and nothing is written"),
        ("docs/deployment.md", f"or {WAL_BUSY_BYTES >> 20} MiB in any case"),
        ("docs/deployment.md", f"tried again after up to {UNDONE_PAUSE[1]:g} s"),
        ("docs/deployment.md", f"A publish waits {WRITE_TIMEOUT:g} s for its lock"),
    ],
)
def test_bound_is_the_one_of_the_code(document: str, text: str) -> None:
    assert text in read(document)


def test_protocol_names_reserved_types_cursor_parameters_and_stream_headers() -> None:
    text = read("docs/protocol.md")
    reserved = text.partition("can't be\npublished (422): ")[2].partition(".\n")[0]
    assert set(re.findall(r"`(\w+)`", reserved)) == limits.RESERVED_TYPES
    assert [name for name in asgi.CURSOR_PARAMETERS if f"`{name}`" not in text] == []
    for name, value in sse.HEADERS:
        assert f"{name.decode()}: {value.decode()}" in text.lower()


def test_protocol_has_every_path_of_the_api() -> None:
    text = read("docs/protocol.md")
    paths = {path for path in describe([describe_projects()])["paths"] if path.startswith(("/api", "/metrics"))}
    assert {path for path in paths if not re.search(rf"{re.escape(path)}[`?]", text)} == set()


# Links, paths, commands


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, fragment = target.partition("#")
        assert "://" not in name, target
        other = path.parent / name if name else path
        assert other.is_file(), target
        if fragment:
            assert fragment in map(anchor, re.findall(r"^#+ (.*)$", other.read_text("utf-8"), re.MULTILINE)), target


def test_architecture_names_files_that_are_there() -> None:
    text = read("docs/architecture.md")
    house = re.search(r"^    service/\n.*?\n\n", text, re.DOTALL | re.MULTILINE)
    assert house is not None
    folders = re.findall(r"^ {6}(\w+)/", house[0], re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "service").glob("*/__init__.py")}
    assert set(folders) == packages
    for name in re.findall(r"\b(\w+\.py)\b", house[0]):
        assert any(any((ROOT / package).rglob(name)) for package in ("service", "twinwire")), name
    for name in re.findall(
        r"`((?:service|core|log|bus|stream|wire|web|access|apps|operations|server|command|tests)/[\w/.]+\.py)`", text
    ):
        assert (ROOT / name).exists() or (ROOT / "service" / name).exists(), name


@pytest.mark.parametrize("folder", ["log", "log/sqlite", "bus", "stream", "wire", "access"])
def test_architecture_names_every_module_of_the_layers(folder: str) -> None:
    text = read("docs/architecture.md")
    modules = {path.name for path in (ROOT / "service" / folder).glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if name not in text} == set()


def test_architecture_has_a_line_on_every_dependency() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["server"]]
    names = {re.split(r"[\[<>=;\s]", one)[0] for one in wanted}
    table = read("docs/architecture.md").partition("## Dependencies")[2]
    assert set(re.findall(r"^\| `([\w-]+)(?:\[\w+\])?` \|", table, re.MULTILINE)) == names


def test_protocol_has_every_word_that_the_code_has() -> None:
    frames = read("docs/protocol.md").partition("## 2. Control frames")[2].partition("## 3.")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", frames, re.MULTILINE))
    assert set(rows) == set(get_args(words.ControlType))

    def reasons(type: str) -> set[str]:
        return set(re.findall(r"`(\w+)`", rows[type].partition("`reason` (")[2].partition(")")[0]))

    assert reasons("gap") == set(get_args(words.GapReason))
    assert reasons("goodbye") == set(get_args(words.GoodbyeReason))


@every_document
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE)) <= targets


def test_changelog_leads_to_this_version() -> None:
    text = read("CHANGELOG.md")
    assert "## [Unreleased]" in text
    assert __version__ in text


FIXTURES = {"twinwire_service", "twinwire_client"}


@every_document
def test_metrics_that_documents_name_exist(path: Path) -> None:
    code = read("service/operations/metrics.py")
    for name in set(re.findall(r"`(twinwire_\w+)", path.read_text("utf-8"))) - {STREAM_COOKIE, *FIXTURES}:
        assert f'"{name.removesuffix("_total")}"' in code, name


# Configurations


@pytest.mark.parametrize("document", ["README.md", "docs/deployment.md"])
def test_nginx_takes_the_configuration(document: str, tmp_path: Path) -> None:
    nginx = program("nginx", "no nginx: install Debian's nginx-light")
    (block,) = blocks(read(document), "nginx")
    folders = "".join(
        f"{name}_temp_path {tmp_path / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path / 'pid'};\nerror_log {tmp_path / 'error.log'};\nevents {{}}\n"
        f"http {{\naccess_log off;\n{folders}\n{block}}}\n"
    )
    done = subprocess.run([nginx, "-t", "-c", str(config)], capture_output=True, text=True, timeout=30, check=False)
    assert "syntax is ok" in done.stderr, done.stderr


def test_ring_of_keys_is_one() -> None:
    """The example, with keys in place of what stands for them."""
    (ring,) = blocks(read("docs/deployment.md"), r"json keys\.json")
    entries = json.loads(ring)
    for one in entries:
        one |= {"key": b64(SECRET)} if "key" in one else {"public": pem("ed")} if "public" in one else {}
    found = KeyRing.read(json.dumps(entries), SystemClock(), audience="twinwire")
    assert [(key.kid, key.issuer) for key in found.keys] == [("2026-11", None), ("2026-05", None), ("shop", "shop")]
    assert [source.issuer for source in found.sources] == ["https://login.example.org/"]
    assert found.signer().kid == "2026-11"


def test_code_cites_a_document_that_is_here() -> None:
    """What a comment sends its reader to must be in the repository, with the section that it names."""
    sections = set(re.findall(r"^## (\d+)", read("docs/protocol.md"), re.MULTILINE))
    for folder, suffixes in (("service", {".py"}), ("tests", {".py", ".js"}), ("static", {".js", ".ts"})):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix not in suffixes or path == Path(__file__):
                continue
            text = path.read_text("utf-8")
            assert "PROTOCOL.md" not in text, path
            for number in re.findall(r"docs/protocol\.md, sections? (\d+)", text):
                assert number in sections, f"{path} cites section {number}"


def test_a_walk_never_comes_back_to_a_file() -> None:
    """Each step of docs/walk.md begins with its file, which exists; what a file does is told where it is met."""
    for walk in read("docs/walk.md").split("\n## ")[1:]:
        steps = re.findall(r"^\d+\. `([\w/]+\.py)`", walk, re.MULTILINE)
        assert len(steps) > 10
        assert [name for name in steps if not (ROOT / "service" / name).exists()] == []
        assert len(steps) == len(set(steps)), walk[:40]


def test_a_commit_message_says_what_failed_without_it(tmp_path: Path) -> None:
    """The hook that CONTRIBUTING.md names, at its bound and one past it."""
    for text, is_good in (
        (f"{'a' * 50}\n\nBecause.\n", True),
        (f"{'a' * 51}\n\nBecause.\n", False),
        ("Add a thing\n", False),
        ("Add a thing\n\n# a comment\n", False),
        ("Add a thing.\n\nBecause.\n", False),
        ("Add a thing\nat once\n\nBecause.\n", False),
    ):
        file = tmp_path / "message"
        file.write_text(text)
        done = subprocess.run([ROOT / ".ci" / "commit-message", file], capture_output=True, text=True)
        assert (done.returncode == 0) is is_good, (text, done.stderr)
