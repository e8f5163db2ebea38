"""Edges of fields are seen: 3:1 at least against what is around them (WCAG 2.2, 1.4.11)."""

import re

import pytest

from service.resources import resource

LEAST = 3.0


def colours(scheme: str) -> dict[str, str]:
    text = (resource("static") / "app/css/tokens.css").read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))}


def luminance(colour: str) -> float:
    """Relative, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert ratio("#000000", "#ffffff") == pytest.approx(21)
    assert ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["sheet", "paper"])
def test_the_edge_of_a_field_is_seen(scheme: str, ground: str) -> None:
    known = colours(scheme)
    assert ratio(known["field"], known[ground]) >= LEAST


def test_fields_have_that_edge() -> None:
    text = (resource("static") / "app/css/parts.css").read_text()
    assert re.search(r"\n\.input \{[^}]*border: 1px solid var\(--field\)", text)
