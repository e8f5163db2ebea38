"""The operator's form to publish: nothing that was typed is lost, and nothing is published twice."""

from typing import Any, Final

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.desk import sign_in
from tests.browser.operator import ROOT
from tests.support.bearers import ask, token
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DATA: Final = '{"text": "hello",\n "n": 12345678901234567890}'


class Publishing:
    """The form, as a person uses it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.form = page.locator("#publish-form")
        self.note = page.locator("#publish-note")
        self.button = self.form.get_by_role("button", name="Publish")

    async def open(self, text: str | None = ROOT) -> None:
        if text is not None:
            await sign_in(self.page.context, self.url, text)
        await self.page.goto(f"{self.url}/admin.html")

    async def publish(self, topic: str, data: str = DATA, kind: str = "note", key: str = "") -> None:
        for name, value in (("topic", topic), ("type", kind), ("data", data), ("key", key)):
            await self.page.locator(f"#publish-{name}").fill(value)
        await self.button.click()

    async def typed(self) -> list[str]:
        return [await self.page.locator(f"#publish-{name}").input_value() for name in ("topic", "type", "data", "key")]

    async def events(self, topic: str) -> list[Any]:
        answer = await ask(self.url, "GET", f"/api/events?topic={topic}&after=earliest", ROOT)
        assert answer.status == 200, answer.body
        return list(answer.json()["events"])


@pytest.fixture
def form(page: Page, guarded: ServerProcess) -> Publishing:
    return Publishing(page, guarded.url)


async def test_an_event_is_published_as_it_was_typed_and_shown_in_the_tail(form: Publishing) -> None:
    await form.open()
    await form.publish("published/one", '{"before": true}')
    await expect(form.note).to_contain_text("Published as")
    await form.publish("published/one")
    await expect(form.note).to_contain_text("Published as")
    first, event = await form.events("published/one")
    assert event["data"] == {"text": "hello", "n": 12345678901234567890}, "with all its digits"
    await expect(form.note.locator("code")).to_have_text(event["id"])
    await expect(form.button).to_be_focused()
    await form.note.get_by_role("link", name="Show it in the tail").press("Enter")
    row = form.page.locator(f'#tail-rows > li[data-id="{event["id"]}"]')
    await expect(row.locator("details")).to_have_attribute("open", "")
    await expect(row.locator("summary")).to_be_focused()
    await expect(form.page.locator(f'#tail-rows > li[data-id="{first["id"]}"]')).to_have_count(0)
    assert await form.typed() == ["published/one", "note", DATA, ""]
    await form.note.get_by_role("link").click()  # to where one is already
    await expect(row.locator("details")).to_have_attribute("open", "")


async def test_data_is_checked_as_it_is_typed(form: Publishing) -> None:
    await form.open()
    data, error = form.page.locator("#publish-data"), form.page.locator("#publish-data-error")
    await data.press_sequentially('{"a": 1, "b" 2')
    await expect(error).to_have_text("Line 1, column 14: a colon is expected, not 2.")
    await expect(data).to_have_attribute("aria-invalid", "true")
    await expect(data).to_have_attribute("aria-describedby", "publish-data-error")
    sent: list[str] = []
    form.page.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
    await form.publish("published/checked", '{"a": 1,\n "b" 2}')
    await expect(data).to_be_focused()
    assert await data.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)") == "2"
    await data.fill("")
    await expect(error).to_be_hidden()
    await form.button.click()
    await expect(error).to_have_text("Line 1, column 1: a value is expected, and the text ends.")
    assert sent == []
    await data.fill("null")
    await expect(error).to_be_hidden()


@pytest.mark.parametrize(
    ("field", "words", "typed"),
    [
        ("topic", "Publishing was refused (403)", {"topic": "twinwire/x"}),
        ("topic", "Publishing was refused (403)", {"topic": "mercure"}),
        ("topic", "topic", {"topic": "a//b"}),
        ("type", "gap", {"topic": "a", "kind": "gap"}),
        ("type", "Publishing was refused (403)", {"topic": "projects/1", "kind": "log"}),
        ("data", "Publishing was refused (413)", {"topic": "a", "data": f'"{"x" * 70_000}"'}),
        ("key", "key", {"topic": "a", "key": "k" * 200}),
    ],
)
async def test_a_refusal_stands_at_the_field_that_it_names(
    form: Publishing, field: str, words: str, typed: dict[str, str]
) -> None:
    await form.open()
    await form.publish(**typed)
    await expect(form.page.locator(f"#publish-{field}-error")).to_contain_text(words)
    await expect(form.page.locator(f"#publish-{field}")).to_be_focused()
    given = {"kind": "note", "data": DATA, "key": "", **typed}
    assert await form.typed() == [given["topic"], given["kind"], given["data"], given["key"]]
    await form.page.locator(f"#publish-{field}").fill("1")
    await expect(form.page.locator(f"#publish-{field}-error")).to_be_hidden()


async def test_a_key_that_was_used_publishes_nothing_and_says_so(form: Publishing) -> None:
    await form.open()
    await form.publish("published/keyed", "1", key="once")
    await expect(form.note).to_contain_text("Published as")
    await form.publish("published/keyed", "2", key="once")
    await expect(form.note).to_contain_text("This key was used before, and nothing is published anew.")
    (event,) = await form.events("published/keyed")
    assert event["data"] == 1
    await expect(form.note.locator("code")).to_have_text(event["id"])


async def test_what_was_published_without_an_answer_is_not_published_twice(form: Publishing) -> None:
    await form.open()

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await form.page.route("**/api/events", lose)
    await form.publish("published/lost", "1")
    await expect(form.note).to_contain_text("did not reach the server")
    await expect(form.note).to_contain_text("It may be published all the same")
    assert await form.typed() == ["published/lost", "note", "1", ""]
    await form.page.unroute("**/api/events")
    await form.button.click()
    await expect(form.note).to_contain_text("Published as")
    assert len(await form.events("published/lost")) == 1
    await form.button.click()  # and once more is meant
    await expect(form.note.locator("code")).not_to_have_text((await form.events("published/lost"))[0]["id"])
    assert len(await form.events("published/lost")) == 2


async def test_who_may_publish_nothing_sees_why(form: Publishing) -> None:
    await form.open(token("ada", subscribe=["a"]))
    await expect(form.button).to_be_disabled()
    await expect(form.form).to_contain_text("To publish takes a token that may publish on something.")
    await form.open(token("bob", publish=["bob/*"]))
    await expect(form.button).to_be_enabled()
    await form.publish("others")
    await expect(form.page.locator("#publish-topic-error, #publish-note")).to_contain_text(
        ["Publishing was refused (403)"]
    )
