"""Off unless asked for, and a line that says what is missing."""

import sys

import pytest

from service.core.errors import ConfigError
from service.operations.spans import open_spans


def test_nothing_is_imported_unless_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "service.operations.traces", None)
    assert open_spans(False) is None


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "service.operations.traces", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'twinwire\[otel\]'") as caught:
        open_spans(True)
    assert caught.value.field == "TWINWIRE_TRACES"
