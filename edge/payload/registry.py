"""Every convention there is, in the order in which they are asked: the files of this folder.

A file that has a `CONVENTION` is one; to add another, add a file.
"""

import importlib
import pkgutil
from typing import Final

from edge import payload
from edge.payload.offer import Convention


def _found() -> tuple[Convention, ...]:
    names = [module.name for module in pkgutil.iter_modules(payload.__path__)]
    files = [importlib.import_module(f"{payload.__name__}.{name}") for name in names
             if name != "registry"]  # fmt: skip
    found: list[Convention] = [file.CONVENTION for file in files if hasattr(file, "CONVENTION")]
    return tuple(sorted(found, key=lambda one: (one.rank, one.name)))


CONVENTIONS: Final = _found()
