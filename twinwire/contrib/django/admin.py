"""The outbox in the admin: what waits, what was set aside and why, and what can be done with that. Nothing is edited.

The table may be huge, as when the service was away for a night: no page counts all of it, or reads events whole.
"""

from functools import cached_property
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import router, transaction
from django.db.models.functions import Left

from twinwire.contrib.django.models import OutboxEvent

LISTED_MAX: Final = 1_000
"""Rows of a list, the oldest first, and rows that an action is for: each look at the table ends there."""

PAGE: Final = 100
"""Rows of a page."""

SHOWN_MAX: Final = 4_000
"""Characters of an event's data that are shown; it may have millions."""


class First(Paginator):
    """Of the first rows, and of no more."""

    @cached_property
    def count(self) -> int:
        """`LISTED_MAX` at most."""
        return int(self.object_list[:LISTED_MAX].count())


class State(admin.SimpleListFilter):
    """What waits, which has an index in the order of the list; or what was set aside, whose index is for other things:
    it is sorted, and is to be little."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("aside", "set aside")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(refused_at__isnull=self.value() != "aside")


@admin.register(OutboxEvent)
class OutboxAdmin(admin.ModelAdmin):
    """To see it takes the permission to view; to have rows tried again that to change, to forget them that to delete.

    `twinwire_relay` and this may be asked at a time: a row that was put back, or is gone, is no action's any more.
    """

    list_display = ("id", "topic", "type", "subject", "refused", "refused_at", "created")
    list_filter: ClassVar = [State]
    list_per_page = PAGE
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = First
    ordering = ("id",)
    sortable_by = ()
    actions: ClassVar = ["try_again", "forget"]
    readonly_fields = fields = (
        "id",
        "event_key",
        "topic",
        "type",
        "subject",
        "is_append",
        "is_final",
        "shown",
        "created",
        "refused_at",
        "refused",
    )

    def get_queryset(self, request: Any) -> Any:
        """Without the data, of which a hundred rows may have gigabytes."""
        return super().get_queryset(request).defer("data")

    @admin.display(description="data")
    def shown(self, event: OutboxEvent) -> str:
        """Its beginning."""
        found = OutboxEvent.objects.using(event._state.db).filter(pk=event.pk)
        text: str = found.values_list(Left("data", SHOWN_MAX + 1), flat=True).first() or ""
        return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"

    def has_add_permission(self, request: Any) -> bool:
        """What is to be published is for `publish` to check."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        """What was published with a transaction is what was committed."""
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """What waits may be on its way already: what was set aside is forgotten by an action."""
        return False

    def has_retry_permission(self, request: Any) -> bool:
        """For `try_again`."""
        return bool(request.user.has_perm("twinwire.change_outboxevent"))

    def has_forget_permission(self, request: Any) -> bool:
        """For `forget`."""
        return bool(request.user.has_perm("twinwire.delete_outboxevent"))

    @admin.action(description="Try again what was set aside", permissions=["retry"])
    def try_again(self, request: Any, queryset: Any) -> None:
        """It is published behind what went meanwhile, or set aside again."""
        found = _set_aside(queryset, _written(queryset))
        self._tell(request, "tried again", found.update(refused_at=None, refused=None))

    @admin.action(description="Forget what was set aside", permissions=["forget"])
    def forget(self, request: Any, queryset: Any) -> None:
        """It is never published. Who did that stands in the admin's history.

        No signal is sent: where one is listened for, `delete` would read the rows whole, and delete them by their keys,
        though one may have been put back meanwhile.
        """
        alias = _written(queryset)
        with transaction.atomic(using=alias):
            found = _set_aside(queryset, alias)
            self.log_deletions(request, found.select_for_update().defer("data"))
            count = found._raw_delete(alias)
        self._tell(request, "forgotten", count)

    def _tell(self, request: Any, what: str, count: int) -> None:
        level = messages.SUCCESS if count else messages.WARNING
        rows = f"{count} row{'' if count == 1 else 's'}"
        self.message_user(request, f"{rows} set aside {'is' if count == 1 else 'are'} {what}.", level)


def _written(queryset: Any) -> str:
    """The database that these rows are changed in; a router may have them read from a copy of it."""
    return str(queryset._db or router.db_for_write(OutboxEvent))


def _set_aside(queryset: Any, alias: str) -> Any:
    """Of the rows that are chosen, `LISTED_MAX` at most, as they are in this database."""
    chosen = list(queryset.filter(refused_at__isnull=False).order_by("pk").values_list("pk", flat=True)[:LISTED_MAX])
    return OutboxEvent.objects.using(alias).filter(pk__in=chosen, refused_at__isnull=False)
