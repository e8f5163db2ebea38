from tests.support.stream_fixtures import bus, clock, house, hub, nothing_is_left_behind

__all__ = ["bus", "clock", "house", "hub", "nothing_is_left_behind"]
