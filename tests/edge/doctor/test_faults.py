"""Faults that are planted, each found by its name and with its remedy: the table of acceptance."""

import pytest

from deploy.demo.broker import free_port
from tests.edge.doctor import plants as by
from tests.edge.doctor.patient import MEMINFO, WATCHED, Patient
from tests.edge.doctor.plants import CONF, EVENTS, UNIT, Planted

TABLE = [
    Planted("a key of the settings is misspelled", by.settings("log", 'levle = "info"'),
            "configuration.unusable", "level", 2),
    Planted("a file that they name is not there", by.settings("ingest", 'rules_file = "none.toml"'),
            "configuration.unusable", "put it there", 2),
    Planted("other users may look into the home", by.with_mode(".", 0o755),
            "configuration.open", "chmod 700", 0),
    Planted("the clock was never set", by.where(now_us=lambda: 86_400_000_000),
            "clock.unset", "timedatectl", 2),
    Planted("nothing synchronises the clock", by.unsynchronised,
            "clock.unsynchronised", "time server", 0),
    Planted("the clock was set back", by.behind, "clock.behind", "time server", 0),
    Planted("the RTC lost its battery", by.dated_rtc, "clock.rtc-wrong", "battery", 0),
    Planted("the state lies on an overlay", by.mounted("overlay", "rw"),
            "disk.overlay", "raspi-config", 5),
    Planted("the state lies in memory",
            by.mounted("tmpfs", "rw"), "disk.memory", "a disk that stays", 5),
    Planted("the card turned read-only", by.mounted("ext4", "ro"), "disk.read-only", "dmesg", 5),
    Planted("the card's cache is never flushed", by.mounted("ext4", "rw,nobarrier"),
            "disk.no-barrier", "nobarrier", 5),
    Planted("the card has no journal", by.mounted("vfat", "rw"), "disk.doubtful", "ext4", 0),
    Planted("the buffer may outgrow the disk", by.settings("buffer", f"bytes_max = {1 << 40}"),
            "disk.tight", "buffer.bytes_max", 0),
    Planted("the card's life is used up", by.worn, "disk.worn-out", "new one", 5),
    Planted("the file system met errors", by.file_system_errors, "disk.errors", "fsck", 5),
    Planted("the kernel ended the agent for want of memory",
            by.with_file(EVENTS, "oom 2\noom_kill 2\n"),
            "memory.killed", "MemoryMax", 5),
    Planted("the machine has no memory left",
            by.with_file("/proc/meminfo", MEMINFO.format(left=9000)),
            "memory.short", "ps aux", 0),
    Planted("others may read the buffer's key", by.with_mode("keys/buffer.key", 0o644),
            "key.unusable", "chmod 600", 2),
    Planted("the buffer's key is gone",
            lambda patient: (patient.home / "keys" / "buffer.key").unlink(),
            "key.unusable", "bring its own key back", 2),
    Planted("a bit of the buffer flipped", by.flipped, "buffer.damaged", "buffer verify", 5),
    Planted("the buffer's beginning is lost", by.torn, "buffer.unreadable", "move it aside", 5),
    Planted("a newer Tidegate wrote the buffer", by.newer, "buffer.newer", "newer Tidegate", 5),
    Planted("the buffer was sealed with another key", by.other_key, "buffer.unreadable", "key", 5),
    Planted("the broker does not run", lambda patient: patient.broker.stop(),
            "broker.unreachable", "systemctl status mosquitto", 3),
    Planted("something else listens at the broker's port", by.at_the_cloud,
            "broker.mute", "MQTT port", 3),
    Planted("the broker has no TLS at that port", by.by_tls, "broker.tls", "mqtt://", 4),
    Planted("the broker wants a password",
            by.wants_a_password, "broker.refused", "broker.password_file", 4),
    Planted("the broker forgets its sessions in a power cut",
            by.with_file("/etc/mosquitto/mosquitto.conf", "max_queued_messages 0\n"),
            "broker.persistence", "persistence true", 0),
    Planted("the broker's queue is short", by.with_file(CONF, "max_queued_messages 1000\n"),
            "broker.queue", "max_queued_messages 0", 0),
    Planted("the broker has few messages in flight", by.with_file(CONF, "max_queued_messages 0\n"),
            "broker.inflight", "max_inflight_messages 0", 0),
    Planted("the key is not the certificate's", by.key_of_another,
            "certificate.unusable", "enroll --replace", 2),
    Planted("the authority is not the certificate's", by.authority_of_another,
            "certificate.unusable", "enroll --replace", 2),
    Planted("the gateway was renamed in its settings", by.settings("gateway", 'name = "other"'),
            "certificate.unusable", "gateway.name", 2),
    Planted("the certificate is past its life", by.old_record(-3),
            "certificate.past", "cloud is reached", 0),
    Planted("the certificate should have been renewed", by.old_record(30),
            "certificate.late", "cloud is reached", 0),
    Planted("the cloud's name is known to nobody",
            by.settings("cloud", 'address = "none.invalid:8461"'),
            "cloud.name", "name server", 3),
    Planted("the cloud's address has no port", by.settings("cloud", 'address = "cloud.example"'),
            "cloud.name", "cloud.address", 3),
    Planted("the cloud's port is shut",
            by.settings("cloud", f'address = "127.0.0.1:{free_port()}"'),
            "cloud.tcp", "tidegate-cloud serve", 3),
    Planted("the cloud's address is the broker's",
            lambda patient: patient.set("cloud", f'address = "127.0.0.1:{patient.broker.port}"'),
            "cloud.tls", "sync port", 4),
    Planted("another cloud answers there", by.elsewhere, "cloud.foreign", "enrolled with", 4),
    Planted("the cloud withdrew the certificate", by.revoked, "cloud.identity", "enroll", 4),
    Planted("the proxy on the way is not there",
            by.settings("cloud", f'proxy = "http://127.0.0.1:{free_port()}"'),
            "cloud.proxy", "cloud.proxy", 3),
    Planted("a stranger signed a model", by.stranger, "model.refused", "key", 2),
    Planted("the service does not start at boot", by.not_at_boot,
            "systemd.disabled", "systemctl enable", 0),
    Planted("nobody watches the service",
            by.with_file(UNIT, WATCHED.replace("Type=notify", "Type=exec")),
            "systemd.unwatched", "unit of this version", 0),
]  # fmt: skip


def test_a_gateway_that_is_well_has_neither_fault_nor_warning(patient: Patient) -> None:
    by.kept_buffer(patient)
    by.old_record(700)(patient)
    found = patient.examined()
    assert found.troubles() == {}
    assert found.code == 0
    for name in ("clock.synchronised", "clock.rtc", "disk.kind", "buffer.whole", "broker.answers",
                 "broker.holds", "certificate.life", "cloud.reached", "model.taken",
                 "systemd.unit"):  # fmt: skip
        assert name in found.names


@pytest.mark.parametrize("planted", TABLE, ids=[one.what for one in TABLE])
def test_a_planted_fault_is_found_and_its_remedy_named(patient: Patient, planted: Planted) -> None:
    planted.plant(patient)
    found = patient.examined()
    one = found.of(planted.name)
    assert one.found
    assert planted.remedy in one.to_do
    assert found.code == planted.code, found.troubles()


def test_the_table_has_the_faults_that_were_asked_for() -> None:
    assert len(TABLE) >= 20
    assert len({one.name for one in TABLE}) >= 20
