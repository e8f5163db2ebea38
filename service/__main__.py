"""`python -m service` and `twinwire`: the command, which stands in `service.command`."""

from service.command.commands import run_command

if __name__ == "__main__":
    run_command()
