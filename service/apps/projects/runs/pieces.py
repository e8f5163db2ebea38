"""How the log of a generation grows: statements that count its pieces and lines where it is stored.

An agent may have several calls under way, so what a line's number is, the transaction alone knows. `:run` is the run's
id, `:data` what is added and `:size` its bytes; `:time` is the engine's. A log that is full (`GENERATION_LOG_MAX`)
stays as it is: what comes after is counted in `cut`, also where it would still fit, so that nothing is missing in the
middle.
"""

from typing import Final

from service.apps.projects.runs.limits import GENERATION_LOG_MAX

_FITS: Final = f"id = :run AND cut = 0 AND bytes + :size <= {GENERATION_LOG_MAX}"
_CUT: Final = f"UPDATE runs SET cut = cut + :size WHERE id = :run AND NOT ({_FITS})"  # noqa: S608 - constants
_COLUMNS: Final = "INSERT INTO run_log (run, piece, line, joined, stage, time, level, data)"
_OPEN: Final = "(substr(:data, -1) <> x'0a')"
"""Whether its last line does not end."""

ADD_LINE: Final = (
    _CUT,
    f"{_COLUMNS} SELECT serial, pieces + 1, lines + 1, 0, :stage, :time, :level, :data"  # noqa: S608 - constants
    f" FROM runs WHERE {_FITS}",
    "UPDATE runs SET pieces = pieces + 1, lines = lines + 1, bytes = bytes + :size, unfinished = 0"  # noqa: S608
    f" WHERE {_FITS}",
)
"""Of what an agent logs, in `:level`: one line, whatever it holds."""

ADD_OUTPUT: Final = (
    _CUT,
    f"{_COLUMNS} SELECT serial, pieces + 1, lines + 1 - unfinished, unfinished, :stage, :time, NULL, :data"  # noqa: S608
    f" FROM runs WHERE {_FITS}",
    f"UPDATE runs SET pieces = pieces + 1, bytes = bytes + :size, unfinished = {_OPEN},"  # noqa: S608 - constants
    f" lines = lines - unfinished + :newlines + {_OPEN} WHERE {_FITS}",
)
"""Of what an agent puts out, with `:newlines` in it: it goes on where the output before it ended."""
