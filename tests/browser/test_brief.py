"""The brief of a new project: as rows, as a text, from an example, from a description."""

import json
import re

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.desk import Desk
from tests.support.http import request

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LIBRARY = "tools: name text, deposit float;\nloans: tool -> tools, due date"
DESCRIPTION = "We lend tools to neighbours. Every loan has a due date."


def text_of(page: Page) -> Locator:
    return page.get_by_label("Brief", exact=True)


def entity_of(place: Page | Locator) -> Locator:
    """The input of an entity's name."""
    return place.get_by_role("textbox", name="Entity", exact=True)


async def switch(page: Page, to: str) -> None:
    await page.get_by_role("button", name=to, exact=True).click()


async def test_a_brief_is_written_by_keyboard_row_by_row(desk: Desk) -> None:
    page = desk.page
    await desk.home()
    await page.get_by_label("Name", exact=True).fill("By rows")
    await entity_of(page).focus()
    for word in ("loans", "due"):
        await page.keyboard.type(word)
        await page.keyboard.press("Enter")
    await page.keyboard.type("tool")
    await page.get_by_label("Type of due").select_option("Date")
    await page.get_by_role("button", name="Add an entity").focus()
    await page.keyboard.press("Enter")
    for word in ("tools", "name"):
        await page.keyboard.type(word)
        await page.keyboard.press("Enter")
    await page.keyboard.type("gone")
    await page.get_by_role("button", name="Remove gone").press("Enter")
    await expect(page.get_by_label("Field 1 of tools")).to_be_focused()
    await page.get_by_label("Type of tool", exact=True).select_option("→ tools")
    await page.get_by_label("Field 2 of loans").press("Alt+ArrowUp")
    await expect(page.get_by_label("Field 1 of loans")).to_be_focused()
    await expect(page.locator("#brief-live")).to_have_text("tool is now number 1 of 2.")
    await page.get_by_role("button", name="Move tools up").press("Enter")
    await expect(page.get_by_role("button", name="Move tools down")).to_be_focused()
    await entity_of(page.get_by_role("group", name="Entity tools")).fill("machines")
    await page.get_by_role("button", name="Create project").click()
    await expect(page.locator("#project")).to_be_visible()
    made = (await request(desk.url, "GET", f"/api/projects/{page.url.rpartition('=')[2]}")).json()
    assert made["brief"].replace("\n", " ") == "machines: name text; loans: tool -> machines, due date"


async def test_one_press_makes_one_project_and_who_comes_back_may_make_another(desk: Desk) -> None:
    page, button = desk.page, desk.page.get_by_role("button", name="Create project")

    async def stay(route: Route) -> None:
        await route.fulfill(status=204)

    await page.route("**/project.html?*", stay)  # on its way for as long as one likes
    await desk.home()
    await page.get_by_label("Name", exact=True).fill("Only once")
    await desk.write_brief("a: b text")
    async with page.expect_response("**/project.html?*"):
        await button.click()
    await expect(button).to_be_disabled()
    await page.evaluate("dispatchEvent(new Event('pageshow'))")
    await expect(button).to_be_enabled()


async def test_form_and_text_say_the_same_and_lose_nothing(desk: Desk) -> None:
    page = desk.page
    await desk.home()
    text = "tools : name TEXT ;\n\n  loans: tool->tools,\n due date"
    await desk.write_brief(text)
    await expect(page.locator("#brief-live")).to_have_text("Read as 2 entities, 3 fields.")
    await switch(page, "Form")
    await expect(page.get_by_label("Type of tool", exact=True)).to_have_value("entity:0")
    await switch(page, "Text")
    await expect(text_of(page)).to_have_value(text)
    await switch(page, "Form")
    await page.get_by_label("Field 1 of tools").fill("")
    await page.get_by_role("button", name="Add an entity").click()
    await switch(page, "Text")
    await expect(text_of(page)).to_have_value(re.compile("^tools: ?;\nloans: tool -> tools, due date$"))
    await switch(page, "Form")
    await expect(page.locator(".entity")).to_have_count(3)
    await switch(page, "Text")
    await text_of(page).fill("tools: name txt")
    await switch(page, "Form")
    await expect(page.locator("#brief-error")).to_contain_text("did you mean 'text'?")
    await expect(text_of(page)).to_be_focused()
    await expect(text_of(page)).to_have_value("tools: name txt")
    assert await text_of(page).evaluate("area => area.selectionStart") == len("tools: name ")


async def test_what_is_wrong_stands_at_its_row(desk: Desk) -> None:
    page = desk.page
    await desk.home()
    await page.get_by_label("Name", exact=True).fill("Wrong")
    await entity_of(page).fill("Büro-Möbel")
    await expect(entity_of(page)).to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name="Use buero_moebel").click()
    await expect(entity_of(page)).to_be_focused()
    await expect(entity_of(page)).to_have_value("buero_moebel")
    await expect(page.locator(".entity .field__error:visible")).to_have_count(0)
    await page.get_by_role("button", name="Create project").click()
    await expect(page.get_by_text("An entity has a field at least.")).to_be_visible()
    await expect(page.get_by_label("Field 1 of buero_moebel")).to_be_focused()


async def test_an_example_gives_back_what_it_has_taken(desk: Desk) -> None:
    page = desk.page
    await desk.home()
    await page.get_by_role("button", name="Task board").click()
    await page.get_by_role("button", name="Reading list").click()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    await page.get_by_label("Name", exact=True).fill("My own")
    await page.get_by_label("Field 1 of books").fill("isbn")
    await page.get_by_role("button", name="Tool library").click()
    await expect(page.get_by_label("Field 1 of tools")).to_have_value("name")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("My own")
    await expect(page.get_by_label("Field 1 of books")).to_have_value("isbn")
    await page.get_by_role("button", name="Redo").click()
    await expect(page.get_by_label("Field 1 of tools")).to_have_value("name")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_label("Field 1 of books")).to_have_value("isbn")
    await page.get_by_role("button", name="Remove books").click()
    await expect(page.locator(".entity")).to_have_count(1)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_label("Type of book", exact=True)).to_have_value("entity:0")


async def test_a_description_is_answered_with_a_beginning(desk: Desk) -> None:
    """No parser's words; and nothing is taken over until somebody says so."""
    page = desk.page
    await desk.home()
    await page.get_by_label("Name", exact=True).fill("Described")
    await page.get_by_role("button", name="Describe it in words").click()
    await text_of(page).fill(DESCRIPTION)
    await expect(page.locator("#brief-prose")).to_contain_text("This reads like a description.")
    await expect(page.locator("#brief-proposal")).to_contain_text("loans: tool -> tools, neighbour -> neighbours")
    await expect(page.locator("#brief-live")).to_be_hidden()
    await expect(page.get_by_role("button", name="Ask the language model")).to_be_hidden()
    await page.get_by_role("button", name="Use this brief").click()
    await expect(page.get_by_label("Type of neighbour", exact=True)).to_have_value("entity:1")
    await expect(page.locator("#brief-prose")).to_be_hidden()
    await page.get_by_role("button", name="Undo").click()
    await expect(text_of(page)).to_have_value(DESCRIPTION)
    for button in ("Form", "Create project"):
        await switch(page, button)
        await expect(text_of(page)).to_be_focused()
        await expect(page.locator("#brief-prose")).to_be_visible()
        await expect(page.locator("#brief-error")).to_be_hidden()


async def test_a_model_proposes_a_brief_that_a_person_confirms(desk: Desk) -> None:
    page = desk.page
    answers = [(503, {"title": "x", "status": 503, "detail": "The model came to nothing."}), (200, None)]
    asked: list[str] = []

    async def model(route: Route) -> None:
        if route.request.method == "GET":
            await route.fulfill(json={"available": True})
            return
        asked.append(json.loads(route.request.post_data or "")["text"])
        status, problem = answers.pop(0)
        proposal = {"brief": LIBRARY, "explanation": "Members were left out."}
        media = "application/problem+json" if problem else "application/json"
        await route.fulfill(status=status, body=json.dumps(problem or proposal), content_type=media)

    await page.route("**/api/projects/brief", model)
    await desk.home()
    await desk.write_brief(DESCRIPTION)
    ask = page.get_by_role("button", name="Ask the language model")
    await ask.click()
    await expect(page.locator("#brief-prose")).to_contain_text("The model came to nothing.")
    await ask.click()
    await expect(page.locator("#brief-prose")).to_contain_text("Members were left out.")
    await expect(page.locator("#brief-proposal")).to_have_text(LIBRARY)
    await expect(text_of(page)).to_have_value(DESCRIPTION)
    assert asked == [DESCRIPTION, DESCRIPTION]
    await page.get_by_role("button", name="Use this brief").click()
    await switch(page, "Text")
    await expect(text_of(page)).to_have_value(LIBRARY)
