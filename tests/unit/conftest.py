"""What tests of settings start from."""

import os

import pytest


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting of whoever runs them."""
    for name in list(os.environ):
        if name.startswith("TWINWIRE_"):
            monkeypatch.delenv(name)
