"""The gateway's settings: each way to break a home produces exactly one clear message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import FILE_NAME, load
from edge.errors import OperatorError

GOOD = '[gateway]\nname = "pump-1"\n'


def home_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / FILE_NAME).write_text(text)
    return tmp_path


def test_a_name_is_all_that_must_be_said(tmp_path: Path) -> None:
    config = load(home_with(tmp_path, GOOD))
    assert config.name == "pump-1"
    assert config.client_id == "tidegate-pump-1"
    broker = config.settings.broker
    assert (broker.host, broker.port, broker.tls) == ("127.0.0.1", 1883, False)
    assert config.broker_password() is None
    assert config.broker_tls() is None


def test_the_port_follows_the_scheme(tmp_path: Path) -> None:
    config = load(home_with(tmp_path, GOOD + '[broker]\nurl = "mqtts://[::1]"\n'))
    broker = config.settings.broker
    assert (broker.host, broker.port, broker.tls) == ("::1", 8883, True)
    assert config.broker_tls() is not None


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\nold one\n")
    config = load(home_with(tmp_path, GOOD + '[broker]\npassword_file = "secret"\n'))
    assert config.broker_password() == "open sesame"


SEVERAL = (
    GOOD
    + """
[broker]
url = "mqtts://one"
[brokers.hall]
url = "mqtt://two"
password_file = "secret"
[brokers.yard]
client_id = "chosen"
[alerts]
broker = "hall"
"""
)


def test_several_brokers_each_have_their_own_session_password_and_tls(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    config = load(home_with(tmp_path, SEVERAL))
    main, hall, yard = config.brokers
    assert [one.key for one in config.brokers] == ["broker", "brokers.hall", "brokers.yard"]
    assert [one.settings.host for one in config.brokers] == ["one", "two", "127.0.0.1"]
    ids = [config.broker_client_id(one) for one in config.brokers]
    assert ids == ["tidegate-pump-1", "tidegate-pump-1-hall", "chosen"]
    assert [config.broker_password(one) for one in (main, hall)] == [None, "open sesame"]
    assert config.broker_tls(main) is not None
    assert config.broker_tls(hall) is None
    assert config.alerts_broker == hall
    assert config.broker_client_id(yard) == "chosen"


BROKEN = {
    "a key of a named broker": (
        "[brokers.hall]\nulr = 'x'", "unknown key `brokers.hall.ulr`", "`brokers.hall.url`"),
    "a value of a named broker": (
        "[brokers.hall]\nurl = 'tcp://x'", "`brokers.hall.url`: expected mqtt://host", "mqtts"),
    "brokers without names": ("[brokers]\nurl = 'mqtt://x'", "`brokers`: expected", "NAME"),
    "a name that is none": ("[brokers.'a b']", "`brokers.a b`: a name has 1 to 32", "another"),
    "the name of the first": ("[brokers.main]\nurl = 'mqtt://x'", "called so", "another name"),
    "two that are one": (
        "[brokers.hall]\nclient_id = 'tidegate-pump-1'", "the same broker", "client_id"),
    "alerts to nobody": (
        "[alerts]\nbroker = 'hal'\n[brokers.hall]\nurl = 'mqtt://x'",
        "there is no [brokers.hal]", 'did you mean "hall"?'),
    "alerts without brokers": ("[alerts]\nbroker = 'hall'", "no [brokers.hall]", "[broker]"),
    "no file of a named broker": (
        "[brokers.hall]\npassword_file = 'gone'", "no such file", "brokers.hall.password_file"),
    "unknown key": ("[broker]\nulr = 1", "unknown key `broker.ulr`", "`broker.url`"),
    "unknown section": ("[brokr]\nurl = 1", "unknown section `brokr`", "[broker]"),
    "wrong type": ("[buffer]\nbytes_max = '1 GB'", "expected a whole number from 16_777_216", ""),
    "out of range": ("[ingest]\nlinger_ms_min = 0", "from 1 to 10_000 (ms), got the value 0", ""),
    "empty range": ("[ingest]\nlinger_ms_max = 1", "`ingest.linger_ms_min`: ", "at most 1"),
    "no topics": ("[broker]\ntopics = []", "`broker.topics`: expected a list", ""),
    "not a broker": ("[broker]\nurl = 'tcp://x'", "`broker.url`: expected mqtt://host", "mqtts"),
    "no port": ("[broker]\nurl = 'mqtt://x:99999'", "`broker.url`: ", "mqtt://host"),
    "a name of two lines": ('["bro\\nker"]', "unknown section `bro\\nker`", "[broker]"),
    "no proxy": ("[cloud]\nproxy = 'http://['", "`cloud.proxy`: ", "http://host:port"),
    "no proxy port": ("[cloud]\nproxy = 'http://p:x'", "`cloud.proxy`: ", "http://host:port"),
    "unknown user": (
        "[broker]\npassword_file = '~nobody-here/x'", "home directory", "broker.password_file"),
    "a zero in a name": (
        '[broker]\npassword_file = "\\u0000"', "null byte", "check the file"),
    "a number beyond reason": ("[buffer]\nbytes_max = " + "9" * 5000, "not valid TOML", ""),
    "no address to listen on": (
        "[metrics]\nlisten = 'rect'", "`metrics.listen`: expected host:port", "127.0.0.1:9464"),
    "password in url": ("[broker]\nurl = 'mqtt://a:b@x'", "`broker.url`: user", "password_file"),
    "key without cert": ("[broker]\nurl = 'mqtts://x'\nkey_file = 'k'", "`broker.cert_file`: ",
        "both files"),
    "ca without tls": ("[broker]\nca_file = 'ca.pem'", "needs an mqtts:// url", "mqtts:"),
    "filter with a rest inside": (
        "[broker]\ntopics = ['a/b', 'a/#/b']", "`broker.topics`: 'a/#/b' is no topic filter",
        "plant/#"),
    "filter with half a level": (
        "[ingest]\nignore = ['a/b+/c']", "`ingest.ignore`: 'a/b+/c' is no topic filter", "plant/#"),
    "empty filter": ("[broker]\ntopics = ['']", "`broker.topics`: '' is no", "filters are like"),
    "wildcard alerts": ("[alerts]\ntopic = 'a/#'", "`alerts.topic`: a prefix", "leave out"),
    "missing named file": (
        "[broker]\npassword_file = 'pw'", "there is no such file", "`broker.password_file`"),
    "wrong format": ("[log]\nformat = 'xml'", "one of auto, text, json", ""),
    "not TOML": ("[broker", "not valid TOML", "brackets"),
}  # fmt: skip


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, why: str) -> None:
    text, cause, hint = BROKEN[why]
    with pytest.raises(OperatorError) as caught:
        load(home_with(tmp_path, GOOD + text))
    assert cause in caught.value.cause
    assert hint in caught.value.hint
    assert str(tmp_path) in caught.value.tried
    assert caught.value.exit_code == 2
    assert caught.value.hint, "what to do is always said"


def _absent(home: Path) -> None:
    (home / FILE_NAME).unlink()


def _binary(home: Path) -> None:
    (home / FILE_NAME).write_bytes(b"\xff\xfe")


def _folder(home: Path) -> None:
    _absent(home)
    (home / FILE_NAME).mkdir()


@pytest.mark.parametrize(
    ("breaks", "cause", "hint"),
    [
        (_absent, "there is no such file", " init`"),
        (_binary, "not UTF-8", "check the file"),
        (_folder, "Is a directory", "check the file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path, breaks: Callable[[Path], None], cause: str, hint: str
) -> None:
    home = home_with(tmp_path, GOOD)
    breaks(home)
    with pytest.raises(OperatorError) as caught:
        load(home)
    assert cause in caught.value.cause
    assert hint in caught.value.hint


def test_tls_files_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    settings = '[broker]\nurl = "mqtts://x"\nca_file = "ca.pem"\n'
    with pytest.raises(OperatorError, match="ca_file"):
        load(home_with(tmp_path, GOOD + settings)).broker_tls()


@pytest.mark.parametrize("name", ["no such file", "a\\u0000b", "."])
def test_a_rules_file_that_cannot_be_read_is_told_with_the_key_that_names_it(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(OperatorError) as told:
        load(home_with(tmp_path, GOOD + f'[ingest]\nrules_file = "{name}"\n'))
    assert f"which {FILE_NAME} names as `ingest.rules_file`" in told.value.tried
    assert told.value.hint
