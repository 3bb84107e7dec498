"""Models of verified packages: in this process for a good one, apart for one that is tried."""

from typing import Protocol

from edge.detect.apart import Apart
from edge.detect.apart_wire import Bounds
from edge.detect.models import Model, open_session
from edge.detect.watched import Candidate, Inner
from protos.model import Package


class Openers(Protocol):
    """What makes models of verified packages; both raise TidegateError or PackageError."""

    def apart(self, package: Package) -> Candidate:
        """In a process of its own, probed there."""
        ...

    def here(self, package: Package) -> Inner:
        """In this process."""
        ...


class PackageOpeners:
    """How a gateway opens packages, within ``bounds``."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def apart(self, package: Package) -> Apart:
        """In a process of its own, after its trial there. SetAsideError when it failed that."""
        apart = Apart.start(package.manifest, package.graph, self._bounds)
        apart.report()
        return apart

    def here(self, package: Package) -> Model:
        """In this process, for a model that came through its trial. ModelRefusedError if not."""
        manifest = package.manifest
        session = open_session(manifest.package_file, manifest, package.graph)
        return Model(manifest, session)
