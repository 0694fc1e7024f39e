import pytest

from stream.errors import ModelRefusedError, SettingError
from stream.signing import Keyring, open_sealed, seal

OLD, NEW = "2025:" + "11" * 32, "2026:" + "22" * 32
RING = Keyring.from_text(f"{NEW},{OLD}")


def test_what_was_sealed_is_opened():
    for payload in (b"", b"x", bytes(range(256)) * 100):
        assert open_sealed(seal(payload, RING), RING) == payload


def test_the_first_key_signs_and_the_others_are_accepted():
    by_old = seal(b"model", Keyring.from_text(OLD))
    assert open_sealed(by_old, RING) == b"model"
    assert b"2026" in seal(b"model", RING)


def test_a_key_that_is_not_known_is_refused_by_name():
    with pytest.raises(ModelRefusedError, match="signed with key '2026'; known are 2025"):
        open_sealed(seal(b"model", RING), Keyring.from_text(OLD))


def test_the_same_id_with_another_key_is_refused():
    with pytest.raises(ModelRefusedError, match="does not match key '2026'"):
        open_sealed(seal(b"model", RING), Keyring.from_text("2026:" + "33" * 32))


@pytest.mark.parametrize("bare", [b"", b"{}", b'{"type":"outcome","weights":[1,2,3]}'])
def test_a_document_without_a_signature_is_refused(bare):
    with pytest.raises(ModelRefusedError, match="is not signed"):
        open_sealed(bare, RING)


def test_every_length_but_the_whole_is_refused():
    sealed = seal(b"a model", RING)
    for length in range(len(sealed)):
        with pytest.raises(ModelRefusedError):
            open_sealed(sealed[:length], RING)
    with pytest.raises(ModelRefusedError):
        open_sealed(sealed + b"\0", RING)


def test_every_changed_byte_is_refused():
    sealed = seal(b"a model", RING)
    for place in range(len(sealed)):
        with pytest.raises(ModelRefusedError):
            open_sealed(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], RING)


def test_a_byte_moved_from_the_payload_to_the_key_id_is_refused():
    short, long = Keyring.from_text("a:" + "11" * 32), Keyring.from_text("ab:" + "11" * 32)
    sealed = bytearray(seal(b"bmodel", short))
    sealed[8:10] = (2).to_bytes(2, "little")
    with pytest.raises(ModelRefusedError):
        open_sealed(bytes(sealed), long)


def test_keys_never_show():
    assert "22" not in repr(RING)
    assert "22" not in str(RING)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no id"),
        ("cafe", "has no id"),
        ("a:not-hex", "'a' is not hexadecimal"),
        ("a:" + "11" * 15, "has 15 bytes"),
        (":" + "11" * 32, "must have 1 to 64 bytes"),
        ("a:" + "11" * 32 + ",a:" + "22" * 32, "comes twice"),
    ],
)
def test_a_keyring_that_cannot_sign_is_refused_without_telling_keys(text, message):
    with pytest.raises(SettingError, match=message) as refused:
        Keyring.from_text(text)
    assert "1111" not in str(refused.value)
    assert "not-hex" not in str(refused.value)


def test_a_signing_key_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="'b' is not among the keys"):
        Keyring({"a": bytes(32)}, signing="b")
