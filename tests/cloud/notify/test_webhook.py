"""A webhook: what is posted, how it is signed, and what it does of a receiver that is not well."""

import hashlib
import hmac
import socket
import threading
import time
from pathlib import Path

import pytest

from cloud.errors import OperatorError, PeerError, UnreachableError
from cloud.notify.webhook import Webhook
from tests.cloud.notify.told_world import Hook, certificate, document, server_tls


def webhook(url: str, home: Path, **more) -> Webhook:
    told = {"secret_file": "", "ca_file": "", "timeout_s": 10.0, "agent": "tidegate/1"} | more
    return Webhook(url, home=home, **told)


def test_a_message_is_posted_as_json_signed_with_its_time_and_named_by_its_id(tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "key").chmod(0o600)
    with Hook() as hook:
        assert webhook(hook.url, tmp_path, secret_file="./key").send(document()) == ""
    (path, headers, body), *rest = hook.posts
    assert (path, rest) == ("/hook", [])
    assert hook.documents == [document()]
    assert headers["content-type"] == "application/json"
    assert headers["tidegate-notice"] == document()["id"]
    sent = headers["tidegate-timestamp"]
    assert abs(time.time() - int(sent)) < 60
    expected = hmac.new(b"s3cret", f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["tidegate-signature"] == f"sha256={expected}"


def test_without_a_secret_there_is_no_signature(tmp_path):
    with Hook() as hook:
        webhook(hook.url, tmp_path).send(document())
    assert "tidegate-signature" not in hook.posts[0][1]


def test_over_tls_the_receivers_certificate_is_checked(tmp_path):
    pem = certificate(tmp_path)
    with Hook(tls=server_tls(pem)) as hook:
        with pytest.raises(UnreachableError, match="its certificate is not good"):
            webhook(hook.url, tmp_path).send(document())
        webhook(hook.url, tmp_path, ca_file="server.pem").send(document())
    assert len(hook.posts) == 1


def test_a_certificate_of_another_name_is_refused(tmp_path):
    pem = certificate(tmp_path, "127.0.0.2")
    with Hook(tls=server_tls(pem)) as hook, pytest.raises(UnreachableError, match="not good"):
        webhook(hook.url, tmp_path, ca_file="server.pem").send(document())
    assert hook.posts == []


@pytest.mark.parametrize("status", [199 + 1, 204])
def test_any_2xx_is_a_delivery(tmp_path, status):
    with Hook(lambda _, __: (status, {})) as hook:
        assert webhook(hook.url, tmp_path).send(document()) == ""


@pytest.mark.parametrize("status", [301, 302, 303, 400, 404, 410, 429, 500, 503])
def test_any_other_answer_is_a_refusal_that_tells_it(tmp_path, status):
    told = f"it answered {status}: said"
    answer = (status, {"location": "/there"})
    with Hook(lambda _, __: answer) as hook, pytest.raises(PeerError, match=told):
        webhook(hook.url, tmp_path).send(document())
    assert len(hook.posts) == 1


def test_a_redirect_within_the_same_origin_is_followed_with_the_message(tmp_path):
    def answer(_: Hook, path: str) -> tuple[int, dict[str, str]]:
        return (200, {}) if path == "/there" else (307, {"location": "/there"})

    with Hook(answer) as hook:
        webhook(hook.url, tmp_path).send(document())
    assert [path for path, _, _ in hook.posts] == ["/hook", "/there"]
    assert hook.documents == [document()] * 2


def test_a_redirect_in_a_circle_ends(tmp_path):
    with Hook(lambda _, __: (308, {"location": "/hook"})) as hook, pytest.raises(PeerError):
        webhook(hook.url, tmp_path).send(document())
    assert len(hook.posts) == 4


def test_nothing_is_sent_to_another_host_port_or_scheme_by_a_redirect(tmp_path):
    with Hook() as other:
        for place in (
            other.url, f"http://localhost:{other.port}/", "https://127.0.0.1/", "//evil.example/",
            "file:///etc/passwd", "http://[", "http://127.0.0.1:x/",
        ):  # fmt: skip
            answer = (307, {"location": place})
            told = "it sends to another place"
            with Hook(lambda _, __, a=answer: a) as hook, pytest.raises(PeerError, match=told):
                webhook(hook.url, tmp_path).send(document())
            assert len(hook.posts) == 1
    assert other.posts == []


def test_who_does_not_answer_is_unreachable(tmp_path):
    with Hook() as hook:
        pass
    with pytest.raises(UnreachableError, match="connection refused"):
        webhook(hook.url, tmp_path).send(document())


def test_who_answers_a_byte_at_a_time_is_cut_off_in_time(tmp_path):
    door = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        caller, _ = door.accept()
        with caller:
            for byte in b"HTTP/1.1 200 OK\r\n" + b"x" * 10_000:
                try:
                    caller.send(bytes([byte]))
                except OSError:
                    return
                if done.wait(0.02):
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    url = f"http://127.0.0.1:{door.getsockname()[1]}/"
    begun = time.monotonic()
    try:
        with pytest.raises(UnreachableError, match="in time"):
            webhook(url, tmp_path, timeout_s=0.5).send(document())
        assert time.monotonic() - begun < 20
    finally:
        done.set()
        thread.join()
        door.close()


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (None, "No such file"),
        (("x", 0o604), "everybody on this machine may read it"),
        (("", 0o600), "expected one line"),
        (("a\nb", 0o600), "expected one line"),
        (("y" * 5000, 0o600), "expected one line"),
        (("\udcff", 0o600), "not UTF-8"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_and_nothing_is_sent(tmp_path, made, cause):
    if made is not None:
        (tmp_path / "key").write_text(made[0], errors="surrogateescape")
        (tmp_path / "key").chmod(made[1])
    with Hook() as hook, pytest.raises(OperatorError, match=cause):
        webhook(hook.url, tmp_path, secret_file="./key").send(document())
    assert hook.posts == []


def test_a_name_without_a_slash_is_a_credential_of_systemd(tmp_path, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with Hook() as hook:
        asked = webhook(hook.url, tmp_path, secret_file="hook-key")
        with pytest.raises(OperatorError, match="LoadCredential=hook-key"):
            asked.send(document())
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "hook-key").write_text("k")
        asked.send(document())
    assert hook.posts[0][1]["tidegate-signature"].startswith("sha256=")


def test_no_error_tells_the_path_of_the_address_or_the_secret(tmp_path):
    (tmp_path / "key").write_text("s3cret")
    (tmp_path / "key").chmod(0o600)
    with Hook(lambda _, __: (500, {})) as hook, pytest.raises(PeerError) as caught:
        webhook(hook.url + "?token=t0ken", tmp_path, secret_file="./key").send(document())
    assert "t0ken" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_no_error_tells_the_path_of_the_address_though_the_receiver_repeats_it(tmp_path):
    there = "https://other.example/hook?token=t0ken"
    with Hook(lambda _, __: (307, {"location": there})) as hook, pytest.raises(PeerError) as caught:
        webhook(hook.url + "?token=t0ken", tmp_path).send(document())
    assert caught.value.cause == "it sends to another place: https://other.example:443"

    def repeats(hook: Hook, path: str) -> tuple[int, dict[str, str]]:
        hook.says = f"Cannot POST {path}".encode()
        return 404, {}

    with Hook(repeats) as hook, pytest.raises(PeerError) as caught:
        webhook(hook.url + "?token=t0ken", tmp_path).send(document())
    assert caught.value.cause == "it answered 404: Cannot POST …?…"
