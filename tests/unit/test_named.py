"""Which applications ride along, by the settings alone, and beside those that are handed in."""

import pytest

from service.apps.base import App
from service.named import apps_of
from service.settings import AppsSettings

pytestmark = pytest.mark.usefixtures("clean_environment")


class Other(App):
    name = "other"


def names(settings: AppsSettings, *given: App) -> list[str]:
    return [app.name for app in apps_of(settings, given or None)]


@pytest.mark.parametrize(
    ("apps", "log", "there"),
    [
        ("projects", "", ["projects"]),
        ("none", "", []),
        ("projects", "projects/**", ["projects", "visits"]),
        ("none", '["**"]', ["visits"]),
    ],
)
def test_the_record_of_visits_rides_along_where_places_are_named(apps: str, log: str, there: list[str]) -> None:
    settings = AppsSettings(apps=apps, presence_log=log)
    assert names(settings) == there


def test_it_does_so_beside_those_that_are_handed_in() -> None:
    assert names(AppsSettings(), Other()) == ["other"]
    assert names(AppsSettings(presence_log=("a/*",)), Other()) == ["other", "visits"]
    assert apps_of(AppsSettings(), ()) == []
