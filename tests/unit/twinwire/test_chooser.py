import pytest

from twinwire.chooser import Chooser, Transport
from twinwire.errors import Fault, Problem

CUT = Fault("network", "cut")


def ended(
    chooser: Chooser, name: Transport, fault: Fault = CUT, *, connected: bool = False, productive: bool = False
) -> None:
    chooser.ended(name, fault, was_connected=connected, was_productive=productive)


def test_the_best_first() -> None:
    assert Chooser().order() == ["websocket", "sse", "poll"]
    assert Chooser(("sse", "poll")).order() == ["sse", "poll"]


def test_three_failures_in_a_row_demote() -> None:
    chooser = Chooser()
    for _ in range(2):
        ended(chooser, "websocket")
    assert chooser.order()[0] == "websocket"
    ended(chooser, "websocket")
    assert chooser.order() == ["sse", "poll", "websocket"]


def test_a_productive_one_stands_well_again() -> None:
    chooser = Chooser()
    for _ in range(3):
        ended(chooser, "websocket")
    chooser.productive("websocket")
    assert chooser.order()[0] == "websocket"


@pytest.mark.parametrize("kind", ["stalled", "unsupported"])
def test_a_stall_demotes_at_once(kind: str) -> None:
    chooser = Chooser()
    ended(chooser, "websocket", Fault(kind, ""), connected=True, productive=True)  # type: ignore[arg-type]
    assert chooser.order()[0] == "sse"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("goodbye", "restart"),
        Fault("dropped", "closed"),
        Fault("closed", "", code=1012),
        Fault("http", "", 503, Problem(status=503)),
    ],
)
def test_what_was_meant_says_nothing_of_a_transport(fault: Fault) -> None:
    chooser = Chooser()
    for _ in range(5):
        ended(chooser, "websocket", fault)
    assert chooser.order()[0] == "websocket"


def test_with_none_left_it_begins_anew() -> None:
    chooser = Chooser()
    for name in chooser.order():
        ended(chooser, name, Fault("stalled", ""))
    assert chooser.order() == ["websocket", "sse", "poll"]


def test_all_failed_together_teaches_nothing() -> None:
    chooser = Chooser()
    for _ in range(5):
        ended(chooser, "websocket")
        ended(chooser, "websocket")
        chooser.all_failed()
    assert chooser.order()[0] == "websocket"


def test_two_cuts_after_the_same_silence_are_an_idle_timeout() -> None:
    chooser = Chooser()
    ended(chooser, "websocket", Fault("network", "", silence=5.0), connected=True)
    assert chooser.ping_every is None
    ended(chooser, "websocket", Fault("network", "", silence=9.0), connected=True)
    assert chooser.ping_every is None
    ended(chooser, "websocket", Fault("network", "", silence=9.5), connected=True)
    assert chooser.ping_every == pytest.approx(5.7)


def test_what_would_be_better() -> None:
    assert Chooser().better("poll") == ("websocket", "sse")
    assert Chooser().better("websocket") == ()
