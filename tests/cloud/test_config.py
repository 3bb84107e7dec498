"""The cloud's settings: loopback until said otherwise, and one clear message when wrong."""

from pathlib import Path

import pytest

from cloud.config import FILE_NAME, load
from cloud.errors import OperatorError
from protos.address import is_loopback, split_address


def home_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / FILE_NAME).write_text(text)
    return tmp_path


def test_an_empty_file_listens_on_loopback_alone(tmp_path: Path) -> None:
    config = load(home_with(tmp_path, ""))
    listen = config.settings.listen
    for address in (listen.sync, listen.enrol, listen.http):
        assert is_loopback(split_address(address)[0])
    assert config.enrol_address == "localhost:8462"
    assert config.certificate_hosts == ("localhost", "127.0.0.1", "::1")


def test_the_first_host_is_advertised_and_all_are_certified(tmp_path: Path) -> None:
    text = '[listen]\nhosts = ["2001:db8::7", "cloud.example"]\nsync = "[::]:1"\n'
    config = load(home_with(tmp_path, text))
    assert config.sync_address == "[2001:db8::7]:1"
    assert config.certificate_hosts[:2] == ("2001:db8::7", "cloud.example")


BROKEN = {
    "unknown key": ("[listen]\nhtpp = 1", "unknown key `listen.htpp`", "`listen.http`"),
    "unknown section": ("[lakes]", "unknown section `lakes`", "[lake]"),
    "wrong type": ("[lake]\ninterval_s = 'often'", "a number from 0.1 to 3_600 (s)", ""),
    "no port": ("[listen]\nhttp = '127.0.0.1'", "`listen.http`: expected host:port", "as in"),
    "port out of range": ("[listen]\nsync = '127.0.0.1:70000'", "`listen.sync`: expected", "as in"),
    "no host": ("[listen]\nenrol = ':80'", "`listen.enrol`: expected host:port", "as in"),
    "no hosts": ("[listen]\nhosts = []", "`listen.hosts`: expected a list", ""),
    "host with a port": ("[listen]\nhosts = ['a b']", "neither a DNS name nor an address", ""),
    "no room": ("[journal]\nsegment_bytes = 1_073_741_824\nbytes_max = 4_294_967_295",
        "no room for four segments", ""),
    "not TOML": ("[listen", "not valid TOML", "brackets"),
}  # fmt: skip


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, why: str) -> None:
    text, cause, hint = BROKEN[why]
    with pytest.raises(OperatorError) as caught:
        load(home_with(tmp_path, text))
    assert cause in caught.value.cause
    assert hint in caught.value.hint
    assert str(tmp_path) in caught.value.tried
    assert caught.value.hint, "what to do is always said"


def test_a_missing_file_says_to_run_init(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"tidegate-cloud --home {tmp_path} init"):
        load(tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff")
    with pytest.raises(OperatorError, match="not UTF-8"):
        load(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(OperatorError, match="Is a directory"):
        load(tmp_path)
