"""Start tidegate-edge where its package put it."""

import sys

try:
    from edge.cli import main
except ModuleNotFoundError as error:
    if error.name != "edge":
        raise
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    sys.exit(
        f"tidegate-edge: this package is for Python @PYTHONS@, and python3 is {found} here\n"
        "  to do: install the package of a Tidegate that knows this release of Debian"
    )
main()
