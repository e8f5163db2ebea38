"""The application, as `INSTALLED_APPS` names it."""

from django.apps import AppConfig
from django.core.checks import register


class TwinwireConfig(AppConfig):
    """Its tables, permissions and migrations are those of `twinwire`."""

    name = "twinwire.contrib.django"
    label = "twinwire"
    verbose_name = "Twinwire"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from twinwire.contrib.django.checks import TAG, check_settings

        register(check_settings, TAG)
