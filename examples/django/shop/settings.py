"""The least that a page with a table takes, and Twinwire."""

DEBUG = True
SECRET_KEY = "not one: this is an example"
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "shop.db",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},  # the relay writes too
    }
}
INSTALLED_APPS = ["shop", "twinwire.contrib.django"]
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
TWINWIRE = {"URL": "http://127.0.0.1:8001"}
