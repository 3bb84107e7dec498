import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.seal import (
    AeadSealer,
    Cipher,
    RowKind,
    SealError,
    bound_to,
    kek_id,
    key_id,
    pick_cipher,
    unwrap_key,
    wrap_key,
)

KEY = bytes(range(32))
SALT = bytes(range(32, 64))
BOUND = bound_to("gw-1", RowKind.CHUNK, b"id", key_id(KEY), 3)
GOLDEN = "010000000100000000000000006f42d32461cb723f1c698e65a3e5322ab64a208ef9335617bc950b"
each_cipher = pytest.mark.parametrize("cipher", list(Cipher))


def sealer_of(cipher: Cipher = Cipher.CHACHA20_POLY1305, salt: bytes = SALT) -> AeadSealer:
    sealer = AeadSealer(KEY, cipher)
    sealer.begin(1, salt)
    return sealer


@given(st.binary(max_size=500), st.binary(max_size=50), st.sampled_from(Cipher))
def test_what_was_sealed_opens_as_it_was(plain: bytes, bound: bytes, cipher: Cipher) -> None:
    sealer = sealer_of(cipher)
    sealed = sealer.seal(plain, bound)
    assert sealer.unseal(sealed, bound) == plain
    assert plain == b"" or len(plain) < 4 or plain not in sealed


@each_cipher
def test_every_flipped_bit_is_found(cipher: Cipher) -> None:
    sealer = sealer_of(cipher)
    sealed = sealer.seal(b"21.5 degrees", BOUND)
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            sealer.unseal(bytes(flipped), BOUND)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.unseal(sealed[:length], BOUND)


def test_a_row_opens_only_under_its_own_gateway_identity_key_kind_and_rows() -> None:
    sealer = sealer_of()
    sealed = sealer.seal(b"x", BOUND)
    others = [
        bound_to("gw-2", RowKind.CHUNK, b"id", key_id(KEY), 3),
        bound_to("gw-1", RowKind.MARKS, b"id", key_id(KEY), 3),
        bound_to("gw-1", RowKind.CHUNK, b"ie", key_id(KEY), 3),
        bound_to("gw-1", RowKind.CHUNK, b"id", key_id(SALT), 3),
        bound_to("gw-1", RowKind.CHUNK, b"id", key_id(KEY), 4),
    ]
    for bound in others:
        with pytest.raises(SealError):
            sealer.unseal(sealed, bound)


@given(st.text(max_size=9), st.binary(max_size=9), st.text(max_size=9), st.binary(max_size=9))
def test_different_bindings_are_never_equal_bytes(a: str, i: bytes, b: str, j: bytes) -> None:
    key = key_id(KEY)
    same = bound_to(a, RowKind.CHUNK, i, key, 1) == bound_to(b, RowKind.CHUNK, j, key, 1)
    assert same == ((a, i) == (b, j))


def test_no_subkey_and_nonce_meet_twice_over_openings_and_kills() -> None:
    chance = random.Random(7)
    salts: dict[int, bytes] = {}
    seen: set[tuple[bytes, bytes]] = set()
    for opening in range(1, 30):  # each a start after a kill: nothing of the last one is known
        sealer = AeadSealer(KEY, Cipher.AES_256_GCM)
        salts[opening] = chance.randbytes(32)
        sealer.begin(opening, salts[opening])
        for _ in range(chance.randint(1, 50)):
            sealed = sealer.seal(b"same", BOUND)
            pair = (salts[sealer.opening_of(sealed)], sealed[5:13])
            assert pair not in seen
            seen.add(pair)
    assert {nonce for _, nonce in seen} >= {bytes(8)}, "every opening counts from zero"


def test_equal_plaintexts_never_look_equal() -> None:
    sealer = sealer_of()
    bodies = {sealer.seal(b"21.5", BOUND)[13:] for _ in range(100)}
    bodies |= {sealer_of(salt=bytes([n]) * 32).seal(b"21.5", BOUND)[13:] for n in range(100)}
    assert len(bodies) == 200


def test_a_salt_is_never_taken_twice() -> None:
    sealer = sealer_of()
    with pytest.raises(ValueError, match="fresh"):
        sealer.begin(2, SALT)
    with pytest.raises(ValueError, match="32"):
        sealer.begin(2, b"short")


def test_nothing_is_sealed_before_an_opening() -> None:
    with pytest.raises(ValueError, match="opening"):
        AeadSealer(KEY, Cipher.AES_256_GCM).seal(b"x", BOUND)


def test_rows_of_an_earlier_opening_and_another_cipher_still_open() -> None:
    sealed = sealer_of(Cipher.CHACHA20_POLY1305).seal(b"kept", BOUND)
    later = AeadSealer(KEY, Cipher.AES_256_GCM)
    with pytest.raises(SealError, match="opening"):
        later.unseal(sealed, BOUND)
    later.admit(1, SALT)
    later.begin(2, bytes(32))
    assert later.unseal(sealed, BOUND) == b"kept"
    assert (sealed[0], later.seal(b"", BOUND)[0]) == (1, 2)


def test_a_wrapped_key_opens_with_its_key_and_gateway_alone() -> None:
    wrapped = wrap_key(KEY, SALT, bytes(32), "gw-1")
    assert unwrap_key(KEY, wrapped, "gw-1") == SALT
    assert SALT not in wrapped.sealed
    with pytest.raises(SealError, match="another key"):
        unwrap_key(SALT, wrapped, "gw-1")
    with pytest.raises(SealError, match="another gateway"):
        unwrap_key(KEY, wrapped, "gw-2")


def test_a_key_is_named_without_being_shown() -> None:
    assert kek_id(KEY) != key_id(KEY) != kek_id(SALT)
    assert kek_id(KEY) not in KEY
    with pytest.raises(ValueError, match="32"):
        kek_id(b"short")


def test_the_bytes_of_version_1_stay_readable_for_ever() -> None:
    assert sealer_of().seal(b"first light", BOUND).hex() == GOLDEN
    assert sealer_of().unseal(bytes.fromhex(GOLDEN), BOUND) == b"first light"


@pytest.mark.parametrize(
    ("cpuinfo", "cipher"),
    [
        ("flags\t\t: fpu aes avx\n", Cipher.AES_256_GCM),
        ("Features\t: fp asimd aes pmull\n", Cipher.AES_256_GCM),
        ("Features\t: fp asimd crc32 cpuid\n", Cipher.CHACHA20_POLY1305),
        ("model name: no aes here\n", Cipher.CHACHA20_POLY1305),
        ("", Cipher.CHACHA20_POLY1305),
    ],
)
def test_the_cipher_suits_the_processor(cpuinfo: str, cipher: Cipher) -> None:
    assert pick_cipher(cpuinfo) is cipher
