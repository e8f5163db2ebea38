"""Twinwire in a Django project: events that are published with its transactions, and pages that are live.

    INSTALLED_APPS = [..., "twinwire.contrib.django"]
    TWINWIRE = {"URL": "http://127.0.0.1:8000"}

    from django.db import transaction
    from twinwire.contrib.django import publish

    with transaction.atomic():
        order.save()
        publish(f"orders/{order.pk}", "paid", {"total": order.total})

docs/django.md has the way from there to a live page.
"""

from twinwire.contrib.django.publishing import publish

__all__ = ["publish"]
