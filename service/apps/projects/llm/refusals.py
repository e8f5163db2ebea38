"""An endpoint that does not answer, or not as it should: which EndpointError that is."""

import os
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from service.apps.projects.llm.chunks import words_of, words_of_body
from service.apps.projects.llm.faults import EndpointError
from service.apps.projects.llm.hiding import Hiding

_RETRY_DIGITS: Final = 9
_LATER: Final = "generate again later"


def refusal(response: httpx2.Response, content: bytes, hiding: Hiding) -> EndpointError:
    """Of an answer that is no 2xx."""
    status = response.status_code
    said = words_of_body(content, hiding.clean)
    told = f"{status}: {said}" if said else str(status)
    if 300 <= status < 400:
        where = words_of(response.headers.get("location", "nowhere"), hiding.clean)
        return EndpointError(
            f"The model's endpoint redirects to {where} ({status}), which is not followed, since the key is for"
            " nobody else",
            "set TWINWIRE_LLM_URL to the address that answers",
        )
    if status in {401, 403}:
        return EndpointError(f"The model's endpoint does not let us in ({told})", "check TWINWIRE_LLM_KEY")
    if status == 404:
        advice = "check TWINWIRE_LLM_URL, which mostly ends in /v1, and TWINWIRE_LLM_MODEL"
        return EndpointError(f"The model's endpoint knows no such address or model ({told})", advice)
    if status == 429:
        what = f"The model's endpoint says that it is asked too much ({told})"
        return EndpointError(what, f"{_LATER}, or ask for a higher rate there", transient=True, wait=_wait(response))
    if status == 408 or status >= 500:
        what = f"The model's endpoint fails ({told})"
        return EndpointError(what, f"look into its log, or {_LATER}", transient=True, wait=_wait(response))
    advice = "check TWINWIRE_LLM_MODEL, and that TWINWIRE_LLM_ANSWER_TOKENS is no more than it can"
    return EndpointError(f"The model's endpoint refuses the question ({told})", advice)


def fault_of(error: httpx2.HTTPError, silence: float, has_begun: bool, hiding: Hiding) -> EndpointError:
    """Of a connection that fails below HTTP."""
    if isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
        when = "stopped in the middle of its answer and" if has_begun else "has not begun to answer and"
        what = f"The model {when} said nothing for {silence:g} s"
        return EndpointError(
            what, "see whether it is loaded and not overloaded, or raise TWINWIRE_LLM_SILENCE", transient=True
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        what = f"The model's endpoint can't be reached ({_reason(error, hiding)})"
        return EndpointError(what, "see whether it runs, and check TWINWIRE_LLM_URL", transient=True)
    if isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError):
        when = "in the middle of its answer" if has_begun else "before it answered"
        what = f"The connection to the model broke off {when} ({_reason(error, hiding)})"
        return EndpointError(what, f"look into the endpoint's log, or {_LATER}", transient=True)
    return unheard(_reason(error, hiding))


def broken_off(has_begun: bool) -> EndpointError:
    """An answer whose connection ended well, and which did not."""
    if not has_begun:
        what = "The model's endpoint ended its answer before it said anything"
    else:
        what = "The model's answer broke off in the middle: the endpoint closed it without an end"
    return EndpointError(what, f"look into the endpoint's log, or {_LATER}", transient=True)


def unheard(reason: str = "the address can't be asked for") -> EndpointError:
    return EndpointError(f"The model's endpoint can't be spoken with ({reason})", "check TWINWIRE_LLM_URL")


def nonsense(what: str) -> EndpointError:
    """An endpoint that speaks, and not as one of this kind does."""
    advice = "check that TWINWIRE_LLM_URL is the base of an OpenAI-compatible endpoint that streams"
    return EndpointError(f"The model's endpoint {what}", advice)


def _reason(error: BaseException, hiding: Hiding) -> str:
    """In the system's words, where it is the system that says so: libraries put others before them."""
    told = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            told = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or told
        cause = cause.__cause__ or cause.__context__
    return words_of(told, hiding.clean)


def _wait(response: httpx2.Response) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3) in seconds: a number, or a date that is held against the answer's own."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) <= _RETRY_DIGITS:
        return float(text)
    try:
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, (then - now).total_seconds()) if then.tzinfo and now.tzinfo else None
