"""`tidegate-edge run` with something wrong says one clear thing, and the way out."""

import datetime
import os
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.demo.broker import free_port
from deploy.demo.stack import BIN, Half, Stack, run, wait_until


def edge_run(home: Path, seconds: float = 60.0) -> tuple[int, str]:
    """Run the agent until it ends by itself; its exit code and what it said on stderr."""
    done = subprocess.run(
        [str(BIN / "tidegate-edge"), "--home", str(home), "run"],
        capture_output=True, text=True, timeout=seconds, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    run("tidegate-edge", "--home", str(tmp_path / "edge"), "init", "--name", "g1")
    return tmp_path / "edge"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[broker]\nurrl = "mqtt://127.0.0.1:1"\n', ["urrl", "url", "edge.toml"]),
        ("[broker]\nurl = 5\n", ["broker.url", "string", "edge.toml"]),
        ("[brokr]\n", ["brokr", "broker", "edge.toml"]),
        ("[broker\n", ["edge.toml", "line 1"]),
    ],
    ids=["unknown key", "wrong type", "unknown section", "not TOML"],
)
def test_a_wrong_settings_file_is_named_with_its_key_and_the_way_out(
    home: Path, text: str, said: list[str]
) -> None:
    (home / "edge.toml").write_text(text)
    code, told = edge_run(home)
    assert code == 2
    assert all(word in told for word in said), told
    assert "Traceback" not in told


def test_a_missing_settings_file_says_to_run_init(tmp_path: Path) -> None:
    code, told = edge_run(tmp_path / "nowhere")
    assert code == 2
    assert "tidegate-edge" in told
    assert "init" in told
    assert "Traceback" not in told


def said_while_running(home: Path, word: str) -> str:
    """Run the agent until its log has the word, stop it as an operator would, return the log."""
    log = home / "run.log"
    agent = Half([str(BIN / "tidegate-edge"), "--home", str(home), "run"], log)
    agent.start()
    try:
        wait_until(f"the agent says {word!r}", lambda: word in log.read_text(), 30)
    finally:
        code = agent.stop()
    assert code == 0, log.read_text()
    return log.read_text()


def test_an_unreachable_broker_is_named_once_with_what_to_check_and_tried_again(
    home: Path,
) -> None:
    port = free_port()
    (home / "edge.toml").write_text(
        f'[gateway]\nname = "g1"\n[broker]\nurl = "mqtt://127.0.0.1:{port}"\n'
    )
    told = said_while_running(home, "could not")
    assert f"127.0.0.1:{port}" in told
    loud = [line for line in told.splitlines() if " error " in line or " warning " in line]
    assert sum("refused" in line.lower() for line in loud) == 1, "one logger tells, once"
    assert "broker.url" in told
    assert told.count("could not") == 1
    assert "Traceback" not in told


@pytest.mark.broker
def test_a_damaged_identity_is_named_and_collecting_goes_on(stack: Stack) -> None:
    assert stack.edge.stop() == 0
    (stack.home("edge") / "identity" / "gateway.crt").write_text("no certificate")
    told = said_while_running(stack.home("edge"), "could not")
    assert "gateway.crt" in told
    assert "enroll" in told
    assert "collected and kept" in told
    assert told.count("could not") == 1


@pytest.mark.broker
def test_an_expired_certificate_is_named_with_its_date_and_the_way_out(stack: Stack) -> None:
    assert stack.edge.stop() == 0
    expire(stack.home("edge") / "identity" / "gateway.crt", stack.home("cloud") / "ca" / "ca.key")
    told = said_while_running(stack.home("edge"), "could not")
    assert "expired" in told
    assert "2024-05-06" in told
    assert "enroll" in told
    assert told.count("could not") == 1
    assert "Traceback" not in told


def expire(path: Path, authority: Path) -> None:
    """Replace a certificate by one of the same key, names and authority that ended in 2024."""
    old = x509.load_pem_x509_certificate(path.read_bytes())
    key = serialization.load_pem_private_key(authority.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    expired = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(expired.public_bytes(serialization.Encoding.PEM))
