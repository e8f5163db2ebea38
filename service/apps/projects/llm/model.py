"""A model as agents have it: the endpoint, and what a run may use of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from service.apps.projects.llm.budget import Budget
from service.apps.projects.llm.settings import ModelSettings
from service.core.time import Clock

if TYPE_CHECKING:
    from service.apps.projects.llm.client import Endpoint

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """`clock` is what its time is measured by."""

    endpoint: "Endpoint"
    budget: Budget
    clock: Clock

    @property
    def name(self) -> str:
        return self.endpoint.model


def open_model(settings: ModelSettings, clock: Clock) -> Model | None:
    """None unless the settings name an endpoint. Close its endpoint in the end."""
    if not settings.llm_url:
        return None
    from service.apps.projects.llm.client import Endpoint  # an HTTP client, which nobody needs without a model

    endpoint = Endpoint(settings, clock)
    budget = Budget(settings.llm_tokens_max, settings.llm_seconds_max, settings.llm_answer_tokens)
    if endpoint.is_overheard:
        logger.warning("model_key_in_the_clear", reason="TWINWIRE_LLM_URL is plain http, and not of this machine")
    logger.info("model_agents", url=settings.llm_url, model=settings.llm_model)
    return Model(endpoint, budget, clock)
