"""The broker that comes along: amqtt, for the demo and for sites that have none."""

import json
import sys

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from tests.brokers.broker import PASSWORD, USER, Abilities, RealBroker

SCRIPT = """\
import asyncio, json, sys
from amqtt.broker import Broker

async def serve(config):
    broker = Broker(config)
    await broker.start()
    await asyncio.Event().wait()

asyncio.run(serve(json.loads(open(sys.argv[1]).read())))
"""


class Embedded(RealBroker):
    """Speaks 3.1.1, keeps its sessions in memory, and asks nobody for a certificate."""

    kind = "embedded"
    abilities = Abilities(
        mqtt_5=False, client_certificates=False, survives_kill=False, holds_sessions=False
    )

    def command(self) -> list[str]:
        hashed = PasswordHash((Argon2Hasher(),)).hash(PASSWORD)
        (self.folder / "passwords").write_text(f"{USER}:{hashed}\n")
        config = {
            "listeners": {
                "default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"},
                "tls": {
                    "bind": f"127.0.0.1:{self.tls_port}",
                    "ssl": True,
                    "cafile": str(self.folder / "ca.crt"),
                    "certfile": str(self.folder / "server.crt"),
                    "keyfile": str(self.folder / "server.key"),
                },
            },
            "plugins": {
                "amqtt.plugins.authentication.FileAuthPlugin": {
                    "password_file": str(self.folder / "passwords")
                }
            },
        }
        (self.folder / "broker.json").write_text(json.dumps(config))
        return [sys.executable, "-c", SCRIPT, str(self.folder / "broker.json")]
