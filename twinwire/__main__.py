"""`twinwire` and `python -m twinwire`: the command, which stands in `twinwire.command`."""

import _signal  # type: ignore[import-not-found]

# Ctrl-C ends a program that has not begun, or only waits, as it ends any other: without a traceback of what it was
# importing. The service installs its own way to stop once it can be stopped. `signal` itself, which is made of this,
# loads half a dozen modules first.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from twinwire.command.main import run_command  # noqa: E402 - after the line above, or it would come too late

if __name__ == "__main__":
    run_command()
