from datetime import UTC, datetime, timedelta

from tests.support import django_shop
from tests.support.sqlservers import Database
from twinwire.contrib.django import publish
from twinwire.contrib.django.models import OutboxEvent
from twinwire.outbox.rows import Rows


def test_a_row_as_somebody_else_has_made_it(shop: Database) -> None:
    shop.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, %s, %s)", ["orders/1", "paid", "1"])
    event = OutboxEvent.objects.get()
    assert (str(event), event.data, event.subject, event.is_append, event.is_final) == (
        "orders/1 paid",
        "1",
        None,
        False,
        False,
    )


def test_times_are_what_they_are_wherever_a_session_says_that_it_is(shop: Database) -> None:
    """Its zone is that of MySQL's server, or of whoever has inserted."""
    zone = {
        "mysql": {"OPTIONS": {"init_command": "SET time_zone = '+05:00'"}},
        "postgresql": {"TIME_ZONE": "Asia/Tokyo"},
    }
    django_shop.use(shop.dsn, **zone.get(shop.kind, {}))
    publish("orders/1", "paid", 1)
    django_shop.use(shop.dsn)
    aside = shop.connect()
    if shop.kind == "mysql":
        aside.cursor().execute("SET time_zone = '-07:00'")
    rows = Rows(aside, shop.kind)  # type: ignore[arg-type]
    rows.set_aside(rows.read()[0], "why")
    aside.commit()
    aside.close()
    event = OutboxEvent.objects.get()
    now = datetime.now(UTC)
    assert event.refused_at is not None
    for time in (event.created, event.refused_at):
        assert abs(now - time) < timedelta(minutes=10), (time, now)
