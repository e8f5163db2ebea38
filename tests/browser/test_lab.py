"""The wire lab in Chromium: whatever is broken, the ledger ends with nothing missing and nothing twice."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.desk import Desk, next_frame

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def press(desk: Desk, name: str) -> None:
    await desk.page.get_by_role("button", name=name, exact=True).click()


async def assert_all_arrived(desk: Desk, published: int) -> None:
    await expect(desk.page.locator("#published")).to_have_text(f"{published:,}")
    await expect(desk.page.locator("#received")).to_have_text(f"{published:,}", timeout=30_000)
    await expect(desk.page.locator("#verdict")).to_contain_text("exactly once")
    assert await desk.figure("missing") == 0
    assert await desk.figure("twice") == 0


async def test_a_burst_arrives(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "1,000")
    await assert_all_arrived(desk, 1_000)


async def test_events_published_while_offline_are_replayed(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "10 events")
    await assert_all_arrived(desk, 10)
    await press(desk, "Go offline for 10 s")
    await expect(desk.page.locator("#indicator-state")).to_have_text("Offline")
    await press(desk, "100")
    await expect(desk.page.locator("#missing")).to_have_text("100")
    await expect(desk.page.locator("#verdict")).to_contain_text("wait in the log")
    await desk.live()
    await assert_all_arrived(desk, 110)
    await expect(desk.page.locator("#journal")).to_contain_text("100 events replayed")


async def test_a_dropped_connection_loses_nothing(desk: Desk) -> None:
    await desk.lab()
    connections = desk.page.locator("#journal li", has_text="Connected over")
    await press(desk, "Steady: 10 a second")
    for drops in range(1, 4):
        await press(desk, "Drop the connection")
        await press(desk, "100")
        await expect(connections).to_have_count(1 + drops, timeout=30_000)
    await press(desk, "Steady: 10 a second")
    await expect(desk.page.locator("#missing")).to_have_text("0", timeout=30_000)
    await expect(desk.page.locator("#verdict")).to_contain_text("exactly once")
    await desk.page.wait_for_function(  # an event may be here before the answer to whoever published it
        "document.querySelector('#received').textContent === document.querySelector('#published').textContent"
    )
    assert await desk.figure("received") >= 300
    assert await desk.figure("twice") == 0


async def test_a_blocked_websocket_falls_back_and_comes_back(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "100")
    await press(desk, "Block WebSocket")
    await expect(desk.page.locator("#indicator-state")).to_have_text(re.compile("SSE|Long poll"), timeout=30_000)
    await press(desk, "100")
    await assert_all_arrived(desk, 200)
    await press(desk, "Block WebSocket")
    await desk.live("WebSocket")
    await press(desk, "100")
    await assert_all_arrived(desk, 300)


@pytest.mark.parametrize(
    ("choice", "name"),
    [("websocket", "WebSocket"), ("sse", "SSE"), ("poll", "Long poll")],
)
async def test_each_transport_goes_on_from_the_same_cursor(desk: Desk, choice: str, name: str) -> None:
    await desk.lab()
    await press(desk, "100")
    await assert_all_arrived(desk, 100)
    await desk.page.get_by_label("Transport", exact=True).select_option(choice)
    await desk.live(name)
    await press(desk, "100")
    await assert_all_arrived(desk, 200)


@pytest.mark.parametrize("choice", ["websocket", "sse"])
async def test_swallowed_events_are_proved_and_read_again(desk: Desk, choice: str) -> None:
    await desk.lab()
    await desk.page.get_by_label("Transport", exact=True).select_option(choice)
    await next_frame(desk.page)
    await desk.live({"websocket": "WebSocket", "sse": "SSE"}[choice])
    await press(desk, "Swallow 5 events")
    await press(desk, "10 events")
    await assert_all_arrived(desk, 10)
    await expect(desk.page.locator("#journal")).to_contain_text("chain of “prev” is broken")


async def test_what_was_trimmed_unseen_is_told_by_a_gap(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "Go offline for 10 s")
    await press(desk, "10 events")
    await expect(desk.page.locator("#missing")).to_have_text("10")
    await press(desk, "Trim the log")
    await expect(desk.page.locator("#verdict")).to_contain_text("10 were trimmed unseen", timeout=30_000)
    await expect(desk.page.locator("#journal")).to_contain_text("Gap:")


async def test_a_frozen_connection_that_thaws_delivers_what_it_held(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "Freeze it")
    await press(desk, "100")
    await expect(desk.page.locator("#missing")).to_have_text("100")
    await press(desk, "Freeze it")
    await assert_all_arrived(desk, 100)


async def test_what_a_freeze_holds_back_is_not_called_lost(desk: Desk) -> None:
    """And the client is through with the frozen connection in ten seconds, of which the page counts the rest."""
    await desk.lab()
    verdicts = await desk.page.evaluate_handle(
        """() => {
            const seen = [], node = document.querySelector("#verdict");
            new MutationObserver(() => seen.push(node.textContent)).observe(node, { childList: true, subtree: true });
            return seen;
        }"""
    )
    await press(desk, "Freeze it")
    await press(desk, "100")
    held = re.compile(r"^100 events held back by the freeze; the client gives the connection up in \d+ s\.$")
    await expect(desk.page.locator("#verdict")).to_have_text(held)
    await assert_all_arrived(desk, 100)
    await expect(desk.page.locator("#freeze")).to_have_attribute("aria-pressed", "false")
    await expect(desk.page.locator("#journal")).to_contain_text("given the frozen connection up")
    seen = await verdicts.json_value()
    assert not [words for words in seen if "must never happen" in words], seen


async def test_the_tour_shows_all_of_it_and_ends_exact(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "Show me, in 30 seconds")
    await expect(desk.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    await expect(desk.page.locator("#fault-note")).to_contain_text("That was all of it", timeout=60_000)
    journal = desk.page.locator("#journal")
    for told in (
        "The connection was cut",
        "chain of “prev” is broken",
        "WebSocket is blocked",
        "Gap:",
        "to WebSocket",
    ):
        await expect(journal).to_contain_text(told)
    await expect(desk.page.locator("#missing")).to_have_text("0", timeout=30_000)
    await expect(desk.page.locator("#verdict")).to_have_attribute("data-tone", "green")
    await desk.live("WebSocket")
    assert await desk.figure("twice") == 0


async def test_faults_are_the_tours_while_it_runs_and_as_they_were_after_it(desk: Desk) -> None:
    """What was broken by hand is mended before it, and its timer ends nothing that is the tour's."""
    page = desk.page
    await page.clock.install()
    await desk.lab()
    await press(desk, "Steady: 10 a second")
    await press(desk, "Block WebSocket")
    await press(desk, "Go offline for 10 s")
    await expect(page.locator("#indicator-state")).to_have_text("Offline")
    await press(desk, "Show me, in 30 seconds")
    await expect(page.locator("#indicator-state")).not_to_have_text("Offline")
    await expect(page.locator("#block")).to_have_attribute("aria-pressed", "false")
    reason = page.get_by_text("The tour presses these until it ends, or you stop it.")
    await expect(reason).to_be_visible()
    for id in ("transport", "block", "drop", "freeze", "swallow", "offline", "steady", "trim"):
        await expect(page.locator(f"#{id}")).to_be_disabled()
    await expect(page.get_by_role("button", name="10 events")).to_be_enabled()
    await page.clock.run_for(18_000)
    await expect(page.locator("#indicator-state")).to_have_text("Offline")
    await press(desk, "Stop")
    await expect(reason).to_be_hidden()
    for id in ("transport", "block", "drop", "freeze", "swallow", "offline", "steady", "trim"):
        await expect(page.locator(f"#{id}")).to_be_enabled()
    await expect(page.locator("#block")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("#steady")).to_have_attribute("aria-pressed", "true")
    await press(desk, "Steady: 10 a second")
    await desk.live("WebSocket")
    await expect(page.locator("#missing")).to_have_text("0", timeout=30_000)
    assert await desk.figure("twice") == 0


async def test_the_tour_can_be_stopped_and_leaves_nothing_broken(desk: Desk) -> None:
    await desk.lab()
    await press(desk, "Show me, in 30 seconds")
    await expect(desk.page.locator("#published")).not_to_have_text("0")
    await press(desk, "Stop")
    await expect(desk.page.get_by_role("button", name="Show me, in 30 seconds")).to_be_visible()
    await expect(desk.page.locator("#missing")).to_have_text("0", timeout=30_000)
    await expect(desk.page.locator("#verdict")).to_contain_text("exactly once")
