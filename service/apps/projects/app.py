"""The example as an application of the service: where its parts meet the contract in `service.apps.base`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from quart import Blueprint

from service.apps.base import App, Ground
from service.apps.projects.agents.base import Agent
from service.apps.projects.changes import PROJECTS_TOPIC, topic_of
from service.apps.projects.described import describe_projects
from service.apps.projects.models import OWN_TYPES
from service.apps.projects.routes import projects_blueprint
from service.apps.projects.service import ProjectService
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import NotFoundError
from service.core.topics import TopicFilter
from service.log.base import Ability, require
from service.openapi import Description
from service.resources import resource

_PAGES: Final = {"": "index.html", "index.html": "index.html", "project.html": "project.html"}


class ProjectsApp(App):
    """Projects, runs and agents. `agents` replaces the built-in and installed ones."""

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

    @property
    def service(self) -> ProjectService:
        if self._service is None:
            raise RuntimeError("the application is not open")
        return self._service

    async def open(self, ground: Ground) -> None:
        """Raises UnsupportedError if the log's engine has no statements, InvalidError if an agent breaks the contract.

        StorageError, if the tables can't be read.
        """
        require(ground.bus, Ability.STATEMENTS)
        self._service = await ProjectService.open(
            ground.bus,
            ground.tables,
            clock=ground.clock,
            pace=self._settings.generation_pace,
            concurrency=self._settings.generation_concurrency,
            agents=self._agents,
            max_projects=self._settings.max_projects,
            max_runs=self._settings.max_runs,
        )

    async def start(self) -> None:
        await self.service.start()

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()

    def routes(self) -> Sequence[Blueprint]:
        return (projects_blueprint(self.service),)

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
