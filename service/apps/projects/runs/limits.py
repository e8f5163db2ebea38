"""Every bound of runs that does not move, with its unit and its reason."""

from typing import Final

KEY_MAX: Final = 64
"""Characters of the key with which a command's run is begun: room for a UUID and a prefix."""

COMMAND_MAX: Final = 4_000
"""Characters of a command as it is shown: a longer one is for a file."""

HOST_MAX: Final = 255
"""Characters of the name of a machine, as DNS has it."""

STAGE_MAX: Final = 100
"""Characters in the name of a stage: it is a heading and a parameter."""

STAGES_MAX: Final = 200
"""Stages of one run. What is told to begin beyond them goes on in the last: a log that happens to have lines that look
like stages is a log all the same."""

ITEMS_MAX: Final = 1_000
"""Items of one report: they are carried out in one transaction."""

ITEM_MAX: Final = 64 * 1024
"""Bytes of output in one item."""

REPORT_MAX: Final = 512 * 1024
"""Bytes of a request that reports: it is decoded in one step of the loop, a few milliseconds."""

TEXT_MAX: Final = 8_000
"""Characters of output in one event: of control characters, which JSON writes with six bytes, it is 48 KB."""

UNFINISHED_MAX: Final = 100
"""Commands of one project that are reported at a time."""

MESSAGE_MAX: Final = 1_000
"""Characters of a message beside a progress."""

FILE_MAX: Final = 1_000
"""Characters of the path of a file on the reporter's machine."""

LISTED_MAX: Final = 100
"""Runs in one answer; older ones are fetched with `before`."""

STEP_BYTES: Final = 256 * 1024
"""Of a log that are read or sent in one step."""

LINES_MAX: Final = 1_000
"""Lines of a log in one answer, and as many as are given if it is not said how many."""

LINES_CHARACTERS: Final = 500_000
"""Of lines in one answer, which has one line at least."""

LINE_SHOWN: Final = 10_000
"""Characters of a line that are shown; all of it is in the log as text."""

SEARCH_MAX: Final = 200
"""Characters that are searched for."""

UPDATE_PACE: Final = 0.5
"""Seconds between two events of one run that tell of progress alone."""

AGO_MAX: Final = 30 * 24 * 3600
"""Seconds for which a command may have been under way when it is told: what waits longer than a fortnight for a service
is given up."""

AT_MAX: Final = 10 * 365 * 24 * 3600
"""Seconds of a command that are believed."""

CUT_ROOM: Final = 64 * 1024
"""Bytes beyond what the log of a run may have, for lines that tell what is missing."""

RACES: Final = 20
"""Times that something is tried anew because something else about the run came in between."""

GENERATION_LOG_MAX: Final = 8 * 1024 * 1024
"""Bytes in the log of a generation, as in that of a command unless it is said otherwise; what comes then is told, and
counted as missing."""

PLACES_TOLD: Final = 20
"""Runs at the head of the queue that are told their place, each time that one leaves it."""
