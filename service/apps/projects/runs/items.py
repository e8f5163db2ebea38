"""What a reporter sends, as it is decoded and checked at the edge."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from service.apps.projects.runs.limits import (
    AGO_MAX,
    AT_MAX,
    COMMAND_MAX,
    FILE_MAX,
    HOST_MAX,
    ITEM_MAX,
    ITEMS_MAX,
    KEY_MAX,
    MESSAGE_MAX,
    STAGE_MAX,
    STAGES_MAX,
)
from service.core.errors import InvalidError, TooLargeError
from service.core.limits import OFFSET_MAX

Name = Annotated[str, Meta(min_length=1, max_length=STAGE_MAX)]
Amount = Annotated[int, Meta(ge=0, le=OFFSET_MAX)]
_SEVERAL: Final = "an item is one of output, output_base64, progress, stage, cut, alive, end"


class NewRun(Struct, frozen=True, forbid_unknown_fields=True):
    """The beginning of a command, `ago` seconds before this is told. The same key again is the same run."""

    key: Annotated[str, Meta(min_length=1, max_length=KEY_MAX)]
    command: Annotated[str, Meta(min_length=1, max_length=COMMAND_MAX)]
    host: Annotated[str, Meta(min_length=1, max_length=HOST_MAX)] | None = None
    stages: Annotated[list[Name], Meta(max_length=STAGES_MAX)] = []
    ago: Annotated[float, Meta(ge=0, le=AGO_MAX)] = 0.0

    def checked(self) -> "NewRun":
        """Return self. Raises InvalidError that names the field."""
        check_line(self.key, "key")
        check_text(self.command, "command")
        check_line(self.host or "-", "host")
        for number, name in enumerate(self.stages):
            check_line(name, f"stages.{number}")
        return self


class Cut(Struct, frozen=True, forbid_unknown_fields=True):
    """Output that was not sent, and a file on the reporter's machine that has it all."""

    bytes: Annotated[int, Meta(ge=1, le=OFFSET_MAX)]
    lines: Amount = 0
    file: Annotated[str, Meta(min_length=1, max_length=FILE_MAX)] | None = None


class End(Struct, frozen=True, forbid_unknown_fields=True):
    """`exit` is the command's code, `signal` the name of what ended it; neither: how it ended is not known."""

    exit: Annotated[int, Meta(ge=-(2**31), lt=2**32)] | None = None
    signal: Annotated[str, Meta(pattern=r"^SIG[A-Z0-9+-]{1,20}$")] | None = None
    cut: Cut | None = None


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a command did, `at` so many seconds after it began: else it is when this is told."""

    output: str | None = None
    output_base64: bytes | None = None
    stream: Literal["stdout", "stderr"] | None = None
    progress: Annotated[int, Meta(ge=0, le=100)] | None = None
    message: Annotated[str, Meta(max_length=MESSAGE_MAX)] | None = None
    stage: Name | None = None
    cut: Cut | None = None
    alive: bool | None = None
    end: End | None = None
    at: Annotated[float, Meta(ge=0, le=AT_MAX)] | None = None

    def checked(self, path: str) -> "Item":
        """Return self. Raises InvalidError that names the field, which is below `path`."""
        kinds = (self.output, self.output_base64, self.progress, self.stage, self.cut, self.alive, self.end)
        if len(kinds) - kinds.count(None) != 1:
            raise InvalidError(_SEVERAL, field=path)
        if self.stream is not None and self.output is None and self.output_base64 is None:
            raise InvalidError("only output has a stream", field=f"{path}.stream")
        if self.at is not None and self.stage is None and self.end is None:
            raise InvalidError("only a stage and an end have a time", field=f"{path}.at")
        if self.message is not None:
            check_text(self.message, f"{path}.message")
            if self.progress is None:
                raise InvalidError("only progress has a message", field=f"{path}.message")
        if self.stage is not None:
            check_line(self.stage, f"{path}.stage")
        if (cut := self.cut or (self.end and self.end.cut)) and cut.file is not None:
            check_line(cut.file, f"{path}.{'cut' if self.cut else 'end.cut'}.file")
        self._check_output(path)
        return self

    def _check_output(self, path: str) -> None:
        name = "output" if self.output is not None else "output_base64"
        size = len(self.data(f"{path}.{name}"))
        if size > ITEM_MAX:
            raise TooLargeError(
                f"an item has at most {ITEM_MAX:,} bytes of output, not {size:,}", field=f"{path}.{name}"
            )

    def data(self, path: str = "output") -> bytes:
        """The bytes of its output, if it is some. Raises InvalidError for what has no bytes."""
        if self.output is not None:
            return check_text(self.output, path)
        return self.output_base64 or b""


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """Items, of which the first has the number `start`, from 1."""

    start: Annotated[int, Meta(ge=1, le=OFFSET_MAX)] = field(name="from")
    items: Annotated[list[Item], Meta(min_length=1, max_length=ITEMS_MAX)]

    def checked(self) -> "Report":
        """Return self. Raises InvalidError that names the field."""
        for number, item in enumerate(self.items):
            item.checked(f"items.{number}")
        return self


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """`stage` is the number of the one to begin with, from 1."""

    stage: Annotated[int, Meta(ge=1, le=STAGES_MAX)]


def check_text(text: str, field: str) -> bytes:
    """Its bytes in UTF-8. Raises InvalidError if it has half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(f"this is not Unicode: {error.reason}", field=field) from error


def check_line(text: str, field: str) -> None:
    """Raises InvalidError if it is not one line that can be shown."""
    check_text(text, field)
    if not text.isprintable() or not text.strip():
        raise InvalidError("this is one line without control characters, and not blank", field=field)
