"""A Django project on whichever database: settings for tests inside this process, where they can be set once, and
`manage.py` for those that start programs.

    DATABASE_URL=DSN python -m tests.support.django_shop migrate

`TWINWIRE` has nothing, so all of it comes from the environment.
"""

import os
import sys
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django
import pymysql
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

DJANGO = "django.contrib."
WITHOUT_MIGRATIONS = ("admin", "auth", "contenttypes", "sessions")
"""Their tables are made at once: it takes a tenth of the time, and is not what is tested."""


def entry(dsn: str) -> dict[str, Any]:
    """Of DATABASES, for a DSN of `sqlservers`."""
    parts = urlsplit(dsn)
    where = dict(parse_qsl(parts.query))
    if parts.scheme == "sqlite":
        options = {"transaction_mode": "IMMEDIATE", "timeout": 60, "init_command": "PRAGMA synchronous = OFF"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path[1:]), "OPTIONS": options}
    host = where["host" if parts.scheme == "postgresql" else "unix_socket"]
    named = {"NAME": parts.path[1:], "USER": parts.username, "HOST": host}
    return {"ENGINE": f"django.db.backends.{parts.scheme}", **named}


def configure(dsn: str = "sqlite:///:memory:") -> None:
    """Once in a process: later calls change nothing."""
    if settings.configured:
        return
    pymysql.install_as_MySQLdb()
    middleware = ("sessions.middleware.Session", "auth.middleware.Authentication", "messages.middleware.Message")
    processors = ("django.template.context_processors.request", f"{DJANGO}auth.context_processors.auth")
    settings.configure(
        DATABASES={DEFAULT_DB_ALIAS: entry(dsn)},
        INSTALLED_APPS=[*(DJANGO + name for name in (*WITHOUT_MIGRATIONS, "messages")), "twinwire.contrib.django"],
        MIDDLEWARE=[
            *(f"{DJANGO}{name}Middleware" for name in middleware),
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        MIGRATION_MODULES=dict.fromkeys(WITHOUT_MIGRATIONS),
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="tests.support.django_urls",
        SECRET_KEY="a test's",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": [*processors, f"{DJANGO}messages.context_processors.messages"]},
            }
        ],
        TWINWIRE={},
        USE_TZ=True,
    )
    django.setup()


def use(dsn: str, alias: str = DEFAULT_DB_ALIAS, **more: Any) -> None:
    """From now on this database has the alias; for this process, which has one thread that asks."""
    forget(alias)
    given = {**entry(dsn), **more}
    connections.settings[alias] = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: given})[alias]


def forget(alias: str = DEFAULT_DB_ALIAS) -> None:
    """Closes its connection."""
    if alias in connections:
        connections[alias].close()
        del connections[alias]
        if alias != DEFAULT_DB_ALIAS:
            del connections.settings[alias]
    from django.contrib.contenttypes.models import ContentType  # which takes settings

    ContentType.objects.clear_cache()


if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    configure(os.environ["DATABASE_URL"])
    execute_from_command_line(["manage.py", *sys.argv[1:]])
