"""Variables that are none of ours are told with the setting that may have been meant; all that are known are not."""

import pytest
from structlog.testing import capture_logs

from service.apps.projects.settings import ProjectsSettings
from service.command.variables import BESIDE, unknown_variables, warn_of_unknown
from service.settings import every_setting


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("TWINWIRE_HOSTT", "TWINWIRE_HOST"),
        ("TWINWIRE_ALLOWED_ORIGIN", "TWINWIRE_ALLOWED_ORIGINS"),
        ("TWINWIRE_TOKEN_KEY", "TWINWIRE_TOKEN_KEYS"),
        ("TWINWIRE_MAXSTREAMS", "TWINWIRE_MAX_STREAMS"),
        ("TWINWIRE_GENERATION_PASE", "TWINWIRE_GENERATION_PACE"),
        ("twinwire_retension", "TWINWIRE_RETENTION"),
        ("TWINWIRE_COLOUR_OF_THE_SKY", None),
        ("TWINWIRE_", None),
    ],
)
def test_the_nearest_name_is_told(name: str, nearest: str | None) -> None:
    (found,) = unknown_variables({name: "secret", "PATH": "/bin"})
    assert found == (name, nearest)
    assert found.told == f"{name} is no setting" + (f"; {nearest} is" if nearest else "")


def test_all_that_is_known_is_known_however_it_is_written() -> None:
    known = {name for name, _ in every_setting(ProjectsSettings)} | BESIDE
    assert list(unknown_variables(dict.fromkeys(known, "x"))) == []
    assert list(unknown_variables({name.lower(): "x" for name in known})) == []
    assert list(unknown_variables({"TWINWIREX": "x", "MY_TWINWIRE_HOSTS": "x"})) == []


def test_what_the_tests_themselves_use_is_known() -> None:
    import os

    assert [one.name for one in unknown_variables(os.environ)] == []


def test_each_is_a_line_in_the_log_without_its_value() -> None:
    with capture_logs() as lines:
        warn_of_unknown({"TWINWIRE_HOSTT": "secret", "TWINWIRE_ZZZZZZZ": "secret", "TWINWIRE_HOST": "127.0.0.1"})
    assert [(line["event"], line["log_level"], line["variable"], line["nearest"]) for line in lines] == [
        ("setting_unknown", "warning", "TWINWIRE_HOSTT", "TWINWIRE_HOST"),
        ("setting_unknown", "warning", "TWINWIRE_ZZZZZZZ", None),
    ]
    assert "secret" not in str(lines)
