"""The applications that come with the service, by their names: a part of the composition."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from service.apps.base import App
from service.apps.projects.app import ProjectsApp
from service.apps.visits.app import VisitsApp
from service.core.errors import ConfigError
from service.settings import AppsSettings, explain_values

APPS: Final[Mapping[str, type[App]]] = MappingProxyType({ProjectsApp.name: ProjectsApp})
"""By the name that `TWINWIRE_APPS` gives them."""


def named_apps(names: Sequence[str]) -> list[App]:
    """The applications of these names, each made once. Raises ConfigError for an unknown name or a wrong variable."""
    unknown = [name for name in names if name not in APPS]
    if unknown:
        raise ConfigError(f"there is no application {unknown[0]!r}: {', '.join(APPS)}, or none", field="TWINWIRE_APPS")
    try:
        return [APPS[name]() for name in dict.fromkeys(names)]
    except ValidationError as error:  # an application's own variables
        raise ConfigError("; ".join(explain_values(error))) from error


def apps_of(settings: AppsSettings, given: Sequence[App] | None = None) -> list[App]:
    """All that ride along: those that the settings name, unless some are `given`, and the record of visits where places
    are named for it. Raises ConfigError as above.
    """
    apps = named_apps(settings.apps) if given is None else list(given)
    return [*apps, VisitsApp(settings.presence_log)] if settings.presence_log else apps
