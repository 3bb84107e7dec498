"""Pure: the settings of the figures' door, one section for both halves."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protos.address import split_address
from protos.settings import WrongValueError


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for a monitoring system, only where they are asked for."""

    listen: Annotated[
        str,
        Meta(
            description="`host:port` of `/metrics` and `/healthz`, plain HTTP without a password; "
            'empty: nothing listens. `"127.0.0.1:9464"` keeps it on this machine.'
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse an address that cannot be listened on."""
        if self.listen:
            try:
                split_address(self.listen)
            except ValueError as error:
                hint = "write host:port, as in 127.0.0.1:9464, or leave it empty"
                raise WrongValueError("listen", str(error), hint) from error
