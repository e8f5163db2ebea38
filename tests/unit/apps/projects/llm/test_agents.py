"""The agents that ask a model: what they ask for, what they take, and how failing tests are mended."""

import pytest

from service.apps.projects.agents.base import Agent, Executed
from service.apps.projects.agents.tests import COMMAND
from service.apps.projects.llm.agents import Code, ModelTests, model_agents
from service.apps.projects.llm.faults import ModelError
from service.apps.projects.pipeline import Pipeline
from tests.support.models import model_of
from tests.support.standin import APP, BROKEN, PLAN, StandIn, file, saying, well
from tests.support.workbench import PASSED, Workbench

FAILED = Executed(
    True,
    1,
    None,
    "FAIL: test_it_greets (tests.test_greeting.Greeting.test_it_greets)\n'Hello Ada' != 'Hello, Ada'\n"
    "Ran 1 test in 0.1s\n\nFAILED (failures=1)\n",
)


def named(agents: list[Agent], name: str) -> Agent:
    return next(agent for agent in agents if agent.name == name)


async def test_all_of_them_make_an_application() -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        agents = model_agents(model)
        assert Pipeline(agents).names == ("plan", "code", "tests", "documentation", "packaging")
        work = Workbench(PASSED)
        for agent in agents:
            await agent.run(work)
    assert set(work.files) == {*APP, "docs/plan.md", "README.md", "pyproject.toml", ".gitignore"}
    assert work.commands == [COMMAND]
    plan, code, readme = [asked.last for asked in standin.asked]
    assert "tools: name text, deposit float" in plan
    assert file("docs/plan.md", PLAN) in code
    assert file("app/greeting.py", APP["app/greeting.py"]) in readme
    assert 'name = "tools"' in work.files["pyproject.toml"]


async def test_an_application_without_its_tests_is_handed_back() -> None:
    untested = "".join(file(path, text) for path, text in APP.items() if not path.startswith("tests/test_"))
    unstarted = "".join(file(path, text) for path, text in APP.items() if path != "app/__main__.py")
    async with StandIn.open(saying(untested), saying(unstarted), well) as standin, model_of(standin) as model:
        work = Workbench(files={"docs/plan.md": PLAN})
        await Code(model).run(work)
    assert "there is no test: no file tests/test_NAME.py" in work.warnings()[0]
    assert "the file app/__main__.py is missing" in work.warnings()[1]
    assert set(APP) < set(work.files)


async def test_what_an_interrupted_turn_has_left_has_to_be_written_anew() -> None:
    whole = "".join(file(path, text) for path, text in {**APP, "app/old.py": ""}.items())
    async with StandIn.open(well, saying(whole)) as standin, model_of(standin) as model:
        work = Workbench(files={"docs/plan.md": PLAN, "app/old.py": "import gone\n"})
        await Code(model).run(work)
    assert "app/__init__.py, app/__main__.py, tests/__init__.py, app/old.py, and at least" in standin.asked[0].last
    assert "the file app/old.py is missing" in work.warnings()[0]
    assert work.files["app/old.py"] == ""


async def test_failing_tests_are_mended_by_the_model() -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        work = Workbench(FAILED, PASSED, files=BROKEN)
        await ModelTests(model).run(work)
    assert work.files == APP
    (asked,) = standin.asked
    assert FAILED.tail in asked.last
    assert "fail: 1 of 1 test failed: test_it_greets. This is the end of what `python -m unittest" in asked.last
    assert file("app/greeting.py", BROKEN["app/greeting.py"]) in asked.last
    assert [message for _, message in work.lines][-1] == "The tests: 1 test passed"
    assert work.remarked == "1 test passed"


async def test_but_three_times_at_most() -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        with pytest.raises(ModelError, match=r"^The tests fail: 1 of 1 test failed: test_it_greets\. It was"):
            await ModelTests(model).run(Workbench(*[FAILED] * 4, files=BROKEN))
    assert len(standin.asked) == 3


async def test_an_answer_that_can_not_be_read_is_one_of_them() -> None:
    async with StandIn.open(saying("No."), saying("No."), well) as standin, model_of(standin) as model:
        with pytest.raises(ModelError, match="The tests fail"):
            await ModelTests(model).run(Workbench(FAILED, FAILED, files=BROKEN))
    assert len(standin.asked) == 3


@pytest.mark.parametrize(
    ("executed", "problem"),
    [
        (Executed(True, None, "time", ""), "and were ended"),
        (Executed(True, 0, None, "Ran 0 tests in 0.000s\n\nOK\n"), "did not say what they found"),
        (Executed(True, 139, None, ""), "exit status 139"),
    ],
)
async def test_what_is_no_success_is_handed_back_as_what_it_is(executed: Executed, problem: str) -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        work = Workbench(executed, PASSED, files=BROKEN)
        await ModelTests(model).run(work)
    (warning,) = work.warnings()
    assert problem in warning
    assert problem in standin.asked[0].last


async def test_where_nothing_may_be_run_it_says_so_and_goes_on() -> None:
    async with StandIn.open() as standin, model_of(standin) as model:
        work = Workbench(Executed(False, None, "set TWINWIRE_RUN_APPS=1", ""), files=BROKEN)
        await ModelTests(model).run(work)
    assert work.warnings() == ["The tests: not run: set TWINWIRE_RUN_APPS=1"]
    assert standin.asked == []
