"""Passwords: hashed each with a salt of its own, checked, and bounded."""

import pytest

from cloud.access.password import (
    CHARS_MAX,
    CHARS_MIN,
    MEMORY_KIB,
    NOBODYS,
    hashed,
    is_outdated,
    is_right,
    password_problem,
)


def test_a_hash_is_of_argon2id_and_knows_its_password_alone():
    kept = hashed("grün wie gras")
    assert kept.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t=2,p=1$")
    assert is_right("grün wie gras", kept)
    assert is_right("gru\u0308n wie gras", kept), "as another keyboard composes it"
    assert not is_right("grun wie gras", kept)
    assert hashed("grün wie gras") != kept
    assert not is_outdated(kept)


def test_nobodys_hash_costs_the_same_and_has_no_password():
    assert not is_outdated(NOBODYS)
    assert not is_right("", NOBODYS)
    assert not is_right("correct horse", NOBODYS)


def test_a_damaged_hash_has_no_password():
    kept = hashed("correct horse")
    for damaged in ("", "no hash", kept[:-9], kept.replace("p=1", "p=x")):
        assert not is_right("correct horse", damaged)


def test_a_hash_of_other_parameters_is_outdated():
    assert is_outdated("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "characters"),
        ("x" * (CHARS_MIN - 1), "characters"),
        ("ab" * CHARS_MAX, "characters"),
        ("ababababab", "four different"),
        ("Annabell-99", "user's name"),
        ("correct horse", ""),
        ("x1y2" * (CHARS_MAX // 4), ""),
    ],
)
def test_a_new_password_is_long_enough_and_not_the_name(password, problem):
    told = password_problem(password, "annabell-99")
    assert problem in told
    assert bool(problem) == bool(told)
