"""What is kept of who opens an application; the rest of its routes is in tests/e2e/test_preview.py."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from service.access.caller import Caller
from service.access.revocation import Revocation
from service.access.rights import NOTHING, Grants
from service.apps.projects.preview.previews import AppView
from service.apps.projects.preview.routes import previews_blueprint
from service.core.errors import InvalidTokenError
from service.preview.names import Site
from service.preview.sessions import Sessions
from tests.support.access import Known, Visitor, caller_of, gate_with
from tests.support.asking import client_of
from tests.support.clock import ManualClock


class Opened:
    """In place of `Previews`: opens a session, and remembers what that keeps."""

    def __init__(self) -> None:
        self.checks: list[Callable[[], None]] = []

    async def open(self, id: str, page: Site, caller: Caller, check: Callable[[Caller], None]) -> AppView:
        sessions = Sessions(ManualClock())
        cookies = sessions.redeem(sessions.issue(id, caller, check, page), id)
        assert cookies is not None
        found = sessions.find([(b"cookie", cookies[0].partition(b";")[0])], id)
        assert found is not None
        self.checks.append(found.check)
        return AppView(state="starting", idle=1)


async def test_a_session_ends_with_its_credential_and_holds_no_rights() -> None:
    ada = caller_of("ada", jti="one", issued=1)
    gate = gate_with(Known(ada=ada._replace(rights=ada.rights._replace(run=Grants(["projects/*"])))))
    opened: Any = Opened()
    service: Any = SimpleNamespace(exists=lambda id: True)
    client = client_of(previews_blueprint(service, opened), gate, Visitor("POST", authorization="Bearer ada"))
    assert (await client.post("/api/projects/p/app")).status_code == 200
    (check,) = opened.checks
    assert isinstance(check, partial)
    assert [kept.rights for kept in check.args] == [NOTHING]
    check()
    gate.authority.revocations.add(Revocation("jti", "one", 1, 1))
    with pytest.raises(InvalidTokenError):
        check()
