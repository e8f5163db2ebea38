"""The tour of the README against a server as `make run` starts it."""

import shlex
import sys

from tests.e2e.conftest import Serve
from tests.support.tour import take


async def test_tour_of_the_readme_works_line_by_line(serve: Serve) -> None:
    await take(serve().url, f"{shlex.quote(sys.executable)} -m service")
