"""Who can reach page and API, decided once, at the start; what is not safe does not start.

On loopback, with no proxy named, only this machine can ask: open while no user is set up, and by
plain HTTP. Everywhere else it takes users, and either a certificate or a proxy that has one.
"""

from collections.abc import Collection
from dataclasses import dataclass

from cloud.config import CloudConfig
from cloud.errors import OperatorError
from cloud.serve.shell import LOOPBACK_HOSTS
from protos.address import is_loopback, split_address


@dataclass(frozen=True, slots=True)
class Reach:
    """``may_be_open``: without users everybody may do everything; ``hosts`` as the shell has it."""

    may_be_open: bool
    hosts: Collection[str] | None
    is_tls: bool

    @property
    def scheme(self) -> str:
        """Of the page's address."""
        return "https" if self.is_tls else "http"


def reach_of(config: CloudConfig, *, has_users: bool) -> Reach:
    """Who can reach them by these settings.

    Raises:
        OperatorError: others could, and nobody has to sign in, or anybody could read along.
    """
    http, address = config.settings.http, config.settings.listen.http
    is_tls = bool(http.certificate)
    if is_loopback(split_address(address)[0]) and not http.behind:
        return Reach(may_be_open=True, hosts=LOOPBACK_HOSTS, is_tls=is_tls)
    tried = f"show the page on {address}"
    others = "a proxy brings others there" if http.behind else "others can reach that address"
    if not has_users:
        hint = "run `tidegate-cloud user add NAME --role admin`, or listen on 127.0.0.1"
        raise OperatorError(tried, f"{others}, and no user is set up", hint)
    if not is_tls and not http.behind:
        hint = (
            'name http.certificate and http.key in the settings (certificate = "authority" takes'
            " one of this cloud's own), or a reverse proxy with TLS under http.behind"
        )
        raise OperatorError(tried, f"{others}, and it would be plain HTTP", hint)
    # A name proves nothing to whoever must sign in: cookies go to the name they came from.
    return Reach(may_be_open=False, hosts=None, is_tls=is_tls)
