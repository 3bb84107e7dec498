"""The cloud's configuration: the settings in its home, and where everything in that home lies.

The home holds `cloud.toml`, `ca/`, `registry.db`, `notify.db`, `journal/`, `lake/` and, once
there is something in them, `imports/` and `models/`. What can be wrong is said once, with the way
out.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.errors import OperatorError
from cloud.http_settings import OF_AUTHORITY
from cloud.settings import CloudSettings
from protos.address import split_address
from protos.settings import SettingsError, read_settings

HOME_VARIABLE: Final = "TIDEGATE_CLOUD_HOME"
FILE_NAME: Final = "cloud.toml"


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """The settings of one home, and where everything in that home lies."""

    home: Path
    settings: CloudSettings

    @property
    def settings_path(self) -> Path:
        """The settings file."""
        return self.home / FILE_NAME

    @property
    def authority_folder(self) -> Path:
        """Folder of the certificate authority and the server's certificate."""
        return self.home / "ca"

    @property
    def certificate_life_us(self) -> int:
        """How long a gateway's certificate serves."""
        return self.settings.certificates.gateway_days * 86_400_000_000

    @property
    def registry_path(self) -> Path:
        """The registry's file."""
        return self.home / "registry.db"

    @property
    def journal_folder(self) -> Path:
        """Folder of the journal's segments."""
        return self.home / "journal"

    @property
    def lake_folder(self) -> Path:
        """Folder of the lake's tables."""
        return self.home / "lake"

    @property
    def notify_path(self) -> Path:
        """The file of what people are told."""
        return self.home / "notify.db"

    @property
    def imports_folder(self) -> Path:
        """Folder of the import gateways' ledgers."""
        return self.home / "imports"

    @property
    def models_folder(self) -> Path:
        """Folder of the model packages on the shelf."""
        return self.home / "models"

    @property
    def model_key_path(self) -> Path:
        """The private key that this cloud signs models with, once it made one."""
        return self.home / "model.key"

    @property
    def certificate_hosts(self) -> tuple[str, ...]:
        """Every name the server's certificate answers to: what is advertised, and this machine."""
        return tuple(dict.fromkeys((*self.settings.listen.hosts, "localhost", "127.0.0.1", "::1")))

    @property
    def enrol_address(self) -> str:
        """Where gateways enrol, as it stands in tokens."""
        return self._advertised(self.settings.listen.enrol)

    @property
    def sync_address(self) -> str:
        """Where enrolled gateways connect."""
        return self._advertised(self.settings.listen.sync)

    @property
    def http_address(self) -> tuple[str, int]:
        """Host and port of page and API."""
        return split_address(self.settings.listen.http)

    @property
    def page_certificate_path(self) -> Path:
        """Certificate chain of page and API, where the settings name one."""
        named = self.settings.http.certificate
        of_authority = self.authority_folder / "server.crt"
        return of_authority if named == OF_AUTHORITY else self.home / named

    @property
    def page_key_path(self) -> Path:
        """Its private key."""
        if self.settings.http.certificate == OF_AUTHORITY:
            return self.authority_folder / "server.key"
        return self.home / self.settings.http.key

    def _advertised(self, listening: str) -> str:
        host = self.settings.listen.hosts[0]
        port = split_address(listening)[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def default_home() -> Path:
    """Where the cloud lives when nobody says: /var/lib for root, the home folder for others."""
    if os.geteuid() == 0:
        return Path("/var/lib/tidegate-cloud")
    return Path.home() / ".tidegate" / "cloud"


def load(home: Path) -> CloudConfig:
    """Read the settings of a home.

    Raises:
        OperatorError: no such file, not readable, not TOML, or a wrong key or value.
    """
    path = home / FILE_NAME
    try:
        return CloudConfig(home, read_settings(path.read_text(encoding="utf-8"), CloudSettings))
    except FileNotFoundError as error:
        raise OperatorError(
            f"read the settings in {path}",
            "there is no such file",
            f"run `tidegate-cloud --home {home} init`, or name another home with --home",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        hint = "check the file and who may read it"
        raise OperatorError(f"read the settings in {path}", str(cause), hint) from error
    except SettingsError as error:
        raise OperatorError(f"read the settings in {path}", error.cause, error.hint) from error
