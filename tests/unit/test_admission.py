"""Who may come in by the settings, and how much is one caller's: `test_limits.py` has the rest of it."""

from typing import Any

from service.access.authority import Authority
from service.access.keys import KeyRing
from service.access.origins import Origins
from service.admission import authority_of
from service.settings import Settings
from tests.support.access import caller_of
from tests.support.bearers import KEYS
from tests.support.clock import ManualClock


def authority(**values: Any) -> Authority:
    """As after a start with these settings, and the same keys."""
    clock, access = ManualClock(), Settings.read({"token_keys": KEYS, **values}).access
    ring = KeyRing.read(access.token_keys.get_secret_value(), clock, audience=access.token_audience)
    return authority_of(access, ring, Origins([]), clock)


def test_what_a_cookie_says_holds_by_the_settings_that_its_token_was_good_by() -> None:
    """A setting that is taken back would else go on for who has spent a ticket; tokens without an end, for ever."""
    granted: dict[str, Any] = {"everyone_subscribe": "news/**", "token_without_exp": True}
    cookie = authority(**granted).tickets.seal("tk_1", caller_of("ada", "news/**"))
    assert authority(**granted, heartbeat=5).tickets.unseal("tk_1", cookie) is not None
    for other in (
        {"everyone_subscribe": ""},
        {"everyone_subscribe": "news/*"},
        {"token_without_exp": False},
        {"token_max_ttl": 60},
        {"token_audience": "us"},
    ):
        assert authority(**{**granted, **other}).tickets.unseal("tk_1", cookie) is None, other
