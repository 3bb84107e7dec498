"""How a model gets into service: trusted first, then tried apart, then given a session here.

In this order, for each step is safe only after the one before it: a package of bounded size is read
and its signature verified by code of ours alone; a trusted one is tried in a process of its own,
which inspects the graph and makes its session; only a model that came through gets a session in
the agent, unless the settings leave it in a process of its own. A model that came with the
installed package, known by its hash, needs none of it.
"""

from pathlib import Path
from typing import Final

from edge.detect.apart import Apart, SetAsideError
from edge.detect.apart_wire import Bounds, Report
from edge.detect.candidate import Candidate
from edge.detect.models import (
    Model,
    ModelRefusedError,
    load,
    open_session,
    read_manifest,
    refused,
)
from edge.detect.scoring import Scoring
from edge.detect.trust import Trust
from protos.model import PACKAGE_BYTES_MAX, SUFFIX, Package, PackageError, read_package, verify

MODELS_MAX: Final = 32
"""Models of a folder; each costs the start about a second for its trial."""


def trusted_package(path: Path, trust: Trust) -> Package:
    """The package of a file, signed by a key that is trusted.

    Raises:
        ModelRefusedError: it cannot be read, is no package, or nobody trusted signed it.
    """
    package = package_of(path)
    try:
        verify(package, trust.keys)
    except PackageError as error:
        raise refused(path, error.why, error.hint) from error
    return package


def package_of(path: Path) -> Package:
    """The package of a file, whoever made it; ModelRefusedError when it is none."""
    try:
        with path.open("rb") as file:
            return read_package(file.read(PACKAGE_BYTES_MAX + 1), path.name)
    except OSError as error:
        raise refused(path, error.strerror or str(error), "check who may read it") from error
    except PackageError as error:
        raise refused(path, error.why, error.hint) from error


def apart(package: Package, bounds: Bounds) -> Apart:
    """A package's model in a process of its own, its trial over; who asks ends it.

    Raises:
        SetAsideError: it did not come through, and why.
    """
    one = Apart.start(package.manifest, package.graph, bounds)
    one.report()
    return one


def tried(path: Path | str, package: Package, bounds: Bounds) -> Report:
    """Try a package's model in a process of its own, and end that.

    Raises:
        ModelRefusedError: it did not come through, and why.
    """
    try:
        one = apart(package, bounds)
    except SetAsideError as error:
        raise refused(path, error.cause, error.hint) from error
    report = one.report()
    one.close()
    assert report is not None
    return report


def admit(path: Path, trust: Trust, bounds: Bounds) -> Model:
    """The model of one file, ready for service in the agent: a package, or a shipped manifest.

    Raises:
        ModelRefusedError: it is not trusted, or did not come through its trial.
    """
    if path.suffix != SUFFIX:
        if read_manifest(path).sha256 not in trust.hashes:
            hint = "sign it: `tidegate-cloud model pack` makes a package of it"
            raise refused(path, "it is unsigned, and none of the shipped models", hint)
        return load(path)
    package = trusted_package(path, trust)
    tried(path, package, bounds)
    return Model(package.manifest, open_session(path, package.manifest, package.graph))


def admit_apart(path: Path, trust: Trust, bounds: Bounds) -> Scoring:
    """As `admit`, but a package's model stays in a process of its own for as long as it serves."""
    if path.suffix != SUFFIX:
        return admit(path, trust, bounds)
    package = trusted_package(path, trust)
    one = Candidate(package.manifest, package.graph, bounds)
    try:
        one.ready(wait=True)
    except SetAsideError as error:
        raise refused(path, error.cause, error.hint) from error
    return one


def files(folder: Path) -> list[Path]:
    """Packages and manifests of a folder, by name."""
    return sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob("*.toml")])


def admit_folder(
    folder: Path, trust: Trust, bounds: Bounds, *, apart: bool = False
) -> tuple[list[Scoring], list[ModelRefusedError]]:
    """Every usable model of a folder, and why the others are refused; sorted by file name.

    Of several files with one name and version the first is taken. With ``apart`` those of packages
    stay in processes of their own.
    """
    models: list[Scoring] = []
    refusals: list[ModelRefusedError] = []
    for path in files(folder):
        try:
            if len(models) >= MODELS_MAX:
                raise refused(path, f"there are {MODELS_MAX} models already", "take some away")
            model = (admit_apart if apart else admit)(path, trust, bounds)
            if model.manifest.label in {one.manifest.label for one in models}:
                cause = f"there is another {model.manifest.label}"
                raise refused(path, cause, "take one of the two away")
            models.append(model)
        except ModelRefusedError as error:
            refusals.append(error)
    return models, refusals
