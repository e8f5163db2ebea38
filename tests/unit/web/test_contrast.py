"""Edges of fields are seen: 3:1 at least against what is around them (WCAG 2.2, 1.4.11). The colours that programs
choose can be read: 4.5:1 (1.4.3).
"""

import re

import pytest

from service.resources import resource

LEAST = 3.0
LEAST_OF_TEXT = 4.5
ANSI = tuple(f"ansi-{number}" for number in range(16))
PEOPLE = tuple(f"who-{number}" for number in range(8))


def colours(scheme: str, sheet: str = "tokens") -> dict[str, str]:
    text = (resource("static") / f"app/css/{sheet}.css").read_text()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["sunk", "red-soft", "blue-soft"])
def test_the_sixteen_colours_of_a_terminal_can_be_read(scheme: str, ground: str) -> None:
    """On a line of the log, one that tells of an error, and the one that is linked; turned over on the first."""
    known = colours(scheme)
    found = {name: round(ratio(known[name], known[ground]), 2) for name in ANSI}
    assert {name: one for name, one in found.items() if one < LEAST_OF_TEXT} == {}


def test_the_grounds_that_scripts_reckon_with_are_the_darkest_and_the_lightest() -> None:
    """colours.js, which makes any colour legible."""
    text = (resource("static") / "app/projects/project/colours.js").read_text()
    grounds = dict(re.findall(r'(light|dark): "(#[0-9a-f]{6})"', text))
    names = ("sunk", "red-soft", "blue-soft")
    assert luminance(grounds["light"]) <= min(luminance(colours("light")[name]) for name in names)
    assert luminance(grounds["dark"]) >= max(luminance(colours("dark")[name]) for name in names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_letters_of_a_face_can_be_read_and_its_colour_is_seen(scheme: str) -> None:
    """On its own colour; that as text and as a mark, on every ground on which it stands."""
    grounds, known = colours(scheme), colours(scheme, "here")
    assert len({known[name] for name in PEOPLE}) == len(PEOPLE)
    for name in PEOPLE:
        assert ratio(known[name], known["on-who"]) >= LEAST_OF_TEXT, name
        assert ratio(known[name], grounds["sheet"]) >= LEAST_OF_TEXT, name
        assert ratio(known[name], grounds["sunk"]) >= LEAST, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_no_person_or_is_away_can_be_read_too(scheme: str) -> None:
    known = colours(scheme)
    assert ratio(known["ink-2"], known["paper"]) >= LEAST_OF_TEXT
    assert ratio(known["ink-2"], known["sunk"]) >= LEAST_OF_TEXT


def test_scripts_know_as_many_people_s_colours_as_there_are() -> None:
    text = (resource("static") / "app/projects/project/people.js").read_text()
    assert f"export const COLOURS = {len(PEOPLE)};" in text
    styled = set(re.findall(r'\[data-colour="(\d)"\]', (resource("static") / "app/css/here.css").read_text()))
    assert styled == {name.removeprefix("who-") for name in PEOPLE}
