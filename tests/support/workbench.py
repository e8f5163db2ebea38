"""A workspace without a service: what an agent does with it is kept, and programs end as a test says."""

from collections.abc import Sequence

from service.apps.projects.agents.base import AgentError, Executed, Used
from service.apps.projects.brief import Brief, parse_brief
from service.apps.projects.limits import EXECUTE_SECONDS
from service.apps.projects.models import Level

PASSED = Executed(True, 0, None, "Ran 1 test in 0.1s\n\nOK\n")


class Workbench:
    """Implements `service.apps.projects.agents.base.Workspace`, but for `ask`."""

    title = "Tools"

    def __init__(self, *ends: Executed, files: dict[str, str] | None = None) -> None:
        """`ends` are those of programs, one each."""
        self.files = dict(files or {})
        self.lines: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.commands: list[tuple[str, ...]] = []
        self.used = Used()
        self.remarked = ""
        self._ends = list(ends)

    @property
    def brief(self) -> Brief:
        return parse_brief("tools: name text, deposit float")

    def paths(self) -> Sequence[str]:
        return sorted(self.files)

    def read(self, path: str) -> str:
        if path not in self.files:
            raise AgentError(f"{path!r} has not been written in this run")
        return self.files[path]

    async def write(self, path: str, text: str) -> None:
        self.files[path] = text

    async def log(self, message: str, level: Level = "info") -> None:
        self.lines.append((level, message))

    async def output(self, text: str) -> None:
        self.texts.append(text)

    async def progress(self, fraction: float) -> None:
        assert 0 <= fraction <= 1

    def use(self, tokens: int, seconds: float) -> None:
        self.used = Used(self.used.tokens + tokens, self.used.seconds + seconds)

    async def execute(self, command: Sequence[str], *, seconds: float = EXECUTE_SECONDS) -> Executed:
        self.commands.append(tuple(command))
        return self._ends.pop(0)

    def remark(self, text: str) -> None:
        self.remarked = text

    @property
    def text(self) -> str:
        """All that was put out."""
        return "".join(self.texts)

    def warnings(self) -> list[str]:
        return [message for level, message in self.lines if level == "warning"]
