"""Limits are settings, each with its unit, its default and its answer."""

from service.limits import LimitSettings


def test_every_limit_of_the_settings_has_a_unit_and_an_answer() -> None:
    for name, info in LimitSettings.model_fields.items():
        assert set(info.json_schema_extra or ()) == {"unit", "answer"}, name
