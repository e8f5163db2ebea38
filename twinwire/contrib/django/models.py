"""The outbox as Django sees it. The table is that of `twinwire.outbox.schema`, which its migration makes."""

from django.db import models
from django.db.models.functions import Now

from twinwire.outbox.schema import TABLE


class OutboxEvent(models.Model):
    """An event that waits to be published, or was set aside (`refused_at`, `refused`). What is published is gone.

    Rows are made by `publish`, which checks them. SQLite has times as text, as `schema` writes it: order by `id`.
    """

    id = models.BigAutoField(primary_key=True)
    event_key = models.CharField("key", max_length=128)
    topic = models.CharField(max_length=200)
    type = models.CharField(max_length=64)
    subject = models.CharField(max_length=128, null=True)
    is_append = models.BooleanField("append", default=False)
    is_final = models.BooleanField("final", default=False)
    data = models.TextField()
    created = models.DateTimeField(db_default=Now())
    refused_at = models.DateTimeField("set aside at", null=True)
    refused = models.TextField("reason", null=True)

    class Meta:
        db_table = TABLE
        verbose_name = "event of the outbox"
        verbose_name_plural = "outbox"

    def __str__(self) -> str:
        return f"{self.topic} {self.type}"
