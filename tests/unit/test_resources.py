"""The files beside the code are found, in a checkout as in an installed package."""

import pytest

from service.resources import resource


@pytest.mark.parametrize("name", ["migrations", "static", "hypercorn.toml"])
def test_what_the_service_needs_is_there(name: str) -> None:
    assert resource(name).exists()


def test_migrations_are_numbered_files() -> None:
    assert sorted(path.name for path in resource("migrations").glob("*.sql"))[0].startswith("0001_")
