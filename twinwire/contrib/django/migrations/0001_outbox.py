"""The table of the outbox."""

from typing import Any, ClassVar

import django.db.models.functions.datetime
from django.db import migrations, models

from twinwire.contrib.django.tables import MakeOutbox


class Migration(migrations.Migration):
    """As it is on the database, and as the model has it."""

    initial = True
    dependencies: ClassVar[list[Any]] = []
    operations: ClassVar[list[Any]] = [
        migrations.SeparateDatabaseAndState(
            database_operations=[MakeOutbox()],
            state_operations=[
                migrations.CreateModel(
                    name="OutboxEvent",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("event_key", models.CharField(max_length=128, verbose_name="key")),
                        ("topic", models.CharField(max_length=200)),
                        ("type", models.CharField(max_length=64)),
                        ("subject", models.CharField(max_length=128, null=True)),
                        ("is_append", models.BooleanField(default=False, verbose_name="append")),
                        ("is_final", models.BooleanField(default=False, verbose_name="final")),
                        ("data", models.TextField()),
                        ("created", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("refused_at", models.DateTimeField(null=True, verbose_name="set aside at")),
                        ("refused", models.TextField(null=True, verbose_name="reason")),
                    ],
                    options={
                        "verbose_name": "event of the outbox",
                        "verbose_name_plural": "outbox",
                        "db_table": "twinwire_outbox",
                    },
                ),
            ],
        ),
    ]
