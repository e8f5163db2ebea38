"""Whether spans are made of publishes: the door to what makes them, which is not always installed."""

from service.core.errors import ConfigError
from service.core.trace import Spans


def open_spans(is_wanted: bool) -> Spans | None:
    """What makes spans, if that is wanted. Raises ConfigError if its libraries are not installed, or misled."""
    if not is_wanted:
        return None
    try:
        from service.operations.traces import open_traces
    except ModuleNotFoundError as error:
        detail = "TWINWIRE_TRACES takes OpenTelemetry: pip install 'twinwire[otel]'"
        raise ConfigError(detail, field="TWINWIRE_TRACES") from error
    return open_traces()
