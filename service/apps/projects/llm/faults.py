"""What goes wrong with a model, each in a sentence for people: what it is, and what to do."""

from service.apps.projects.agents.base import AgentError


class ModelError(AgentError):
    """The model can't be asked, or its answer can't be used."""


class BudgetError(ModelError):
    """The run has used what it may."""


class EndpointError(ModelError):
    """The endpoint did not answer as it should.

    `transient`: the same question may be answered a little later; `wait` is how many seconds it asks to wait.
    """

    def __init__(self, what: str, advice: str, *, transient: bool = False, wait: float | None = None) -> None:
        super().__init__(f"{what}: {advice}")
        self.what = what
        self.advice = advice
        self.transient = transient
        self.wait = wait

    def after(self, tries: int) -> "EndpointError":
        """The same, met as often as that."""
        return EndpointError(f"{self.what}, {tries} times in a row" if tries > 1 else self.what, self.advice)


class OutOfTokensError(Exception):
    """An answer goes on beyond the room that there is for it; whoever asked knows whose room it was."""
