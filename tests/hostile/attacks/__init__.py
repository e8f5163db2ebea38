"""Every attack, by name, in the order of the modules: `ATTACKS`."""

from typing import Final

from tests.hostile.attack import Attack, attack
from tests.hostile.attacks import (
    access,
    connections,
    doors,
    ephemeral,
    found,
    heads,
    honest,
    http2,
    presence,
    publishing,
    reading,
    states,
    streams,
    websocket,
)

MODULES: Final = (
    honest,
    connections,
    heads,
    http2,
    websocket,
    streams,
    reading,
    publishing,
    states,
    ephemeral,
    presence,
    doors,
    found,
    access,
)
"""Importing them fills the list; the order is this one, honest use first."""
_ORDER: Final = [module.__name__ for module in MODULES]
ATTACKS: Final[dict[str, Attack]] = {
    one.name: one for one in sorted(attack.attacks.values(), key=lambda one: _ORDER.index(one.act.__module__))
}
