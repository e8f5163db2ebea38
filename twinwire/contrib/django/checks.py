"""`manage.py check`: what is wrong with `TWINWIRE` is told before anybody waits for an event."""

from typing import Any, Final

from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured

from twinwire.contrib.django.conf import SETTINGS

TAG: Final = "twinwire"


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[Error]:
    """One error for each setting that is no good, `twinwire.E001` and so on in their order."""
    errors: dict[str, Error] = {}
    for number, read in enumerate(SETTINGS, 1):
        try:
            read()
        except ImproperlyConfigured as error:
            errors.setdefault(str(error), Error(str(error), id=f"twinwire.E{number:03}"))
    return list(errors.values())
