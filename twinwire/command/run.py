"""`twinwire run`: a command whose output is also a run of a project, live (docs/run.md)."""

import os
from pathlib import Path

import click

from twinwire.command.reaching import bearer_of, reaching, tell


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--project", help="A project's id or its name; the folder's name without it. Made if there is none.")
@click.option("--hide", multiple=True, metavar="VAR", help="Star out the value of this variable; repeat for more.")
@click.option("--link", is_flag=True, help="Say at the end, on standard error, where the page is.")
@reaching
def run(
    command: tuple[str, ...],
    project: str | None,
    hide: tuple[str, ...],
    link: bool,
    url: str,
    token_file: Path | None,
) -> int:
    """Run COMMAND, and show it live on a project's page: -- make test.

    The terminal shows what it would without us, and the exit status is the command's.
    """
    from twinwire.running.closing import Wanted
    from twinwire.running.hiding import secrets_of
    from twinwire.running.program import Program
    from twinwire.running.signals import die

    bearer = bearer_of(token_file)
    secrets = {one for name in hide for one in secrets_of(_value(name))}
    if bearer.text:
        secrets.add(bearer.text.encode())
    wanted = Wanted(
        command=command,
        project=(project or "").strip() or project_here(_here()),
        url=url.strip().rstrip("/"),
        token=bearer.source,
        secrets=frozenset(secrets),
        tell=tell,
        is_linked=link,
    )
    ended = Program(wanted).run()
    if ended.signal is not None:
        die(ended.signal)
    return ended.exit or 0


def _value(name: str) -> str:
    """Of a variable that has one: a secret that is not there is not hidden, and somebody thinks it is."""
    value = os.environ.get(name)
    if value is None or not value.strip():
        raise click.UsageError(f"--hide {name}: this variable is {'not set' if value is None else 'empty'}")
    return value


def _here() -> Path:
    """Where we are, as far as that is still there."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.environ.get("PWD", ""))


def project_here(folder: Path) -> str:
    """The name of the folder, or of the top of the work tree that it is in (gitglossary(7))."""
    top = next((one for one in (folder, *folder.parents) if os.path.exists(one / ".git")), folder)  # noqa: PTH110 - what may not be looked at is none
    return "".join(one for one in top.name if one.isprintable()).strip() or "commands"
