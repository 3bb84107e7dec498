"""Where a gateway's home is when nobody says, and whether there are settings in one."""

import os
from pathlib import Path
from typing import Final

from edge.errors import OperatorError

HOME_VARIABLE: Final = "TIDEGATE_EDGE_HOME"
SERVICE_HOME: Final = Path("/var/lib/tidegate-edge")
UNITS: Final = (
    Path("/usr/lib/systemd/system/tidegate-edge.service"),
    Path("/etc/systemd/system/tidegate-edge.service"),
)


def default_home() -> Path:
    """Where the agent lives when nobody says: /var/lib for root, the home folder for others."""
    if os.geteuid() == 0:
        return SERVICE_HOME
    return Path.home() / ".tidegate" / "edge"


def runs_as_service(home: Path) -> bool:
    """Whether a home is the one of this machine's service, as a package sets it up."""
    return home == SERVICE_HOME and any(unit.is_file() for unit in UNITS)


def is_there(settings: Path) -> bool:
    """Whether a home has its settings file.

    Raises:
        OperatorError: the home is another user's, so that nobody can tell.
    """
    try:
        settings.stat()
    except PermissionError as error:
        hint = "ask as root (sudo), or as the user that the home belongs to; --home names another"
        raise OperatorError(f"look for {settings}", "the home is another user's", hint) from error
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
