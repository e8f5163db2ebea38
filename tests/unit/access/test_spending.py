"""What callers spend: by kind, all or nothing, and given back where nothing came of it."""

import asyncio
from collections.abc import Sequence

import pytest

from service.access.caller import Caller
from service.access.spending import SLICE, Spending, Weight, weigh
from service.core.errors import OverloadedError, RateLimitedError, TooLargeError
from service.core.event import Draft
from service.core.rates import Rate, Rates
from tests.support.access import caller_of
from tests.support.clock import ManualClock

NOBODY = Caller(address="192.0.2.7")
ADA = caller_of("ada")
LIMITED = Rates(publishes=Rate(20, 20), bytes=Rate(100, 1_000), topics=Rate(1, 5), messages=Rate(10, 2))
FREE = Rates()


def batch(count: int, topic: str = "t", data: str = "1") -> list[Draft]:
    return [Draft(topic, "x", data)] * count


def known(topic: str) -> bool:
    return topic == "t"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def publish(spending: Spending, caller: Caller, *drafts: Draft) -> None:
    spending.publish(caller, weight(drafts))


def weight(drafts: Sequence[Draft]) -> Weight:
    return Weight.of(drafts, known)


def test_bearers_and_the_anonymous_have_rates_of_their_own(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, LIMITED)
    assert spending.publish(ADA, weight(batch(10_000))) is None
    assert spending.publish(NOBODY, weight(batch(20))) is not None
    with pytest.raises(RateLimitedError) as refused:
        publish(spending, NOBODY, *batch(1))
    assert (refused.value.status, refused.value.retry_after) == (429, pytest.approx(0.05, abs=1e-4))
    other = Spending(clock, LIMITED, FREE)
    assert other.publish(NOBODY, weight(batch(10_000))) is None
    publish(other, ADA, *batch(20))
    with pytest.raises(RateLimitedError, match="20 events a second"):
        publish(other, ADA, *batch(1))


def test_a_caller_is_a_subject_or_an_address(clock: ManualClock) -> None:
    spending = Spending(clock, LIMITED, LIMITED)
    first, neighbour = (NOBODY._replace(address=f"2001:db8:1:2::{n}") for n in (1, 2))
    publish(spending, first, *batch(20))
    with pytest.raises(RateLimitedError):
        publish(spending, neighbour, *batch(1))
    publish(spending, NOBODY._replace(address="2001:db8:1:3::1"), *batch(20))
    publish(spending, ADA._replace(address="192.0.2.1"), *batch(20))
    with pytest.raises(RateLimitedError):
        publish(spending, ADA._replace(address="192.0.2.2"), *batch(1))
    publish(spending, caller_of("192.0.2.7"), *batch(20))
    publish(spending, NOBODY, *batch(20))


def test_new_topics_count_each_once_and_known_ones_not(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, Rates(topics=Rate(1, 5)))
    publish(spending, NOBODY, *batch(100))
    publish(spending, NOBODY, *(Draft(f"new/{n % 5}", "x", "1") for n in range(50)))
    with pytest.raises(RateLimitedError, match="60 new topics a minute") as refused:
        publish(spending, NOBODY, *batch(1, "one/more"))
    assert (refused.value.field, refused.value.retry_after) == ("topic", pytest.approx(1))
    publish(spending, NOBODY, *batch(1))
    clock.advance(1)
    publish(spending, NOBODY, *batch(1, "one/more"))


def test_a_topic_that_is_about_to_be_made_is_made_once(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, Rates(topics=Rate(1, 1)))
    first = spending.publish(NOBODY, weight(batch(1, "new")))
    assert first is not None
    with first:
        assert spending.publish(NOBODY, weight(batch(1, "new"))) is None
        with pytest.raises(RateLimitedError):
            publish(spending, NOBODY, *batch(1, "other"))
    with pytest.raises(RateLimitedError):
        publish(spending, NOBODY, *batch(1, "new"))
    assert spending._making == set()


def test_bytes_are_those_of_the_data_as_they_are_stored(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, Rates(bytes=Rate(100, 1_000)))
    publish(spending, NOBODY, *batch(1, data='"' + "é" * 499 + '"'))
    with pytest.raises(RateLimitedError) as refused:
        publish(spending, NOBODY, *batch(1))
    assert (refused.value.field, refused.value.retry_after) == ("data", pytest.approx(0.01))


@pytest.mark.parametrize(
    ("rates", "drafts", "field"),
    [
        (Rates(publishes=Rate(20, 20)), batch(21), None),
        (Rates(topics=Rate(1, 5)), [Draft(f"new/{n}", "x", "1") for n in range(6)], "topic"),
        (Rates(bytes=Rate(100, 1_000)), batch(1, data="1" * 1_001), "data"),
    ],
)
def test_what_could_never_pass_is_413_and_takes_nothing(
    clock: ManualClock, rates: Rates, drafts: list[Draft], field: str | None
) -> None:
    spending = Spending(clock, FREE, rates)
    with pytest.raises(TooLargeError, match="at once") as refused:
        publish(spending, NOBODY, *drafts)
    assert (refused.value.status, refused.value.field, refused.value.retry_after) == (413, field, None)
    publish(spending, NOBODY, *(batch(1, data="1" * 1_000) if field == "data" else drafts[:-1]))


def test_what_one_bucket_refuses_takes_nothing_from_the_others(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, LIMITED)
    publish(spending, NOBODY, *(Draft(f"new/{n}", "x", "1") for n in range(5)))
    for _ in range(100):
        with pytest.raises(RateLimitedError):
            publish(spending, NOBODY, *batch(1, "one/more"))
    publish(spending, NOBODY, *batch(15))


def test_what_fails_later_is_given_back_and_who_hangs_up_has_spent(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, Rates(publishes=Rate(20, 20)))

    def failing(error: BaseException) -> None:
        spent = spending.publish(NOBODY, weight(batch(20)))
        assert spent is not None
        with spent:
            raise error

    with pytest.raises(OverloadedError):
        failing(OverloadedError("the disk"))
    with pytest.raises(KeyboardInterrupt):
        failing(KeyboardInterrupt())
    with pytest.raises(RateLimitedError):
        publish(spending, NOBODY, *batch(1))


def test_messages_are_counted_beside_it(clock: ManualClock) -> None:
    spending = Spending(clock, LIMITED, FREE)
    for _ in range(100):
        spending.message(NOBODY)
    spending.message(ADA)
    spending.message(ADA)
    with pytest.raises(RateLimitedError, match="10 messages a second"):
        spending.message(ADA)
    clock.advance(0.1)
    spending.message(ADA)


def test_what_an_application_does_at_his_wish_is_his(clock: ManualClock) -> None:
    spending = Spending(clock, FREE, Rates(publishes=Rate(20, 20), topics=Rate(1, 5)))
    for _ in range(5):
        spending.work(NOBODY, 2, 1)
    with pytest.raises(RateLimitedError) as refused:
        spending.work(NOBODY, 2, 1)
    assert refused.value.field == "topic"
    spending.work(NOBODY, 10, 0)
    assert spending.work(ADA, 1_000, 1_000) is None


async def test_a_long_batch_is_weighed_in_steps_and_weighs_the_same() -> None:
    drafts = [Draft(f"new/{n % 700}" if n % 2 else "t", "x", '"é"') for n in range(10 * SLICE)]
    looks = [0]

    def is_known(topic: str) -> bool:
        looks[-1] += 1
        return known(topic)

    weighing = asyncio.create_task(weigh(drafts, is_known))
    while not weighing.done():
        await asyncio.sleep(0)
        looks.append(0)
    assert weighing.result() == Weight.of(drafts, known)
    assert sum(looks) == len(drafts)
    assert max(looks) <= SLICE


async def test_a_few_are_weighed_at_once() -> None:
    with pytest.raises(StopIteration):  # what a coroutine ends with that never suspends
        weigh(batch(SLICE), known).send(None)
