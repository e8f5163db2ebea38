"""Of the project in `django_shop`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("live/", include("twinwire.contrib.django.urls")),
]
