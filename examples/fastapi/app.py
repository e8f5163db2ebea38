"""Orders whose page is live: FastAPI, its own session, and Twinwire mounted below /live."""

import os
import secrets
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from starlette.middleware.sessions import SessionMiddleware

import twinwire

HERE = Path(__file__).parent


def who(scope: Any) -> twinwire.Caller | None:
    """Who is signed in may read orders. It is asked again each minute: yours looks into its database here."""
    user = scope["session"].get("user")
    return user and twinwire.Caller(user, subscribe=["orders/*"], expires=time.time() + 60)


live = twinwire.asgi(os.environ.get("SHOP_DATABASE", "shop.db"), caller=who)
app = FastAPI(lifespan=live.lifespan)
app.add_middleware(SessionMiddleware, secret_key=os.environ.get("SHOP_SECRET") or secrets.token_hex())
app.mount("/live", live)


@app.get("/")
def page() -> FileResponse:
    return FileResponse(HERE / "page.html")


@app.post("/session/{user}")
def sign_in(user: str, request: Request) -> None:
    request.session["user"] = user  # a real one asks for a password


@app.post("/orders/{number}/paid")
async def paid(number: int, request: Request) -> dict[str, str]:
    if "user" not in request.session:
        raise HTTPException(401)
    return {"id": await live.publish(f"orders/{number}", "paid", {"by": request.session["user"]})}
