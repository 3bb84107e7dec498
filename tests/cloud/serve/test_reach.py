"""Who can reach page and API: what is not safe does not start, and says what to do."""

import ssl
from pathlib import Path

import pytest

from cloud.config import FILE_NAME, CloudConfig, load
from cloud.errors import OperatorError
from cloud.ingest.identity import Authority
from cloud.serve.certificate import PageCertificate
from cloud.serve.reach import reach_of

TLS = '[http]\ncertificate = "authority"\n'
PROXY = '[http]\nbehind = ["10.0.0.2"]\n'


def config(folder: Path, http: str, more: str = "") -> CloudConfig:
    (folder / FILE_NAME).write_text(f'[listen]\nhttp = "{http}"\n{more}')
    return load(folder)


@pytest.mark.parametrize("has_users", [False, True])
@pytest.mark.parametrize("http", ["127.0.0.1:8460", "[::1]:8460", "localhost:8460"])
def test_on_loopback_it_starts_as_it_is(tmp_path, http, has_users):
    reach = reach_of(config(tmp_path, http), has_users=has_users)
    assert reach.may_be_open
    assert reach.hosts is not None
    assert reach.scheme == "http"
    assert reach_of(config(tmp_path, http, TLS), has_users=has_users).scheme == "https"


@pytest.mark.parametrize(
    ("http", "more", "has_users", "cause", "hint"),
    [
        ("0.0.0.0:8460", "", False, "no user is set up", "tidegate-cloud user add"),
        ("0.0.0.0:8460", TLS, False, "no user is set up", "listen on 127.0.0.1"),
        ("0.0.0.0:8460", PROXY, False, "no user is set up", "tidegate-cloud user add"),
        ("127.0.0.1:8460", PROXY, False, "a proxy brings others there", "user add"),
        ("0.0.0.0:8460", "", True, "it would be plain HTTP", "http.certificate and http.key"),
        ("[::]:8460", "", True, "it would be plain HTTP", "http.behind"),
        ("tide.example:8460", "", True, "it would be plain HTTP", "authority"),
    ],
)
def test_what_is_not_safe_does_not_start(tmp_path, http, more, has_users, cause, hint):
    with pytest.raises(OperatorError) as caught:
        reach_of(config(tmp_path, http, more), has_users=has_users)
    assert cause in caught.value.cause
    assert hint in caught.value.hint
    assert http in caught.value.tried


@pytest.mark.parametrize("more", [TLS, PROXY])
@pytest.mark.parametrize("http", ["0.0.0.0:8460", "tide.example:8460"])
def test_off_loopback_it_starts_with_users_and_a_certificate_or_a_proxy(tmp_path, http, more):
    reach = reach_of(config(tmp_path, http, more), has_users=True)
    assert not reach.may_be_open
    assert reach.hosts is None


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ('[http]\ncertificate = "a.pem"\n', "`http.key`: there is a certificate"),
        ('[http]\nkey = "a.pem"\n', "`http.certificate`: there is a key"),
        ('[http]\ncertificate = "authority"\nkey = "a.pem"\n', "has its own"),
        ('[http]\nbehind = ["proxy.example"]\n', "'proxy.example' is neither"),
        ("[http]\nidle_hours = 48\nsession_days = 1\n", "longer than http.session_days"),
    ],
)
def test_settings_that_contradict_are_refused_by_name(tmp_path, more, cause):
    with pytest.raises(OperatorError) as caught:
        config(tmp_path, "127.0.0.1:1", more)
    assert cause in caught.value.cause
    assert caught.value.hint


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority.create(tmp_path / "ca", "a test")


def files(config: CloudConfig, authority: Authority, host: str) -> None:
    """A pair for a name under the names of the settings."""
    made = authority.server((host,))
    (config.home / "page.crt").write_bytes(made.certificate_pem)
    (config.home / "page.key").write_bytes(made.key_pem)


OWN = '[http]\ncertificate = "page.crt"\nkey = "page.key"\n'


def test_without_a_certificate_there_is_none(tmp_path, authority):
    assert PageCertificate.of(config(tmp_path, "127.0.0.1:1"), authority) is None


def test_one_of_the_clouds_own_authority_is_made_for_its_names(tmp_path, authority):
    told = '[http]\ncertificate = "authority"\n'
    named = config(tmp_path, "127.0.0.1:1", told)
    assert PageCertificate.of(named, authority) is not None
    assert named.page_certificate_path.is_file()


def test_a_renewed_file_is_taken_and_a_broken_one_is_not(tmp_path, authority, caplog):
    named = config(tmp_path, "127.0.0.1:1", OWN)
    files(named, authority, "one.example")
    shown = PageCertificate.of(named, authority)
    assert shown is not None
    assert not shown.look()
    assert names_shown(shown.context, authority) == {"one.example"}
    files(named, authority, "two.example")
    assert shown.look()
    assert names_shown(shown.context, authority) == {"two.example"}
    (tmp_path / "page.key").write_text("half a fi")
    assert not shown.look()
    (tmp_path / "page.crt").unlink()
    assert not shown.look()
    assert names_shown(shown.context, authority) == {"two.example"}
    assert "the former certificate serves on" in caplog.text


@pytest.mark.parametrize("broken", ["page.crt", "page.key"])
@pytest.mark.parametrize("how", ["absent", "no PEM", "of another"])
def test_a_certificate_that_cannot_serve_does_not_start(tmp_path, authority, broken, how):
    named = config(tmp_path, "127.0.0.1:1", OWN)
    files(named, authority, "one.example")
    other = authority.server(("other.example",))
    told = {"no PEM": b"nothing", "of another": other.key_pem}[how] if how != "absent" else b""
    if how == "of another" and broken == "page.crt":
        told = other.certificate_pem
    (tmp_path / broken).write_bytes(told)
    if how == "absent":
        (tmp_path / broken).unlink()
    with pytest.raises(OperatorError) as caught:
        PageCertificate.of(named, authority)
    assert "page.crt" in caught.value.tried
    assert caught.value.hint


def names_shown(context: ssl.SSLContext, authority: Authority) -> set[str]:
    """Under which names the certificate is that a client is shown; no socket is needed."""
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.load_verify_locations(cadata=authority.pem.decode())
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(down, up)
    server = context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return {value for kind, value in client.getpeercert()["subjectAltName"] if kind == "DNS"}
