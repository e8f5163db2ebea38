"""examples/celery: a text is seen as it grows, and is whole though its process was killed in the middle of it."""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.examples.programs import EXAMPLES, Example, children, looked_at
from tests.examples.sites import SEEN

pytestmark = pytest.mark.browser


def words() -> list[str]:
    """That the task has to say."""
    (found,) = re.findall(r'^ANSWER = "(.+)"$', (EXAMPLES / "celery" / "app.py").read_text("utf-8"), re.MULTILINE)
    return str(found).split()


def at_work(pid: int) -> int:
    """The worker's process that has the task: its client has a thread. One that has none holds the pool's lock while it
    waits, and a pool does not survive that it is killed."""
    (found,) = [child for child in children(pid) if len(list(Path(f"/proc/{child}/task").iterdir())) > 1]
    return found


@pytest.mark.timeout(120)
def test_an_answer_is_live(tmp_path: Path) -> None:
    whole = "".join(f"{word} " for word in words())
    with Example("celery", tmp_path) as example, looked_at() as (context, errors):
        worker = example.start("celery -A app.queue worker -l INFO", ready="ready.")
        example.start("flask --app app run")
        page = context.new_page()
        page.goto(example.url)
        page.click("button:text('Ask')")
        expect(page.locator("#live")).to_have_text("Live.", timeout=SEEN)
        expect(page.locator("#text")).to_contain_text(words()[2], timeout=3 * SEEN)  # its first task takes it long
        os.kill(at_work(worker.pid), signal.SIGKILL)
        assert page.inner_text("#text").strip() != whole.strip(), "it was on its way"
        other = context.new_page()
        other.goto(page.url)
        for one in (page, other):
            expect(one.locator("#progress")).to_have_js_property("value", 1, timeout=SEEN)
            expect(one.locator("#text")).to_have_text(whole, timeout=SEEN)
        assert "WorkerLostError" in "".join(worker.said)
        example.service.kill9()
        expect(page.locator("#live")).to_contain_text("Not live (reconnecting)", timeout=SEEN)
        assert errors == []
    assert example.service.faults() == []
