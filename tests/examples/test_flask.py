"""examples/flask: an order that is placed in one window is in the other one, and so is that it was paid."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.examples.programs import Example, looked_at
from tests.examples.sites import SEEN

pytestmark = pytest.mark.browser


def is_live(page: Page) -> None:
    expect(page.locator("#live")).to_have_text("Live.", timeout=SEEN)


def place(page: Page, item: str) -> None:
    page.fill("input[name=item]", item)
    page.click("button:text('Order')")


def sees(page: Page, *orders: str) -> None:
    expect(page.locator("#orders form")).to_have_text([f"{order} Pay" for order in orders], timeout=SEEN)


@pytest.mark.timeout(120)
def test_orders_are_live(tmp_path: Path) -> None:
    with Example("flask", tmp_path) as example, looked_at() as (context, errors):
        example.start("python app.py")
        mine, other = context.new_page(), context.new_page()
        for page in (mine, other):
            page.goto(example.url)
            is_live(page)
        place(mine, "<b>tea</b>")
        sees(other, "<b>tea</b>: open")
        place(mine, "milk")
        sees(other, "<b>tea</b>: open", "milk: open")
        mine.click("#order-1 button")
        for page in (mine, other):
            sees(page, "<b>tea</b>: paid", "milk: open")
        expect(other.locator("#order-1 button")).to_be_hidden()
        is_live(mine)
        assert errors == []

        example.service.kill9()
        expect(other.locator("#live")).to_contain_text("Not live (reconnecting)", timeout=SEEN)
        place(mine, "bread")  # is committed, and waits
        sees(mine, "<b>tea</b>: paid", "milk: open", "bread: open")
        expect(mine.locator("#live")).to_have_text("Not live: what you see may be out of date.")
        sees(other, "<b>tea</b>: paid", "milk: open")
        example.service.start()
        is_live(other)
        sees(other, "<b>tea</b>: paid", "milk: open", "bread: open")
        answer = context.request.post(f"{example.url}/orders/9/paid")
        assert answer.status == 404
    assert example.service.faults() == []
