"""With what the harness itself asks: a victim without keys does not look at it, one with keys lets it do everything."""

from typing import Final

from tests.support.bearers import bearer, token

OURS: Final = bearer(token("root", admin=True, aud="twinwire"))
