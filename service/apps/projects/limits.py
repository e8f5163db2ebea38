"""Every bound of the generator, with its unit and its reason."""

from typing import Final

NAME_MAX: Final = 100
"""Characters in a project's name: it is a heading and a file name."""

BRIEF_MAX: Final = 10_000
"""Characters in a brief: room for every entity and field that the bounds below allow in practice."""

ENTITIES_MAX: Final = 20
"""Entities in a brief: each is an entry in one navigation bar."""

FIELDS_MAX: Final = 30
"""Fields in one entity: each is an input in one form."""

WORD_MAX: Final = 40
"""Characters in the name of an entity or a field: it is a column, a URL segment and a JSON key."""

BODY_MAX: Final = 64 * 1024
"""Bytes of a request that creates a project; the longest legal one has about half."""

DIGITS: Final = 9
"""Of a number in a query: of none there are so many."""

LISTED_MAX: Final = 500
"""Projects in one answer; older ones are fetched with `before`."""

LOOKED_AT: Final = 1_000
"""Projects that are held against what one may read at a time, a few milliseconds: others wait meanwhile."""

LISTED_CHARACTERS: Final = 200_000
"""Of names and briefs in one answer, likewise: 600 kB at most."""

MESSAGE_MAX: Final = 4_000
"""Characters of a log line or an error message; the rest is cut, for one event holds 64 KiB at most."""

REMARK_MAX: Final = 400
"""Characters that an agent adds to the message of its stage, which is one line."""

OUTPUT_MAX: Final = 8_000
"""Characters of output in one event; longer ones become several."""

OUTPUT_ALL_MAX: Final = 1_000_000
"""Characters of output of one stage: it is one text, of as many bytes as a state tells as one, or some more."""

PREVIEW_MAX: Final = 1_000
"""Characters of a file that its `file_update` shows; the whole is one GET away."""

PATH_MAX: Final = 200
"""Characters in the path of a generated file: below what Windows and old zip tools accept."""

FILE_MAX: Final = 1024 * 1024
"""Bytes in one generated file: it is held in memory and stored in one row."""

FILES_MAX: Final = 1_000
"""Files in one project."""

ARCHIVE_MAX: Final = 32 * 1024 * 1024
"""Bytes in all files of one run: an archive is built in memory."""

EXECUTE_SECONDS: Final = 120.0
"""Seconds that a command over an agent's files may take, and the same of the processor: of the largest brief, the tests
take a quarter of it on one slow core."""

CANCEL_GRACE: Final = 5.0
"""Seconds that an agent has to let go once it was cancelled; after that it works for nobody."""

RETRY_MAX: Final = 10.0
"""Seconds between two attempts to record a step while the disk is full or the log is overloaded."""
