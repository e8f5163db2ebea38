"""`python -m service`: the command, with the server's own commands from this checkout or installation."""

import _signal  # type: ignore[import-not-found]

_signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # as in `twinwire.__main__`, before anything else is imported

from twinwire.command import main  # noqa: E402


def _server() -> main.More:
    from service.command.commands import server

    return server


def run_command() -> None:
    main.run_command(_server)


if __name__ == "__main__":
    run_command()
