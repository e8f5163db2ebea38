"""The example as an application of the service: where its parts meet the contract in `service.apps.base`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from quart import Blueprint

from service.apps.base import App, Ground
from service.apps.projects.agents.base import Agent
from service.apps.projects.changes import PROJECTS_TOPIC, topic_of
from service.apps.projects.described import describe_projects
from service.apps.projects.llm.agents import model_agents
from service.apps.projects.llm.model import Model, open_model
from service.apps.projects.llm.proposals import Proposals
from service.apps.projects.llm.routes import proposals_blueprint
from service.apps.projects.models import OWN_TYPES
from service.apps.projects.pipeline import installed_pipeline
from service.apps.projects.preview.previews import Previews
from service.apps.projects.preview.releases import Releases
from service.apps.projects.preview.routes import previews_blueprint
from service.apps.projects.questions.routes import questions_blueprint
from service.apps.projects.routes import projects_blueprint
from service.apps.projects.runs.service import Bounds
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.sandbox.values import Mode
from service.apps.projects.service import ProjectService
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import NotFoundError
from service.core.topics import TopicFilter
from service.log.base import Ability, require
from service.openapi import Description
from service.resources import resource
from service.stream.asgi import ASGI

_PAGES: Final = {"": "index.html", "index.html": "index.html", "project.html": "project.html"}


class ProjectsApp(App):
    """Projects, runs and agents. `agents` replaces the built-in and installed ones, and those with a model."""

    name: ClassVar[str] = "projects"
    variables: ClassVar[frozenset[str]] = frozenset(
        f"{ProjectsSettings.model_config.get('env_prefix', '')}{field.upper()}"
        for field in ProjectsSettings.model_fields
    )

    def __init__(self, settings: ProjectsSettings | None = None, agents: Sequence[Agent] | None = None) -> None:
        """Without `settings`, the environment's. Raises pydantic's ValidationError for values out of bounds."""
        self._settings = settings or ProjectsSettings()
        self._agents = agents
        self._service: ProjectService | None = None
        self._model: Model | None = None
        self._previews: Previews | None = None

    @property
    def previews(self) -> Previews:
        if self._previews is None:
            raise RuntimeError("the application is not open")
        return self._previews

    @property
    def service(self) -> ProjectService:
        if self._service is None:
            raise RuntimeError("the application is not open")
        return self._service

    async def open(self, ground: Ground) -> None:
        """Raises UnsupportedError if the log's engine has no statements or guards,
        InvalidError if an agent breaks the contract.

        StorageError, if the tables can't be read.
        """
        require(ground.bus, Ability.STATEMENTS, Ability.GUARDS)
        self._model = open_model(self._settings, ground.clock)
        sandbox = await Sandbox.open(Mode(self._settings.run_apps))
        self._service = await ProjectService.open(
            ground.bus,
            ground.tables,
            clock=ground.clock,
            pace=self._settings.generation_pace,
            concurrency=self._settings.generation_concurrency,
            agents=self._chosen_agents(),
            max_projects=self._settings.max_projects,
            max_runs=self._settings.max_runs,
            bounds=Bounds(self._settings.runs_kept, self._settings.run_log_max, self._settings.run_logs_max),
            sandbox=sandbox,
            presence=ground.presence,
        )
        self._previews = Previews(
            self._settings,
            Releases(self.service.store, sandbox, self.service.exists),
            sandbox,
            ground.clock,
            is_guarded=ground.is_guarded,
            has_hosts=ground.has_hosts,
        )

    def _chosen_agents(self) -> Sequence[Agent] | None:
        if self._agents is not None or self._model is None:
            return self._agents
        return installed_pipeline(model_agents(self._model)).agents

    async def start(self) -> None:
        await self.service.start()
        self.previews.start()

    async def leave(self) -> None:
        await self.previews.leave()

    async def close(self) -> None:
        if self._previews is not None:
            await self._previews.close()
        if self._service is not None:
            await self._service.close()
        if self._model is not None:
            await self._model.endpoint.close()

    def routes(self) -> Sequence[Blueprint]:
        return (
            projects_blueprint(self.service),
            questions_blueprint(self.service.questions),
            proposals_blueprint(Proposals(self._model)),
            previews_blueprint(self.service, self.previews),
        )

    def host(self, host: str) -> ASGI | None:
        return self.previews.host(host)

    def frames(self, host: str) -> Sequence[str]:
        return self.previews.frames(host)

    def alias(self, path: str) -> TopicFilter | None:
        prefix, slash, id = path.partition("/")
        if prefix != PROJECTS_TOPIC or not slash:
            return None
        if not self.service.exists(id):
            raise NotFoundError("there is no such project", topics=(topic_of(id),))
        return TopicFilter((topic_of(id),))

    def owns(self, topic: str, type: str) -> bool:
        return type in OWN_TYPES and self.owns_subjects(topic)

    def owns_subjects(self, topic: str) -> bool:
        prefix, _, rest = topic.partition("/")
        return prefix == PROJECTS_TOPIC and "/" not in rest

    def describe(self) -> Description:
        return describe_projects()

    def pages(self) -> Mapping[str, Path]:
        folder = resource("static") / "app" / self.name
        return {name: folder / file for name, file in _PAGES.items()}
