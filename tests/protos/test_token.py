"""The enrolment token: one pasted line that says whether it is cut off or altered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.token import Token, TokenError, gateway_name_problem, read_token

TOKEN = Token(bytes(8), bytes(range(32)), "cloud.example:8462", "pump-1", b"\x30" * 420)

names = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")


@given(
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=32, max_size=32),
    st.text(max_size=70),
    names,
    st.binary(max_size=600),
)
def test_what_is_written_reads_back(
    identifier: bytes, secret: bytes, address: str, name: str, ca: bytes
) -> None:
    token = Token(identifier, secret, address, name, ca)
    assert read_token(token.line()) == token


def test_line_breaks_of_a_terminal_are_forgiven() -> None:
    line = TOKEN.line()
    assert read_token(f"  {line[:80]}\n{line[80:160]}\r\n {line[160:]} \n") == TOKEN


@pytest.mark.parametrize("kept", [5, 9, 12, 13, 14, 40, 100, -5, -2, -1])
def test_a_paste_that_was_cut_off_is_called_cut_off(kept: int) -> None:
    with pytest.raises(TokenError, match="cut off"):
        read_token(TOKEN.line()[:kept])


@given(st.integers(min_value=12, max_value=500), st.sampled_from("AZaz09-_"))
def test_an_altered_character_is_found(at: int, letter: str) -> None:
    line = TOKEN.line()
    at = min(at, len(line) - 2)
    if line[at] == letter:
        return
    with pytest.raises(TokenError, match="altered"):
        read_token(line[:at] + letter + line[at + 1 :])


def test_something_else_is_no_token() -> None:
    with pytest.raises(TokenError, match="begins with tg1-"):
        read_token("hello")
    with pytest.raises(TokenError, match="characters that no token has"):
        read_token("tg1-ääää")
    with pytest.raises(TokenError, match="followed by something"):
        read_token(TOKEN.line() + "AAAA")
    with pytest.raises(TokenError, match="too many"):
        read_token("tg1-" + "A" * 9000)


@given(st.text())
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(TokenError):
        read_token("tg1-" + text)


def test_the_secret_does_not_show_when_a_token_is_printed() -> None:
    assert "secret" not in repr(TOKEN)


@pytest.mark.parametrize("name", ["", "-a", "a-", ".", "..", "a/b", "a b", "ä", "a" * 65, "a\n"])
def test_a_name_that_fits_no_certificate_is_refused(name: str) -> None:
    assert gateway_name_problem(name)
    body = Token(bytes(8), bytes(32), "x:1", name, b"")
    if len(name.encode()) <= 64:
        with pytest.raises(TokenError):
            read_token(body.line())
