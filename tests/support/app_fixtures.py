"""The fixtures of tests that ask the whole application, started, without a server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.assembly import Assembly
from service.settings import Settings
from service.web.app import TwinwireApp, create_app


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    """The whole application, started, without a server."""
    app = create_app(Settings.read({"database": tmp_path / "test.db", "allowed_origins": ("https://app.example",)}))
    async with app.test_app():
        yield app


@pytest.fixture
def assembly(app: TwinwireApp) -> Assembly:
    assert app.assembly is not None
    return app.assembly
