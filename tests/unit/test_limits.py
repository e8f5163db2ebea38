"""Limits are settings, each with its unit, its default and its answer."""

import pytest

from service.core.errors import ConfigError
from service.core.limits import DATA_MAX, ENVELOPE_MAX, REQUEST_MAX
from service.limits import LimitSettings
from service.settings import Settings


def test_every_limit_of_the_settings_has_a_unit_and_an_answer() -> None:
    for name, info in LimitSettings.model_fields.items():
        assert set(info.json_schema_extra or ()) == {"unit", "answer"}, name


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
