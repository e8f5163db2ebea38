"""One function for each framework. `is_started` False: nobody has thought of the lifespan."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from twinwire import Live

PATH: Final = "/live"


def fastapi(live: Live, *, is_started: bool) -> Any:
    from fastapi import FastAPI

    app = FastAPI(lifespan=live.lifespan) if is_started else FastAPI()

    @app.get("/paid")
    async def paid() -> dict[str, str]:
        return {"id": await live.publish("orders/17", "paid", {"total": 12})}

    app.mount(PATH, live)
    return app


def starlette(live: Live, *, is_started: bool) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    async def paid(request: Request) -> JSONResponse:
        return JSONResponse({"id": await live.publish("orders/17", "paid", {"total": 12})})

    routes = [Route("/paid", paid), Mount(PATH, live)]
    return Starlette(routes=routes, lifespan=live.lifespan if is_started else None)


def quart(live: Live, *, is_started: bool) -> Any:
    from quart import Quart

    app = Quart(__name__)

    @app.get("/paid")
    async def paid() -> dict[str, str]:
        return {"id": await live.publish("orders/17", "paid", {"total": 12})}

    if is_started:

        @app.while_serving
        async def serving() -> AsyncIterator[None]:
            async with live:
                yield

    app.asgi_app = live.within(app.asgi_app, PATH)  # type: ignore[method-assign, assignment, arg-type]
    return app


def litestar(live: Live, *, is_started: bool) -> Any:
    from litestar import Litestar, asgi, get
    from litestar.types import Receive, Scope, Send

    @get("/paid")
    async def paid() -> dict[str, str]:
        return {"id": await live.publish("orders/17", "paid", {"total": 12})}

    @asgi(PATH, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await live(scope, receive, send)  # type: ignore[arg-type]

    return Litestar([paid, mounted], lifespan=[live.lifespan] if is_started else [])


def alone(live: Live, *, is_started: bool) -> Any:
    """Nothing around it, at the top; the server's lifespan starts it."""
    return live


FRAMEWORKS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {one.__name__: one for one in (fastapi, starlette, quart, litestar, alone)}
)
