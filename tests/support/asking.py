"""The routes of an application without a server around them."""

from quart import Blueprint, Quart
from quart.typing import TestClientProtocol as Client

from service.access.gate import Act, Gate
from service.web import problems
from service.web.caller import meet
from tests.support.access import Visitor


def client_of(blueprint: Blueprint, door: Gate, visitor: Visitor | None = None) -> Client:
    """Asks them as `visitor`."""
    app = Quart(__name__)
    problems.install(app)

    @app.before_request
    async def let_in() -> None:
        meet(door, visitor or Visitor(), Act.READ)

    app.register_blueprint(blueprint)
    return app.test_client()
