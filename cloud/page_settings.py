"""The settings of the page: one section of `cloud.toml`."""

import difflib
from typing import Annotated

import msgspec
import pytz
from msgspec import Meta

from protos.settings import WrongValueError


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows beside what it is asked for."""

    zone: Annotated[
        str,
        Meta(
            description="The plant's time zone, as in Europe/Berlin: the page can show its clocks "
            "beside the reader's own and UTC. Empty: it does not offer them.",
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a zone that there is not."""
        if self.zone and self.zone not in pytz.all_timezones_set:
            near = difflib.get_close_matches(self.zone[:80], pytz.all_timezones, 1, 0.5)
            hint = f"write a name of the IANA table, as in {near[0] if near else 'Europe/Berlin'}"
            raise WrongValueError("zone", f"{self.zone!r} is no time zone", hint)
