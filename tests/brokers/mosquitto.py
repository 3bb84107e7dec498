"""Mosquitto, as Debian ships it."""

import os
import shutil
import subprocess

from tests.brokers.broker import PASSWORD, USER, Abilities, RealBroker, missing

CONF = """\
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
require_certificate true
allow_anonymous false
password_file {folder}/passwords
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 0
log_type warning
log_type error
"""


class Mosquitto(RealBroker):
    """Saves its sessions in a file now and then: what it acknowledged just before may be gone."""

    kind = "mosquitto"
    abilities = Abilities(mqtt_5=True, survives_kill=False)

    def command(self) -> list[str]:
        places = os.environ.get("PATH", "") + ":/usr/sbin"
        binary = shutil.which("mosquitto", path=places)
        if binary is None:
            missing(self.kind, "apt-get install -y mosquitto")
        conf, passwords = self.folder / "mosquitto.conf", self.folder / "passwords"
        text = CONF.format(port=self.port, tls_port=self.tls_port, folder=self.folder)
        conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        if not passwords.exists():
            passwords.write_text(f"{USER}:{PASSWORD}\n")
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
        return [str(binary), "-c", str(conf)]
