"""The resources of runs, below `/api/projects/{id}/runs` (docs/protocol.md, section 6)."""

from typing import Final

from quart import Blueprint, Response, request, url_for

from service.apps.projects.answers import answer_value, as_text
from service.apps.projects.changes import topic_of
from service.apps.projects.limits import DIGITS
from service.apps.projects.models import Run
from service.apps.projects.runs.items import NewRun, Report
from service.apps.projects.runs.limits import ITEMS_MAX, LINES_MAX, LISTED_MAX, REPORT_MAX, SEARCH_MAX
from service.apps.projects.runs.lines import Wanted, lines_of
from service.apps.projects.runs.models import BegunRun, Limits, Reported
from service.apps.projects.runs.reading import text_of
from service.apps.projects.runs.service import RunService
from service.core.errors import InvalidError
from service.core.parameters import Parameters
from service.web.caller import visit
from service.web.json import answer, read
from service.web.query import number as read_number

_LISTING: Final = Parameters("limit", "before")
_LINES: Final = Parameters("after", "limit", "search", "stage")
_LOG: Final = Parameters("stage")


def add_runs(blueprint: Blueprint, runs: RunService) -> None:
    """Every route of runs."""
    _add_reading(blueprint, runs)
    _add_files(blueprint, runs)
    _add_reporting(blueprint, runs)


def _add_reporting(blueprint: Blueprint, runs: RunService) -> None:
    commands = runs.commands

    @blueprint.post("/<id>/runs")
    async def begin_run(id: str) -> Response:
        visit().check_publish(topic_of(id))
        new = (await read(NewRun, REPORT_MAX)).checked()
        begun = await commands.begin(id, new, visit().caller.subject, visit().spending)
        values = {name: getattr(begun.run, name) for name in Run.model_fields}
        limits = Limits(bytes=commands.most, items=ITEMS_MAX, body=REPORT_MAX)
        found = BegunRun(**values, limits=limits, reported=begun.reported)
        response = answer_value(found, 201 if begun.is_new else 200)
        response.headers["Location"] = url_for("projects.show_run", id=id, number=begun.run.number)
        return response

    @blueprint.post("/<id>/runs/<int:number>/reports")
    async def report(id: str, number: int) -> Response:
        visit().check_publish(topic_of(id))
        report = (await read(Report, REPORT_MAX)).checked()
        accepted = await commands.report(id, number, report, visit().spending)
        return answer_value(Reported(reported=accepted.reported, cancel=accepted.cancel))

    @blueprint.post("/<id>/runs/<int:number>/cancel")
    async def cancel_run(id: str, number: int) -> Response:
        visit().check_publish(topic_of(id))
        return answer_value(await commands.cancel(id, number, visit().caller.subject, visit().spending), 202)


def _add_reading(blueprint: Blueprint, runs: RunService) -> None:
    reading = runs.reading

    @blueprint.get("/<id>/runs")
    async def list_runs(id: str) -> Response:
        visit().check_read(topic_of(id))
        _LISTING.check(request.args)
        limit = min(read_number("limit", LISTED_MAX, 1, DIGITS), LISTED_MAX)
        before = read_number("before", 0, 1, DIGITS) if "before" in request.args else None
        return answer_value(await reading.page(id, limit, before))

    @blueprint.get("/<id>/runs/<int:number>")
    async def show_run(id: str, number: int) -> Response:
        visit().check_read(topic_of(id))
        return answer_value(await reading.detail(id, number))

    @blueprint.get("/<id>/runs/<int:number>/lines")
    async def list_lines(id: str, number: int) -> Response:
        visit().check_read(topic_of(id))
        _LINES.check(request.args)
        after, limit = read_number("after", 0, 0, DIGITS), min(read_number("limit", LINES_MAX, 1, DIGITS), LINES_MAX)
        wanted = Wanted(after, limit, _read_search(), request.args.get("stage"))
        found = await reading.kept(id, number)
        reading.check_stage(found, wanted.stage)
        return answer_value(await lines_of(reading, found, wanted))

    @blueprint.get("/<id>/runs/<int:number>/log")
    async def show_log(id: str, number: int) -> Response:
        visit().check_read(topic_of(id))
        _LOG.check(request.args)
        stage = request.args.get("stage")
        found = await reading.kept(id, number)
        reading.check_stage(found, stage)
        response = as_text(text_of(reading, found, stage))
        if found.run.kind == "command" and stage is None and found.kept:
            response.content_length = found.run.bytes  # a log that is removed meanwhile is seen to be cut off
        response.headers["Content-Disposition"] = f'inline; filename="{id}-{number}.log"'
        return response


def _add_files(blueprint: Blueprint, runs: RunService) -> None:
    @blueprint.get("/<id>/runs/<int:number>/files")
    async def list_run_files(id: str, number: int) -> Response:
        visit().check_read(topic_of(id))
        return answer({"files": [file.model_dump() for file in await runs.files.files(id, number)]})

    @blueprint.get("/<id>/runs/<int:number>/files/<path:path>")
    async def show_run_file(id: str, number: int, path: str) -> Response:
        visit().check_read(topic_of(id))
        return as_text((await runs.files.file(id, number, path)).encode())


def _read_search() -> str | None:
    text = request.args.get("search")
    if text is not None and len(text) > SEARCH_MAX:
        raise InvalidError(f"at most {SEARCH_MAX} characters are searched for", field="search")
    if text is not None and "\n" in text:
        raise InvalidError("what is searched for is in one line: it has no line break", field="search")
    return text
