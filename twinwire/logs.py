"""What the client logs, and by which name."""

import logging
from typing import Final

logger: Final = logging.getLogger("twinwire")

CONNECTED: Final = "connected over %s"
"""When a subscription's connection has begun, again too."""
