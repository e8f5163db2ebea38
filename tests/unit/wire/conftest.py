from tests.support.app_fixtures import app, assembly
from tests.support.stream_fixtures import bus, clock, house, hub, nothing_is_left_behind

__all__ = ["app", "assembly", "bus", "clock", "house", "hub", "nothing_is_left_behind"]
