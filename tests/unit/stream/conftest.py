from tests.support.stream_fixtures import bus, clock, hub, nothing_is_left_behind

__all__ = ["bus", "clock", "hub", "nothing_is_left_behind"]
