"""The agents that ask a model: plan, code, tests, documentation, and one that needs none for the packaging."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from service.apps.projects.agents.base import Agent, AgentError, Workspace, may_write
from service.apps.projects.agents.naming import counted
from service.apps.projects.agents.render import quoted, render
from service.apps.projects.agents.tests import COMMAND, result_of
from service.apps.projects.archive import slug
from service.apps.projects.llm.fences import FormatError
from service.apps.projects.llm.model import Model
from service.apps.projects.llm.prompts import end_of, prompt, shown_files
from service.apps.projects.llm.talk import Talk

_TEST: Final = "tests/test_"
_PLAN: Final = "docs/plan.md"
_APP: Final = ("app/__init__.py", "app/__main__.py", "tests/__init__.py")


class ModelAgent(Agent):
    """One that asks the model."""

    streams: ClassVar[bool] = True

    def __init__(self, model: Model) -> None:
        self._model = model

    def talk(self, work: Workspace) -> Talk:
        return Talk(work, self._model, self.writes, lambda path: may_write(self, path))


async def _write_all(work: Workspace, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        await work.write(path, text)


class Plan(ModelAgent):
    """What there will be, in prose."""

    name = "plan"
    writes = (_PLAN,)

    async def run(self, work: Workspace) -> None:
        await work.log(f"{self._model.name} plans the application")
        task = prompt("plan", title=work.title, brief=str(work.brief))
        await _write_all(work, await self.talk(work).files(task))


class Code(ModelAgent):
    """The application and its tests."""

    name = "code"
    needs = (_PLAN,)
    writes = ("app/*", "tests/*")

    async def run(self, work: Workspace) -> None:
        await work.log(f"{self._model.name} writes the application and its tests")
        plan = shown_files([_PLAN], work.read)
        left = [path for path in work.paths() if may_write(self, path)]  # by an interrupted turn, and they stay
        wanted = ", ".join(dict.fromkeys((*_APP, *left)))
        task = prompt("code", title=work.title, brief=str(work.brief), files=plan, wanted=wanted)
        files = await self.talk(work).files(task, partial(_check_app, wanted=(*_APP, *left)))
        await _write_all(work, files)
        await work.log(f"Wrote {counted(len(files), 'file')}")


def _check_app(files: Mapping[str, str], wanted: Sequence[str]) -> None:
    missing = [path for path in wanted if path not in files]
    if missing:
        raise FormatError(f"the file {missing[0]} is missing")
    if not any(path.startswith(_TEST) and path.endswith(".py") for path in files):
        raise FormatError(f"there is no test: no file {_TEST}NAME.py")


class ModelTests(ModelAgent):
    """Runs the tests, and has the model mend what fails. Where nothing may be run it says so, and goes on."""

    name = "tests"
    needs = _APP
    writes = ("app/*", "tests/*")

    async def run(self, work: Workspace) -> None:
        talk = self.talk(work)
        while True:
            executed = await work.execute(COMMAND)
            try:
                said = result_of(executed)
            except AgentError as error:
                problem = str(error)
            else:
                await work.log(f"The tests: {said}", "info" if executed.ran else "warning")
                work.remark(said)
                return
            await talk.hand_back(f"The tests fail: {problem}")
            repaired = await talk.files(self._repair(work, problem, end_of(executed.tail)))
            await _write_all(work, repaired)
            await work.log(f"{self._model.name} changed {', '.join(repaired)}")

    def _repair(self, work: Workspace, problem: str, output: str) -> str:
        files = [path for path in work.paths() if may_write(self, path)]
        return prompt(
            "repair",
            title=work.title,
            command=" ".join(COMMAND),
            problem=problem,
            output=output,
            files=shown_files(files, work.read, first=output),
        )


class ModelDocumentation(ModelAgent):
    """What a newcomer reads."""

    name = "documentation"
    needs = _APP
    writes = ("README.md",)

    async def run(self, work: Workspace) -> None:
        await work.log(f"{self._model.name} writes the README")
        files = shown_files(work.paths(), work.read)
        await _write_all(work, await self.talk(work).files(prompt("documentation", title=work.title, files=files)))


class ModelPackaging(Agent):
    """What is needed to install it; always the same, so that no model is asked."""

    name = "packaging"
    needs = (*_APP, "README.md")
    writes = ("pyproject.toml", ".gitignore")

    async def run(self, work: Workspace) -> None:
        name = slug(work.title, "app")
        values = {"name": quoted(name), "description": quoted(work.title)}
        await work.write("pyproject.toml", render("pyproject.toml", values))
        await work.write(".gitignore", render("gitignore"))
        await work.log("python3 -m app --port 9000 starts it; python3 -m unittest discover tests it")


def model_agents(model: Model) -> list[Agent]:
    """In order, in place of the twelve."""
    return [Plan(model), Code(model), ModelTests(model), ModelDocumentation(model), ModelPackaging()]
