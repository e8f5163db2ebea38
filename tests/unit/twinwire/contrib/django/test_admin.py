from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, connections
from django.db.models.signals import pre_delete
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from tests.support import django_shop
from tests.support.sqlservers import Database
from twinwire.contrib.django import admin, publish
from twinwire.contrib.django.models import OutboxEvent

LIST = "/admin/twinwire/outboxevent/"


def signed_in(*permissions: str) -> Client:
    """As somebody of the staff who has these alone; as one who may everything without."""
    user = User.objects.create(username=f"u{User.objects.count()}", is_staff=True, is_superuser=not permissions)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    found = Client()
    found.force_login(user)
    return found


@pytest.fixture(name="aside")
def _aside(shop: Database) -> list[int]:
    """Two that were set aside, and one that waits, which is the last."""
    for number in range(3):
        publish("orders/1", "paid", {"n": number})
    shop.run("UPDATE twinwire_outbox SET refused_at = created, refused = 'too <large>' WHERE data <> '{\"n\":2}'")
    return list(OutboxEvent.objects.order_by("pk").values_list("pk", flat=True))


def act(client: Client, action: str, *ids: int, **more: str) -> str:
    asked = {"action": action, "_selected_action": [str(id) for id in ids], **more}
    answer = client.post(LIST, asked, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def states() -> list[bool]:
    """Of each row, whether it was set aside."""
    return [at is not None for at in OutboxEvent.objects.order_by("pk").values_list("refused_at", flat=True)]


def test_it_shows_what_waits_and_what_was_set_aside_and_why(aside: list[int]) -> None:
    client = signed_in("view_outboxevent")
    text = client.get(LIST).content.decode()
    assert text.count("too &lt;large&gt;") == 2
    counted = {state: client.get(LIST, {"state": state}).content.decode() for state in ("waiting", "aside")}
    assert "1 event of the outbox" in counted["waiting"]
    assert "2 outbox" in counted["aside"]
    assert [f"/{id}/change/" in counted["waiting"] for id in aside] == [False, False, True]


def test_one_is_seen_and_not_edited(aside: list[int]) -> None:
    publish("orders/1", "long", "x" * 2 * admin.SHOWN_MAX)
    client = signed_in()
    text = client.get(f"{LIST}{aside[0]}/change/").content.decode()
    assert "{&quot;n&quot;:0}" in text
    assert "too &lt;large&gt;" in text
    assert "<textarea" not in text
    assert 'name="_save"' not in text
    long = OutboxEvent.objects.last()
    assert long is not None
    text = client.get(f"{LIST}{long.pk}/change/").content.decode()
    assert text.count("x") - text.replace("x" * (admin.SHOWN_MAX - 1), "").count("x") == admin.SHOWN_MAX - 1
    assert "x" * (admin.SHOWN_MAX + 1) not in text
    for path in (f"{LIST}add/", f"{LIST}{aside[0]}/delete/"):
        assert client.get(path).status_code == 403
    assert client.post(f"{LIST}{aside[0]}/change/", {"topic": "others"}).status_code == 403
    assert states() == [True, True, False, False]


def test_trying_again(aside: list[int]) -> None:
    text = act(signed_in("change_outboxevent"), "try_again", *aside[1:])
    assert "1 row set aside is tried again." in text
    assert states() == [True, False, False]
    assert OutboxEvent.objects.get(pk=aside[1]).refused is None


def test_forgetting(aside: list[int]) -> None:
    text = act(signed_in("view_outboxevent", "delete_outboxevent"), "forget", *aside)
    assert "2 rows set aside are forgotten." in text
    assert states() == [False], "what waits may be on its way"
    logged = LogEntry.objects.order_by("-pk")[:2]
    assert {(entry.object_id, entry.object_repr) for entry in logged} == {
        (str(id), "orders/1 paid") for id in aside[:2]
    }


class Copied:
    """A router that has the outbox read from a copy of the database."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "copy" if model is OutboxEvent else None


def test_what_is_read_from_a_copy_is_changed_where_it_is_written(aside: list[int], shop: Database) -> None:
    client = signed_in()
    django_shop.use(shop.dsn, "copy")
    try:
        with override_settings(DATABASE_ROUTERS=[Copied()]), CaptureQueriesContext(connections["copy"]) as read:
            act(client, "try_again", aside[1])
            act(client, "forget", aside[0])
    finally:
        django_shop.forget("copy")
    assert states() == [False, False]
    assert {query["sql"].split()[0] for query in read} == {"SELECT"}


class Deleting:
    """Wraps what is executed, and does something before rows of the outbox are deleted."""

    def __init__(self, does: Any) -> None:
        self.does = does

    def __call__(self, execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE") and "twinwire_outbox" in sql:
            self.does(lambda other, *its: execute(other, its, False, context))
        return execute(sql, values, many, context)


def test_what_was_put_back_is_not_forgotten(aside: list[int]) -> None:
    """Also where a project listens for deletions."""

    def listen(**_: Any) -> None:
        pass

    put_back = "UPDATE twinwire_outbox SET refused_at = NULL WHERE id = %s"
    pre_delete.connect(listen, sender=OutboxEvent)
    try:
        with connection.execute_wrapper(Deleting(lambda run: run(put_back, aside[0]))):
            text = act(signed_in(), "forget", *aside)
    finally:
        pre_delete.disconnect(listen, sender=OutboxEvent)
    assert "1 row set aside is forgotten." in text
    assert list(OutboxEvent.objects.order_by("pk").values_list("pk", flat=True)) == [aside[0], aside[2]]


@pytest.mark.parametrize("shop", ["postgresql", "mysql"], indirect=True)
def test_what_is_told_to_be_forgotten_is_nobodys_meanwhile(aside: list[int], shop: Database) -> None:
    """SQLite has no locks of rows, and one who writes."""
    free: list[Any] = []
    look = "SELECT id FROM twinwire_outbox WHERE refused_at IS NOT NULL FOR UPDATE SKIP LOCKED"
    with connection.execute_wrapper(Deleting(lambda run: free.append(shop.run(look)))):
        act(signed_in(), "forget", *aside)
    assert free == [[]]


def test_what_could_not_be_forgotten_is_in_no_history(aside: list[int]) -> None:
    def fail(run: Any) -> None:
        raise RuntimeError("it is gone")

    client, before = signed_in(), LogEntry.objects.count()
    with connection.execute_wrapper(Deleting(fail)), pytest.raises(RuntimeError, match="it is gone"):
        act(client, "forget", *aside)
    assert (states(), LogEntry.objects.count()) == ([True, True, False], before)


def test_all_of_a_list_at_once(aside: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the list says that there are, and no more."""
    monkeypatch.setattr(admin, "LISTED_MAX", 1)
    text = act(signed_in(), "try_again", aside[0], select_across="1")
    assert "1 row set aside is tried again." in text
    assert states() == [False, True, False]


def test_nothing_to_do_is_told(aside: list[int]) -> None:
    assert "0 rows set aside are tried again." in act(signed_in(), "try_again", aside[2])


def test_an_action_takes_its_permission(aside: list[int]) -> None:
    for action in ("try_again", "forget", "delete_selected"):
        text = act(signed_in("view_outboxevent"), action, *aside)
        assert f'value="{action}"' not in text
    assert 'value="delete_selected"' not in act(signed_in(), "delete_selected", *aside)
    assert states() == [True, True, False]


def test_a_list_reads_a_bounded_number_of_rows(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And makes as many queries for many rows as for few, none of which has their data."""
    client = signed_in()
    publish("orders/1", "paid")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(LIST)
    for _ in range(30):
        publish("orders/1", "paid")
    monkeypatch.setattr(admin, "LISTED_MAX", 20)
    monkeypatch.setattr(admin.OutboxAdmin, "list_per_page", 10)
    with CaptureQueriesContext(connection) as many:
        text = client.get(LIST, {"_facets": "True"}).content.decode()
    assert "20 outbox" in text
    assert len(many) == len(few)
    ours = [query["sql"] for query in many if "twinwire_outbox" in query["sql"]]
    assert len(ours) == 2
    for sql in ours:
        assert "LIMIT" in sql
        assert "data" not in sql
    assert client.get(LIST, {"p": 3}).status_code == 302, "there is no third page"
