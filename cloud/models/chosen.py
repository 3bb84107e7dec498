"""Which series a model is made from: the manifest's own words for it, and what narrows training.

A model is trained on what it will be applied to, so both are chosen by `protos.model.Applies`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloud.client.training import TrainingApi
from cloud.errors import OperatorError
from protos.model import Applies

CHOSEN_MAX: Final = 500
"""Series of one training or backtest: each is asked for by itself."""
CLASS_LABEL: Final = "class"


@dataclass(frozen=True, slots=True)
class Choice:
    """``applies`` goes into the manifest; ``gateway`` and ``labels`` narrow what is read for it.

    ``labels`` are as /api/v1/series takes them: `name:pattern` or `name`, joined by commas.
    """

    applies: Applies
    gateway: str | None = None
    labels: str | None = None
    kinds: Sequence[str] = ("gauge",)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One series; ``id`` has 16 hex digits, times are of its first and last reading (µs)."""

    id: str
    gateway: str
    device: str
    metric: str
    unit: str
    first_us: int
    last_us: int

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.device}/{self.metric}"


def choose(api: TrainingApi, choice: Choice) -> list[Chosen]:
    """The series that are meant and have readings, by id.

    Raises:
        OperatorError: there are none, or more than CHOSEN_MAX.
    """
    asked = {"gateway": choice.gateway, "labels": choice.labels, "kind": ",".join(choice.kinds)}
    found = [
        Chosen(
            row["id"], row["gateway"], row["device"], row["metric"], row["unit"],
            row["first_ts"], row["last_ts"],
        )
        for row in api.listed(asked)
        if row["last_ts"] is not None
        and choice.applies.to(
            row["device"], row["metric"], row["unit"], row["labels"].get(CLASS_LABEL, "")
        )
    ]  # fmt: skip
    tried = "choose series"
    if not found:
        hint = "`tidegate-cloud series list` names them; patterns are of the whole name"
        raise OperatorError(tried, "no series with readings fits what was asked", hint)
    if len(found) > CHOSEN_MAX:
        cause = f"{len(found)} series fit, {CHOSEN_MAX} are allowed"
        raise OperatorError(tried, cause, "narrow it by --gateway, --device or --label")
    return sorted(found, key=lambda one: one.id)
