"""The relay as a program, until it is a command of `twinwire`."""

import sys

from twinwire.outbox.command import main

if __name__ == "__main__":
    sys.exit(main())
