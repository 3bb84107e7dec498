"""The line of `import tidegate`: what it asks again and what not, whom it trusts, what it tells."""

import datetime
import io
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import tidegate
from tidegate import wire
from tidegate.splice import END

OK = (b"application/json", 200, b'{"readings": 7}')
BUSY = (b"application/json", 503, b'{"error": {"message": "too many questions", "code": "busy"}}')
Answer = tuple[bytes, int, bytes]


class Door(ThreadingHTTPServer):
    """Answers what it is told to, one after another; None breaks the line, a call waits."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer | Callable[[], None] | None] = []
        self.heard: list[dict[str, str]] = []
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is what is tested."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        door = self.server
        assert isinstance(door, Door)
        door.heard.append({name.lower(): value for name, value in self.headers.items()})
        answer = door.answers.pop(0) if door.answers else OK
        if callable(answer):
            answer()
            answer = OK
        if answer is None:
            self.close_connection = True
            return
        kind, status, body = answer
        self.send_response(status)
        self.send_header("content-type", kind.decode())
        if status == 302:
            self.send_header("location", "https://elsewhere.example/")
        if kind == wire.ARROW.encode():
            self.send_header("tidegate-next", "again")
        short = kind == b"short"
        self.send_header("content-length", str(len(body) + 100 * short))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = short

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PAUSES_S", (0.01, 0.01, 0.01, 0.01))


def opened(door: Door) -> Iterator[Door]:
    thread = threading.Thread(target=door.serve_forever, args=(0.01,))
    thread.start()
    yield door
    door.shutdown()
    thread.join()
    door.server_close()


@pytest.fixture
def door(pauses: None) -> Iterator[Door]:
    yield from opened(Door())


def url(door: Door) -> str:
    return f"http://127.0.0.1:{door.server_port}"


@pytest.mark.parametrize("failed", [BUSY, None, (b"short", 200, b"{")])
def test_what_failed_in_passing_is_asked_again(door: Door, failed: Answer | None) -> None:
    door.answers = [failed, failed]
    assert tidegate.connect(url(door)).status() == {"readings": 7}
    assert len(door.heard) == 3


def test_what_fails_for_good_is_told_after_the_retries_that_were_allowed(door: Door) -> None:
    door.answers = [BUSY] * 9
    with pytest.raises(tidegate.BusyError, match="too many questions") as busy:
        tidegate.connect(url(door), retries=1).status()
    assert (busy.value.status, busy.value.code) == (503, "busy")
    assert len(door.heard) == 2
    with pytest.raises(tidegate.BusyError):
        tidegate.connect(url(door), retries=0).status()
    assert len(door.heard) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, tidegate.BadQuestionError),
        (401, tidegate.SignInError),
        (403, tidegate.NotAllowedError),
        (404, tidegate.NotFoundError),
        (500, tidegate.ServerError),
    ],
)
def test_a_refusal_is_asked_once_and_has_a_type_of_its_own(
    door: Door, status: int, error: type[tidegate.RefusedError]
) -> None:
    told = b'{"error": {"message": "no", "hint": "do so", "parameter": "p", "nearest": "q"}}'
    door.answers = [(b"application/json", status, told)] * 2
    with pytest.raises(error, match="no; to do: do so") as refused:
        tidegate.connect(url(door)).status()
    assert (refused.value.parameter, refused.value.nearest) == ("p", "q")
    assert len(door.heard) == 1


def test_what_is_too_slow_is_asked_once_so_that_no_work_piles_up(door: Door) -> None:
    hold = threading.Event()

    def held() -> None:
        assert hold.wait(60)

    door.answers = [held]
    try:
        with pytest.raises(tidegate.TooSlowError, match="did not answer within"):
            tidegate.connect(url(door), timeout=0.2).status()
    finally:
        hold.set()
    assert len(door.heard) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((b"text/html", 200, b"<html>"), "it answers text/html"),
        ((b"application/json", 200, b"[1]"), "its answer is no JSON"),
        ((b"text/html", 404, b"<html>"), "it answers 404"),
        ((b"text/html", 302, b""), "it answers 302 and points to https://elsewhere.example/"),
    ],
)
def test_what_is_no_tidegate_is_told_and_no_redirect_is_followed(
    door: Door, answer: Answer, told: str
) -> None:
    door.answers = [answer]
    with pytest.raises(tidegate.AnswerError, match=f"is no Tidegate: {told}"):
        tidegate.connect(url(door), token="secret").status()
    assert len(door.heard) == 1


def test_a_proxy_without_a_cloud_behind_it_is_a_fault_of_the_server(door: Door) -> None:
    door.answers = [(b"text/html", 502, b"<html>")]
    with pytest.raises(tidegate.ServerError, match="answered 502"):
        tidegate.connect(url(door)).status()


@pytest.mark.parametrize("at", [0, 3, 8])
def test_an_arrow_stream_cut_short_is_no_shorter_answer(door: Door, at: int) -> None:
    door.answers = [(wire.ARROW.encode(), 200, END[:4] + b"\x10" + bytes(3) + END[at:])]
    with pytest.raises(tidegate.AnswerError, match="no whole Arrow stream"):
        tidegate.connect(url(door)).gaps().to_polars()


def test_a_cloud_that_goes_round_in_circles_is_left(door: Door) -> None:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([("x", pa.int64())])) as writer:
        writer.write_batch(pa.record_batch({"x": [1]}))
    door.answers = [(wire.ARROW.encode(), 200, sink.getvalue())] * 9
    with pytest.raises(tidegate.AnswerError, match="the same page again and again"):
        tidegate.connect(url(door)).gaps().to_polars()
    assert len(door.heard) == 2


def test_an_answer_longer_than_any_page_is_not_read(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "ANSWER_BYTES_MAX", len(OK[2]) - 1)
    with pytest.raises(tidegate.AnswerError, match="fewer `page_rows`"):
        tidegate.connect(url(door)).status()


def test_nobody_there_is_told_with_what_to_do(pauses: None) -> None:
    with pytest.raises(tidegate.UnreachableError, match="refused") as away:
        tidegate.connect("http://127.0.0.1:9").status()
    assert "is `tidegate-cloud serve` running there?" in str(away.value)
    assert isinstance(away.value, ConnectionError)


def test_the_token_is_sent_as_a_bearer_and_never_shown(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_URL", url(door) + "/behind/")
    monkeypatch.setenv("TIDEGATE_API_TOKEN", "from-the-environment")
    cloud = tidegate.connect()
    cloud.status()
    tidegate.connect(url(door), token="given").status()
    tidegate.connect(url(door), token="").status()
    sent = [heard.get("authorization") for heard in door.heard]
    assert sent == ["Bearer from-the-environment", "Bearer given", None]
    assert cloud.address.url == url(door) + "/behind"
    assert "from-the" not in repr(cloud) + repr(cloud.address)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"url": "http://cloud.example.org:8460", "token": "t"}, "for everybody to read"),
        ({"url": "http://localhost", "ca": "ca.pem"}, "is plain HTTP"),
        ({"url": "cloud.example.org"}, "is none of a cloud"),
        ({"url": "ftp://cloud"}, "is none of a cloud"),
        ({"url": "http://cloud:70000"}, "cannot be read"),
        ({"url": "http://cloud/a b"}, "signs that no address has"),
        ({"url": "http://cl\u00f6ud"}, "signs that no address has"),
        ({"url": "http://me:secret@cloud"}, "holds no name, password or question"),
        ({"url": "https://cloud", "ca": "/there/is/none.pem"}, "there is no file"),
        ({"url": "https://cloud", "ca": __file__}, "cannot be read"),
        ({"token": "two words"}, "signs that no token has"),
        ({"token": "a\r\nhost: b"}, "signs that no token has"),
        ({"timeout": 0}, "`timeout` is 0"),
        ({"retries": 99}, "`retries` is 99"),
        ({"page_rows": 0}, "`page_rows` is 0"),
    ],
)
def test_what_cannot_be_connected_to_is_refused_before_anything_is_sent(
    asked: dict[str, object], told: str
) -> None:
    with pytest.raises(tidegate.SetupError, match=told) as refused:
        tidegate.connect(**asked)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def authority(folder: Path, host: ipaddress.IPv4Address) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own authority for ``host``, as a file and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca, secret = folder / "ca.pem", folder / "key.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, secret)
    return ca, context


def test_an_authority_of_ones_own_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    ca, context = authority(tmp_path, ipaddress.IPv4Address("127.0.0.1"))
    for door in opened(Door(context)):
        at = url(door).replace("http", "https")
        assert tidegate.connect(at, ca=ca, token="t").status() == {"readings": 7}
        with pytest.raises(tidegate.CertificateError, match="`ca=`"):
            tidegate.connect(at, token="t").status()
        assert len(door.heard) == 1


def test_a_certificate_of_another_name_is_not_believed(tmp_path: Path) -> None:
    ca, context = authority(tmp_path, ipaddress.IPv4Address("127.0.0.2"))
    for door in opened(Door(context)):
        with pytest.raises(tidegate.CertificateError, match="does not hold"):
            tidegate.connect(url(door).replace("http", "https"), ca=ca).status()
        assert door.heard == []
