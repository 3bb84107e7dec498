"""One gateway's configuration: the settings in its home, and where everything in that home lies.

The home holds `edge.toml`, perhaps `rules.toml`, `identity/`, `keys/`, `buffer.db`, `clock.json`,
`renewal.json`, `watch.json`, `models/` and `run/`. Everything relative in the settings is relative
to it. What can be wrong is said once, with the way out.
"""

import ssl
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from edge.config_watch import check_watches
from edge.errors import OperatorError
from edge.home import is_there
from edge.settings import EdgeSettings
from edge.settings_links import Broker
from protos.settings import NEAREST_CUTOFF, SettingsError, read_settings, toml_value
from protos.shown import printable

if TYPE_CHECKING:
    from edge.payload.rules import Rules

FILE_NAME: Final = "edge.toml"
RULES_NAME: Final = "rules.toml"

MAIN: Final = ""
"""Name of the broker of `[broker]`, among those of `[brokers.NAME]`."""
MAIN_SHOWN: Final = "main"
"""How it is called where a name has to be shown."""


@dataclass(frozen=True, slots=True)
class NamedBroker:
    """A broker of the settings: its name, the section that it stands in, and what that says."""

    name: str
    key: str
    settings: Broker


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The settings of one home, and where everything in that home lies."""

    home: Path
    settings: EdgeSettings

    @property
    def settings_path(self) -> Path:
        """The settings file."""
        return self.home / FILE_NAME

    @property
    def name(self) -> str:
        """The gateway's name."""
        return self.settings.gateway.name

    @property
    def buffer_name(self) -> str:
        """The name that the buffer's rows are bound to."""
        return self.settings.gateway.begun_as or self.name

    @property
    def identity_folder(self) -> Path:
        """Folder of key, certificate and authority."""
        return self.home / "identity"

    @property
    def buffer_key_path(self) -> Path:
        """File of the buffer's key-encryption key."""
        return self.home / "keys" / "buffer.key"

    @property
    def buffer_path(self) -> Path:
        """The buffer's file."""
        return self.home / "buffer.db"

    @property
    def clock_path(self) -> Path:
        """What is known of times while the clock is not to be believed."""
        return self.home / "clock.json"

    @property
    def renewal_path(self) -> Path:
        """How old the certificate is, as the gateway ran."""
        return self.home / "renewal.json"

    @property
    def models_folder(self) -> Path:
        """Folder of models."""
        return self.home / self.settings.models.folder

    @property
    def rollout_folder(self) -> Path:
        """Folder of the models that the cloud rolls out."""
        return self.home / "rollout"

    @property
    def control_path(self) -> Path:
        """Socket of the running agent."""
        return self.home / "run" / "control.sock"

    @property
    def rules_path(self) -> Path:
        """The rules file; it need not be there unless the settings name it."""
        return self.file(self.settings.ingest.rules_file or RULES_NAME, "ingest.rules_file")

    def rules(self) -> "Rules":
        """What the operator says about topics.

        Raises:
            OperatorError: a file that cannot be used.
        """
        from edge.rules_file import load_rules

        named = bool(self.settings.ingest.rules_file)
        try:
            return load_rules(self.rules_path, required=named)
        except OperatorError as error:
            if not named:
                raise
            tried = f"{error.tried}, which {FILE_NAME} names as `ingest.rules_file`"
            raise OperatorError(tried, error.cause, error.hint) from error

    @property
    def host_id(self) -> str:
        """Name as a host of Sparkplug nodes."""
        return self.settings.sparkplug.host_id or f"tidegate-{self.name}"

    @property
    def client_id(self) -> str:
        """MQTT client id."""
        return self.settings.broker.client_id or f"tidegate-{self.name}"

    def file(self, name: str, key: str) -> Path:
        """A file that the setting ``key`` names; relative names are relative to the home.

        Raises:
            OperatorError: it begins with the home of a user whom this machine does not know.
        """
        try:
            return self.home / Path(name).expanduser()
        except RuntimeError as error:
            tried = f"find the file {name!r} that {self.settings_path} names as `{key}`"
            raise OperatorError(tried, str(error), f"write the whole path in `{key}`") from error

    @property
    def brokers(self) -> tuple[NamedBroker, ...]:
        """Every broker of the settings: `[broker]` first, then the others by their names."""
        named = sorted(self.settings.brokers.items())
        first = NamedBroker(MAIN, "broker", self.settings.broker)
        return first, *(NamedBroker(name, f"brokers.{name}", one) for name, one in named)

    @property
    def alerts_broker(self) -> NamedBroker:
        """The one that alerts are told to."""
        wanted = self.settings.alerts.broker
        return next(one for one in self.brokers if one.name == wanted)

    def broker_client_id(self, broker: NamedBroker) -> str:
        """MQTT client id at a broker."""
        if broker.settings.client_id or broker.name == MAIN:
            return broker.settings.client_id or self.client_id
        return f"tidegate-{self.name}-{broker.name}"

    def broker_password(self, broker: NamedBroker | None = None) -> str | None:
        """First line of a broker's password file; None without one. None stands for `[broker]`.

        Raises:
            OperatorError: the file cannot be read.
        """
        broker = broker or self.brokers[0]
        name, key = broker.settings.password_file, f"{broker.key}.password_file"
        if not name:
            return None
        lines = _text(self.file(name, key), key).splitlines()
        return lines[0] if lines else ""

    def cloud_proxy(self) -> str:
        """The proxy on the way to the cloud, credentials included: not to be shown; "" for none.

        Raises:
            OperatorError: the password file cannot be read.
        """
        cloud = self.settings.cloud
        if not cloud.proxy_username:
            return cloud.proxy.rstrip("/")
        name, password, key = cloud.proxy_password_file, "", "cloud.proxy_password_file"
        if name:
            lines = _text(self.file(name, key), key).splitlines()
            password = lines[0] if lines else ""
        user = f"{quote(cloud.proxy_username, safe='')}:{quote(password, safe='')}"
        return f"http://{user}@{cloud.proxy.removeprefix('http://').rstrip('/')}"

    def broker_tls(self, broker: NamedBroker | None = None) -> ssl.SSLContext | None:
        """TLS towards a broker; None for a plain connection. None stands for `[broker]`.

        Raises:
            OperatorError: an authority, certificate or key that cannot be used.
        """
        broker = broker or self.brokers[0]
        if not broker.settings.tls:
            return None
        named = {of: getattr(broker.settings, of) for of in ("ca_file", "cert_file", "key_file")}
        ca, cert, key = (
            str(self.file(name, f"{broker.key}.{of}")) if name else None
            for of, name in named.items()
        )
        try:
            context = ssl.create_default_context(cafile=ca)
            if cert:
                context.load_cert_chain(cert, key)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(
                f"set up TLS towards the broker as {self.settings_path} says",
                str(error),
                f"check {broker.key}.ca_file, {broker.key}.cert_file and {broker.key}.key_file",
            ) from error
        return context


def load(home: Path) -> EdgeConfig:
    """Read the settings of a home, and see that every file they name can be read.

    Raises:
        OperatorError: no such file, not TOML, a wrong key or value, or a missing named file.
    """
    path = home / FILE_NAME
    if not is_there(path):
        raise OperatorError(
            f"read the settings in {path}",
            "there is no such file",
            f"run `tidegate-edge --home {home} init`, or name another home with --home",
        )
    try:
        settings = read_settings(_text(path, ""), EdgeSettings)
    except SettingsError as error:
        raise OperatorError(f"read the settings in {path}", error.cause, error.hint) from error
    config = EdgeConfig(home, settings)
    _check_brokers(config)
    check_watches(settings, path)
    config.cloud_proxy()
    if settings.ingest.rules_file or config.rules_path.exists():
        config.rules()
    return config


def _check_brokers(config: EdgeConfig) -> None:
    """See that files can be read, that no two sessions are one, and that alerts go somewhere."""
    tried = f"read the settings in {config.settings_path}"
    sessions: dict[tuple[str, int, str], str] = {}
    for one in config.brokers:
        if one.name == MAIN_SHOWN:
            cause = f"`{one.key}`: the broker of [broker] is called so"
            raise OperatorError(tried, cause, "choose another name")
        for of in ("password_file", "ca_file", "cert_file", "key_file"):
            name, key = getattr(one.settings, of), f"{one.key}.{of}"
            if name:
                _text(config.file(name, key), key)
        at = (one.settings.host, one.settings.port, config.broker_client_id(one))
        if at in sessions:
            cause = f"`{one.key}`: the same broker and client id as [{sessions[at]}]"
            hint = f"give it another url, or another {one.key}.client_id"
            raise OperatorError(tried, cause, hint)
        sessions[at] = one.key
    wanted, names = config.settings.alerts.broker, list(config.settings.brokers)
    if wanted and wanted not in names:
        near = get_close_matches(wanted, names, 1, NEAREST_CUTOFF)
        cause = f"`alerts.broker`: there is no [brokers.{printable(wanted)}]"
        told = ", ".join([*names, 'nothing ("") for [broker]'])
        hint = f"did you mean {toml_value(near[0])}?" if near else f"choose among {told}"
        raise OperatorError(tried, cause, hint)


def _text(path: Path, key: str) -> str:
    named = f" that {FILE_NAME} names as `{key}`" if key else ""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = f"put the file there or correct `{key}`"
        raise OperatorError(f"read {path}{named}", "there is no such file", hint) from error
    except (OSError, ValueError) as error:  # also bytes that are no text, and a name with a NUL
        cause = error.strerror if isinstance(error, OSError) else _no_text(error)
        hint = "check the file and who may read it"
        raise OperatorError(f"read {path}{named}", str(cause), hint) from error


def _no_text(error: ValueError) -> str:
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
