"""Mail: what a real mail server gets, and what is never sent."""

import email
import email.policy
from pathlib import Path

import pytest

from cloud.errors import OperatorError, PeerError, UnreachableError
from cloud.notify.mail import SUBJECT_CHARS_MAX, Mail
from tests.cloud.notify.told_world import MailBox, certificate, document, server_tls


def mail(url: str, home: Path, **more) -> Mail:
    told = {
        "user": "", "secret_file": "", "sender": "tidegate@example.org",
        "recipients": ("ops@example.org",), "starttls": True, "ca_file": "server.pem",
        "timeout_s": 10.0,
    }  # fmt: skip
    return Mail(url, home=home, **(told | more))


def password(home: Path, text: str = "pa ss") -> None:
    (home / "password").write_text(text + "\n")
    (home / "password").chmod(0o600)


def test_by_starttls_and_a_password_a_letter_arrives(tmp_path):
    password(tmp_path)
    tls = server_tls(certificate(tmp_path))
    with MailBox(starttls=tls, login=("tg", "pa ss")) as box:
        asked = mail(f"smtp://127.0.0.1:{box.port}", tmp_path, user="tg", secret_file="./password")
        assert asked.send(document()) == ""
    ((is_secret, envelope),) = box.letters
    assert is_secret
    assert envelope.mail_from == "tidegate@example.org"
    assert envelope.rcpt_tos == ["ops@example.org"]
    letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert letter["Subject"] == "[warning] attic: gateway is silent"
    assert letter["Message-ID"] == f"<{document()['id']}@cloud.example>"
    assert letter["Tidegate-Notice"] == document()["id"]
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().startswith("attic: gateway is silent")


def test_over_tls_from_the_start_a_letter_arrives(tmp_path):
    tls = server_tls(certificate(tmp_path))
    with MailBox(tls=tls) as box:
        mail(f"smtps://127.0.0.1:{box.port}", tmp_path).send(document())
    assert box.letters[0][0]


def test_a_server_without_starttls_gets_nothing(tmp_path):
    certificate(tmp_path)
    with MailBox() as box:
        with pytest.raises(PeerError, match="starttls"):
            mail(f"smtp://127.0.0.1:{box.port}", tmp_path).send(document())
        mail(f"smtp://127.0.0.1:{box.port}", tmp_path, starttls=False).send(document())
    assert [is_secret for is_secret, _ in box.letters] == [False]


def test_a_server_whose_certificate_is_not_good_gets_nothing(tmp_path):
    tls = server_tls(certificate(tmp_path))
    with MailBox(starttls=tls) as box:
        with pytest.raises(UnreachableError, match="its certificate is not good"):
            mail(f"smtp://127.0.0.1:{box.port}", tmp_path, ca_file="").send(document())
        with pytest.raises(OperatorError, match="ca_file"):
            mail(f"smtp://127.0.0.1:{box.port}", tmp_path, ca_file="none.pem").send(document())
    assert box.letters == []


def test_a_wrong_password_is_a_refusal_that_does_not_tell_it(tmp_path):
    password(tmp_path, "wr0ng")
    tls = server_tls(certificate(tmp_path))
    with MailBox(starttls=tls, login=("tg", "right")) as box:
        asked = mail(f"smtp://127.0.0.1:{box.port}", tmp_path, user="tg", secret_file="./password")
        with pytest.raises(PeerError, match="535") as caught:
            asked.send(document())
    assert "wr0ng" not in str(caught.value)
    assert box.letters == []


def test_a_recipient_that_is_refused_is_named_and_the_others_get_the_letter_once(tmp_path):
    tls = server_tls(certificate(tmp_path))
    both = ("ops@example.org", "gone@example.org")
    with MailBox(tls=tls, refuses=frozenset({"gone@example.org"})) as box:
        asked = mail(f"smtps://127.0.0.1:{box.port}", tmp_path, recipients=both)
        assert asked.send(document()) == "not gone@example.org"
        with pytest.raises(PeerError, match="nobody of that name"):
            mail(f"smtps://127.0.0.1:{box.port}", tmp_path, recipients=("gone@example.org",)).send(
                document()
            )
    assert [envelope.rcpt_tos for _, envelope in box.letters] == [["ops@example.org"]]


def test_names_of_strangers_make_no_header_of_their_own(tmp_path):
    evil = document(subject="a\r\nBcc: x@evil.example\n" + "y" * 400, cloud="c\r\nX: y")
    letter = mail("smtps://127.0.0.1", tmp_path).letter(evil)
    assert letter["Bcc"] is None
    assert len(letter["Subject"]) == SUBJECT_CHARS_MAX
    assert "\\r\\nBcc" in letter["Subject"]
    assert letter["Message-ID"].count("\n") == 0


def test_a_server_that_is_away_is_unreachable(tmp_path):
    certificate(tmp_path)
    with MailBox() as box:
        port = box.port
    with pytest.raises(UnreachableError, match="refused"):
        mail(f"smtp://127.0.0.1:{port}", tmp_path).send(document())
