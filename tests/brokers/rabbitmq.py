"""RabbitMQ with its MQTT plugin, as Debian ships it: MQTT 3.1.1 alone."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.broker import free_port
from tests.brokers.broker import PASSWORD, USER, Abilities, RealBroker, missing

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONF = """\
listeners.tcp = none
default_user = {user}
default_pass = {password}
loopback_users = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.listeners.ssl.1 = 127.0.0.1:{tls_port}
mqtt.allow_anonymous = false
mqtt.prefetch = 1000
ssl_options.cacertfile = {folder}/ca.crt
ssl_options.certfile = {folder}/server.crt
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
log.console = true
log.file = false
"""


@dataclass
class RabbitMQ(RealBroker):
    """A node of its own with a name mapper of its own: nothing of the machine's is touched."""

    node_port: int = field(default_factory=free_port)
    names_port: int = field(default_factory=free_port)

    kind = "rabbitmq"
    abilities = Abilities(mqtt_5=False)

    def command(self) -> list[str]:
        if not SERVER.exists():
            missing(self.kind, "apt-get install -y rabbitmq-server")
        text = CONF.format(
            port=self.port,
            tls_port=self.tls_port,
            folder=self.folder,
            user=USER,
            password=PASSWORD,
        )
        (self.folder / "rabbitmq.conf").write_text(text)
        (self.folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        return [str(SERVER)]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.node_port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "ERL_EPMD_PORT": str(self.names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def stop(self) -> None:
        super().stop()
        self._end_names()

    def kill(self) -> None:
        """The server is a child of a script: the whole group goes."""
        if self.process is not None:
            os.killpg(self.process.pid, 9)
        super().kill()
        self._end_names()

    def _end_names(self) -> None:
        """The name mapper is a daemon that would outlive the test."""
        epmd = shutil.which("epmd") or "epmd"
        ended = [epmd, "-port", str(self.names_port), "-kill"]
        subprocess.run(ended, capture_output=True, check=False)
