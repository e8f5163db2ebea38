"""The token of a client: a text, or a function that is asked for one, and asked again when one ends or is refused."""

import asyncio
import inspect
import os
import re
from collections.abc import Awaitable, Callable
from typing import Final

from twinwire.errors import InvalidError, TwinwireError

TOKEN_VARIABLE: Final = "TWINWIRE_TOKEN"  # noqa: S105 - a name
TOKEN_MAX: Final = 8 << 10
"""Characters of a token (docs/protocol.md, section 9)."""

_TEXT: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z", re.ASCII)
"""What may follow `Bearer` (RFC 6750, 2.1)."""

Source = str | Callable[[], str | None] | Callable[[], Awaitable[str | None]]


class Token:
    """What a client comes with. `text` is the one that is used; "" for none.

    Without a source it is that of `TWINWIRE_TOKEN`, if there is one. Raises InvalidError for what can't be a token,
    without showing it.
    """

    def __init__(self, source: Source | None = None) -> None:
        source = os.environ.get(TOKEN_VARIABLE, "") if source is None else source
        self._ask = source if callable(source) else None
        self.text = _checked(source) if isinstance(source, str) else ""
        self._is_asked = self._ask is None
        self._lock = asyncio.Lock()
        self._asker: asyncio.Task[object] | None = None

    def __repr__(self) -> str:
        return "<Token>"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"} if self.text else {}

    async def ready(self) -> None:
        """Asks for the first one, where there is somebody to ask."""
        if not self._is_asked:
            await self.renew("")

    async def renew(self, used: str) -> bool:
        """Whether there is another one than `used`; it is asked for unless somebody else just was told one.

        Raises TwinwireError, which passes, for what the function raises; InvalidError if it gives no token, or uses the
        client that it is for.
        """
        if self._ask is None:
            return False
        if self._asker is not None and self._asker is asyncio.current_task():
            raise InvalidError("a token's function can't use the client that it is for")
        async with self._lock:
            if self.text == used:
                await self._asked()
        return self.text not in ("", used)

    async def _asked(self) -> None:
        assert self._ask is not None
        self._asker = asyncio.current_task()
        try:
            found = self._ask()
            text = await found if inspect.isawaitable(found) else found
        except TwinwireError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise TwinwireError(f"no token could be had: {why}", is_passing=True) from error
        finally:
            self._asker = None
        self.text = _checked(text or "")
        self._is_asked = True

    @property
    def is_renewable(self) -> bool:
        return self._ask is not None

    def without(self, said: str) -> str:
        """What somebody else has said, without the token."""
        return said.replace(self.text, "(the token)") if self.text else said


def is_token(text: str) -> bool:
    """Whether it can be one."""
    return len(text) <= TOKEN_MAX and _TEXT.match(text) is not None


def _checked(text: str) -> str:
    text = text.strip()
    if text and not is_token(text):
        raise InvalidError(f"that is no token: at most {TOKEN_MAX:,} characters of a JWT, and no more")
    return text
