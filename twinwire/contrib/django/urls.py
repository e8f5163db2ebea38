"""What a project includes: `path("twinwire/", include("twinwire.contrib.django.urls"))`."""

from django.urls import path

from twinwire.contrib.django import views

app_name = "twinwire"
urlpatterns = [
    path("client.js", views.client, name="client"),
    path("token", views.token, name="token"),
]
