"""Limits are settings, each with its unit, its default and its answer."""

import pytest

from service.access.gate import Act
from service.assembly import most_of, spending_of
from service.core.errors import ConfigError
from service.core.limits import DATA_MAX, ENVELOPE_MAX, REQUEST_MAX
from service.core.rates import Rate, Rates
from service.limits import ADDRESSES, CALLERS, LimitSettings
from service.settings import Settings
from tests.support.access import Known, Visitor, gate_with
from tests.support.clock import ManualClock


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TWINWIRE_"):
            monkeypatch.delenv(name)


def test_every_limit_of_the_settings_has_a_unit_and_an_answer() -> None:
    for name, info in LimitSettings.model_fields.items():
        assert set(info.json_schema_extra or ()) == {"unit", "answer"}, name


# What they are by default, and when they count


def test_without_keys_and_hops_nothing_is_counted_of_one() -> None:
    """A company behind one proxy is one address, and everybody is anonymous."""
    settings = Settings.read()
    assert spending_of(settings, ManualClock(), has_keys=False) is None
    assert set(most_of(settings)) == {0}
    gate = gate_with(most=most_of(settings), spending=spending_of(settings, ManualClock(), has_keys=False))
    leases = [gate.enter(Visitor(), Act.STREAM) for _ in range(18_000)]
    assert gate.places == len(leases)


def test_with_keys_those_without_a_token_are_limited_and_bearers_are_not() -> None:
    settings = Settings.read()
    assert settings.limits.bearers() == Rates()
    assert settings.limits.anonymous(has_keys=True) == Rates(publishes=Rate(20, 20), topics=Rate(1, 60))
    assert spending_of(settings, ManualClock(), has_keys=True) is not None


def test_named_hops_switch_on_what_is_counted_by_address() -> None:
    assert most_of(Settings.read({"trusted_hops": "10.0.0.1"})).address_streams == 1_000
    gate = gate_with(Known(), most=most_of(Settings.read({"trusted_hops": "10.0.0.1", "address_streams": 0})))
    assert gate.shares.most.address_streams == 0


def test_what_is_set_counts_also_where_its_default_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_ANONYMOUS_PUBLISH_RATE", "5")
    monkeypatch.setenv("TWINWIRE_ADDRESS_STREAMS", "7")
    settings = Settings.read()
    assert settings.limits.anonymous(has_keys=False) == Rates(publishes=Rate(5, 20))
    assert most_of(settings).address_streams == 7
    monkeypatch.setenv("TWINWIRE_ANONYMOUS_PUBLISH_RATE", "")
    assert Settings.read().limits.anonymous(has_keys=False).is_off
    assert {*CALLERS, *ADDRESSES} <= set(LimitSettings.model_fields)


def test_a_rate_without_a_burst_has_as_much_at_once_as_in_its_time() -> None:
    limits = LimitSettings(publish_rate=5, topic_rate=60, message_rate=0.1, publish_bytes=100, publish_bytes_burst=1)
    assert limits.bearers() == Rates(Rate(5, 5), Rate(100, 1), Rate(1, 60), Rate(0.1, 1))
    anonymous = LimitSettings(anonymous_publish_burst=0, anonymous_topic_burst=0).anonymous(has_keys=True)
    assert anonymous == Rates(publishes=Rate(20, 20), topics=Rate(1, 60))


@pytest.mark.parametrize("name", [name for name in LimitSettings.model_fields if name.endswith("_rate")])
@pytest.mark.parametrize("value", ["-1", "inf", "nan"])
def test_a_rate_is_a_number(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"TWINWIRE_{name.upper()}"):
        Settings.read({name: value})


def test_a_body_holds_one_event_at_least() -> None:
    assert Settings.read({"body_max": DATA_MAX + ENVELOPE_MAX}).limits.body_max == DATA_MAX + ENVELOPE_MAX
    for values in (
        {"body_max": DATA_MAX + ENVELOPE_MAX - 1},
        {"data_max": 1 << 20, "body_max": 1 << 20},
        {"body_max": REQUEST_MAX + 1},
    ):
        with pytest.raises(ConfigError) as refused:
            Settings.read(values)
        assert refused.value.field == "TWINWIRE_BODY_MAX"
