"""Variables that begin as ours do and are none of ours: most of them are a setting that is spelled otherwise."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import structlog

from service.named import APPS
from service.room import PREFIX
from service.settings import every_setting
from twinwire.command.bearer import FILE_VARIABLE, VARIABLE

BESIDE: Final = frozenset({VARIABLE, FILE_VARIABLE, "TWINWIRE_URL", "TWINWIRE_CHROMIUM", "TWINWIRE_FAULTS"})
"""Known, and no settings: of the command's client, and of the tests."""

LIKENESS: Final = 0.6
"""Of two names without their beginning, from 0 to 1, from which one may be meant for the other."""

logger = structlog.get_logger(__name__)


class Unknown(NamedTuple):
    """`nearest` is the setting whose name is most like it, if one is."""

    name: str
    nearest: str | None

    @property
    def told(self) -> str:
        return f"{self.name} is no setting" + (f"; {self.nearest} is" if self.nearest else "")


def unknown_variables(environment: Mapping[str, str]) -> Iterator[Unknown]:
    """By name. Those of applications that are off are known too; capitals do not count, as they do not for settings."""
    settings = {name for name, _ in every_setting()}.union(*(app.variables for app in APPS.values()))
    for name in sorted(environment):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in settings | BESIDE:
            by_rest = {one.removeprefix(PREFIX): one for one in settings}
            found = difflib.get_close_matches(upper.removeprefix(PREFIX), by_rest, 1, LIKENESS)
            yield Unknown(name, by_rest[found[0]] if found else None)


def warn_of_unknown(environment: Mapping[str, str]) -> None:
    """A line in the log for each."""
    for one in unknown_variables(environment):
        logger.warning("setting_unknown", variable=one.name, nearest=one.nearest)
