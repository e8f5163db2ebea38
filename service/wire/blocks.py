"""What frames a Server-Sent Event: `ServerSentEvent` of sse-starlette, and nothing else of it.

Its package replaces `uvicorn.Server.handle_exit` while it is imported, which is for those who answer with its
responses. So the one module that is needed, which leans on the standard library alone, is loaded by itself: whoever has
the service in a program of his own finds every other library as it was.
"""

from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sse_starlette.event import ServerSentEvent
else:

    def _load() -> Any:
        package = find_spec("sse_starlette")  # which imports nothing
        spec = None if package is None else PathFinder.find_spec("event", package.submodule_search_locations)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError("No module named 'sse_starlette.event'", name="sse_starlette")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.ServerSentEvent

    ServerSentEvent = _load()

__all__ = ["ServerSentEvent"]
