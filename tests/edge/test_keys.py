import stat
from pathlib import Path

import pytest

from edge.errors import OperatorError
from edge.keys import CREDENTIAL_NAME, KeyTier, find_key, make_key_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "keys" / "buffer.key"
    make_key_file(made)
    return made


def test_a_made_key_is_random_and_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    make_key_file(tmp_path / "other" / "buffer.key")
    key = find_key(path, {}).key()
    assert len(key) == 32
    assert key != find_key(tmp_path / "other" / "buffer.key", {}).key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_is_never_replaced(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="it exists"):
        make_key_file(path)
    assert path.read_bytes() == before


def test_a_missing_key_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="tidegate-edge init"):
        find_key(tmp_path / "none", {}).key()


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31, "00" * 33, "\xe9" * 64])
def test_a_mangled_key_is_told_from_a_missing_one(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(OperatorError, match="64 hexadecimal digits"):
        find_key(path, {}).key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused_with_the_way_out(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(OperatorError, match="chmod 600"):
        find_key(path, {}).key()


def test_a_credential_of_the_unit_comes_before_the_file(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    environment = {"CREDENTIALS_DIRECTORY": str(folder)}
    assert find_key(path, environment).tier is KeyTier.FILE
    (folder / CREDENTIAL_NAME).write_text("ab" * 32 + "\n")
    found = find_key(path, environment)
    assert (found.tier, found.key()) == (KeyTier.SYSTEMD_CREDS, b"\xab" * 32)


def test_every_tier_says_what_it_does_not_protect() -> None:
    told = {tier.unprotected for tier in KeyTier}
    assert len(told) == len(KeyTier)
    assert all("root" in text for text in told)
