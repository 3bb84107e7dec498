"""Models of verified packages: in this process for a good one, apart for one that is tried."""

from edge.detect import models
from edge.detect.watched import Scoring
from protos.model import Package


class PackageOpeners:
    """How a gateway opens packages."""

    def here(self, package: Package) -> Scoring:
        """In this process, after its graph was looked at and a probe scored."""
        manifest = package.manifest
        session = models.open_session(manifest.package_file, manifest, package.graph)
        return models.Model(manifest, session)
