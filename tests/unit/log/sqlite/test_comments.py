"""Comments of SQL, and what stands beside them."""

import pytest

from service.log.sqlite.comments import has_statement


@pytest.mark.parametrize("sql", ["", " \n\t", "-- a word; and more", "\n  -- one\n-- two\n"])
def test_comments_and_white_space_are_none(sql: str) -> None:
    assert not has_statement(sql)


@pytest.mark.parametrize("sql", ["SELECT 1", "-- one\nSELECT 1", ";", "SELECT 1 -- one"])
def test_all_else_is_one(sql: str) -> None:
    assert has_statement(sql)
