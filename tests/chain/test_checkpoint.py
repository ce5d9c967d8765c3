"""C2SP checkpoints: body, notes, key ids and signatures, those of other people's logs included."""

import json
from pathlib import Path

import pytest

from chain.checkpoint import (
    NOTE_BYTES_MAX,
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    NoteSignature,
    build_cosignature_message,
    build_origin,
    decode_checkpoint,
    decode_note,
    decode_signature_line,
    decode_verifier_key,
    encode_checkpoint,
    encode_note,
    encode_signature_line,
    encode_verifier_key,
    sign_cosignature,
    sign_log,
    verify_note,
    verify_signature,
)
from chain.crypto import SigningKey, verify
from chain.errors import DecodeError, ProofError
from chain.types import ChainId, Hash

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "checkpoint.json").read_text())
SIGNER = SigningKey(bytes(range(32)))
CHAIN_ID = ChainId(bytes.fromhex("ab" * 32))
ORIGIN = build_origin(domain="audit.example.org", chain_id=CHAIN_ID)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=20852163, root=Hash(bytes(range(32))))
BODY = encode_checkpoint(CHECKPOINT)
LOG_KEY = NoteKey(name=ORIGIN, type=TYPE_ED25519, public_key=SIGNER.public_key)
COSIGNER_KEY = NoteKey(name=ORIGIN, type=TYPE_COSIGNATURE, public_key=SIGNER.public_key)


def build_note() -> bytes:
    return encode_note(
        BODY,
        [
            sign_log(BODY, name=ORIGIN, public_key=SIGNER.public_key, sign=SIGNER.sign),
            sign_cosignature(BODY, name=ORIGIN, public_key=SIGNER.public_key, sign=SIGNER.sign, time_s=1_763_800_000),
        ],
    )


def test_origin_is_domain_and_chain_id() -> None:
    assert ORIGIN == "audit.example.org/" + "ab" * 32


def test_body_is_three_lines() -> None:
    assert BODY.decode() == f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert decode_checkpoint(BODY) == CHECKPOINT


def test_golden_note_is_built_and_verified_as_published() -> None:
    golden = VECTORS["gongji"]
    assert SIGNER.seed.hex() == golden["seed"]
    assert build_note().decode() == golden["note"]
    assert [encode_verifier_key(key) for key in (LOG_KEY, COSIGNER_KEY)] == golden["verifier_keys"]
    keys = [decode_verifier_key(text) for text in golden["verifier_keys"]]
    assert keys == [LOG_KEY, COSIGNER_KEY]
    assert verify_note(golden["note"].encode(), keys=keys, verify=verify) == (CHECKPOINT, keys)


def test_checkpoint_of_the_go_checksum_database_is_verified() -> None:
    foreign = VECTORS["sum_golang_org"]
    key = decode_verifier_key(foreign["verifier_key"])
    assert key.key_id.hex() == "033de0ae"
    checkpoint, signed = verify_note(foreign["note"].encode(), keys=[key], verify=verify)
    assert checkpoint.size == 20852163
    assert checkpoint.origin == "go.sum database tree"
    assert signed == [key]
    with pytest.raises(ProofError):
        verify_note(foreign["note"].replace("20852163", "20852164").encode(), keys=[key], verify=verify)


def test_note_of_the_go_package_is_verified_though_it_is_no_checkpoint() -> None:
    foreign = VECTORS["peter_neumann"]
    key = decode_verifier_key(foreign["verifier_key"])
    body, lines = decode_note(foreign["note"].encode())
    assert verify_signature(body, lines[0], key=key, verify=verify) is None
    with pytest.raises(DecodeError):
        verify_note(foreign["note"].encode(), keys=[key], verify=verify)


def test_cosignature_line_of_the_specification_is_read() -> None:
    line = decode_signature_line(VECTORS["specification_cosignature_line"])
    assert line.name == "witness.example.com/w1"
    assert line.key_id.hex() == "8d66cf3f"
    assert int.from_bytes(line.signature[:8], "big") == 1679315147
    assert len(line.signature) == 72
    assert encode_signature_line(line) == VECTORS["specification_cosignature_line"]


def test_cosigned_message_is_two_lines_and_the_body() -> None:
    assert build_cosignature_message(b"body\n", time_s=1679315147) == b"cosignature/v1\ntime 1679315147\nbody\n"
    assert build_cosignature_message(b"", time_s=0) == b"cosignature/v1\ntime 0\n"


def test_cosignature_gives_its_time_and_a_log_signature_none() -> None:
    body, (log, cosignature) = decode_note(build_note())
    assert verify_signature(body, log, key=LOG_KEY, verify=verify) is None
    assert verify_signature(body, cosignature, key=COSIGNER_KEY, verify=verify) == 1_763_800_000


def test_the_two_types_of_one_key_have_different_ids_and_never_stand_for_each_other() -> None:
    assert LOG_KEY.key_id != COSIGNER_KEY.key_id
    body, (log, cosignature) = decode_note(build_note())
    for line, key in ((log, COSIGNER_KEY), (cosignature, LOG_KEY)):
        with pytest.raises(ProofError, match="another key"):
            verify_signature(body, line, key=key, verify=verify)
        relabelled = NoteSignature(name=line.name, key_id=key.key_id, signature=line.signature)
        with pytest.raises(ProofError):
            verify_signature(body, relabelled, key=key, verify=verify)
    # A log signature does not become a cosignature by putting a time before it.
    forged = NoteSignature(name=ORIGIN, key_id=COSIGNER_KEY.key_id, signature=bytes(8) + log.signature)
    with pytest.raises(ProofError, match="does not hold"):
        verify_signature(body, forged, key=COSIGNER_KEY, verify=verify)


def test_every_changed_byte_of_body_or_signature_is_refused() -> None:
    note = build_note()
    for key in (LOG_KEY, COSIGNER_KEY):
        verify_note(note, keys=[key], verify=verify)
        own = encode_signature_line(next(line for line in decode_note(note)[1] if line.key_id == key.key_id)).encode()
        covered = [*range(len(BODY)), *range(note.index(own), note.index(own) + len(own))]
        for at in covered:
            mutated = note[:at] + bytes((note[at] ^ 1,)) + note[at + 1 :]
            with pytest.raises((DecodeError, ProofError)):
                verify_note(mutated, keys=[key], verify=verify)


def test_lines_of_unknown_keys_are_passed_over() -> None:
    body, lines = decode_note(build_note())
    stranger = NoteSignature(name="witness.example/w", key_id=b"abcd", signature=b"s" * 2420)
    same_name = NoteSignature(name=ORIGIN, key_id=b"abcd", signature=b"s")
    note = encode_note(body, [stranger, same_name, *lines])
    assert verify_note(note, keys=[LOG_KEY], verify=verify) == (CHECKPOINT, [LOG_KEY])
    with pytest.raises(ProofError, match="no known key"):
        verify_note(encode_note(body, [stranger, same_name]), keys=[LOG_KEY], verify=verify)


def test_two_lines_of_one_known_key_are_refused() -> None:
    body, lines = decode_note(build_note())
    with pytest.raises(ProofError, match="2 lines"):
        verify_note(encode_note(body, [lines[0], lines[0]]), keys=[LOG_KEY], verify=verify)


def test_a_known_key_with_a_wrong_signature_spoils_the_note() -> None:
    body, lines = decode_note(build_note())
    wrong = NoteSignature(name=ORIGIN, key_id=COSIGNER_KEY.key_id, signature=bytes(72))
    with pytest.raises(ProofError, match="does not hold"):
        verify_note(encode_note(body, [lines[0], wrong]), keys=[LOG_KEY, COSIGNER_KEY], verify=verify)


@pytest.mark.parametrize("size", [0, 63, 71, 73])
def test_a_cosignature_of_wrong_length_is_refused(size: int) -> None:
    line = NoteSignature(name=ORIGIN, key_id=COSIGNER_KEY.key_id, signature=bytes(size))
    with pytest.raises(ProofError):
        verify_signature(BODY, line, key=COSIGNER_KEY, verify=verify)


def test_a_time_beyond_63_bits_is_neither_signed_nor_accepted() -> None:
    for time_s in (-1, 2**63):
        with pytest.raises(ProofError):
            sign_cosignature(BODY, name=ORIGIN, public_key=SIGNER.public_key, sign=SIGNER.sign, time_s=time_s)
    message = build_cosignature_message(BODY, time_s=2**63)
    line = NoteSignature(
        name=ORIGIN, key_id=COSIGNER_KEY.key_id, signature=(2**63).to_bytes(8, "big") + SIGNER.sign(message)
    )
    with pytest.raises(ProofError, match="time"):
        verify_signature(BODY, line, key=COSIGNER_KEY, verify=verify)


def test_a_key_of_unknown_type_verifies_nothing() -> None:
    key = NoteKey(name=ORIGIN, type=6, public_key=SIGNER.public_key)
    line = NoteSignature(name=ORIGIN, key_id=key.key_id, signature=SIGNER.sign(BODY))
    with pytest.raises(ProofError, match="type"):
        verify_signature(BODY, line, key=key, verify=verify)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"o\n1\n",
        BODY[:-1],
        BODY + b"extension\n",
        BODY + b"\n",
        b"\n" + BODY,
        BODY.replace(b"20852163", b"020852163"),
        BODY.replace(b"20852163", b"+20852163"),
        BODY.replace(b"20852163", b"-1"),
        BODY.replace(b"20852163", b""),
        BODY.replace(b"20852163", "２".encode()),
        BODY.replace(b"20852163", "²".encode()),
        BODY.replace(b"20852163", b"9" * 19),
        BODY.replace(b"20852163", b"9" * 5000),
        BODY.replace(b"Hh8=", b"Hh9="),
        BODY.replace(b"Hh8=", b"Hh8"),
        BODY.replace(b"Hh8=", b"Hh8=\r"),
        BODY.replace(b"Hh8=", b"HhA_"),
        BODY.replace(b"Hh8=", b"Hh8fHx8f"),
        BODY.replace(b"audit", b"au\x00dit"),
        BODY.replace(b"audit", b"\xff"),
        b"x" * (NOTE_BYTES_MAX + 1),
        b"x" * 256 + BODY[BODY.index(b"\n") :],
    ],
)
def test_a_body_that_is_not_the_one_encoding_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_checkpoint(body)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(origin="", size=1, root=Hash(bytes(32))),
        Checkpoint(origin="a\nb", size=1, root=Hash(bytes(32))),
        Checkpoint(origin="a", size=-1, root=Hash(bytes(32))),
        Checkpoint(origin="a", size=2**63, root=Hash(bytes(32))),
        Checkpoint(origin="a", size=1, root=Hash(bytes(31))),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(DecodeError):
        encode_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "- name AAAAAAA=",
        "— name",
        "—name AAAAAAA=",
        "—  AAAAAAA=",
        "— na me AAAAAAA=",
        "— na+me AAAAAAA=",
        "— na\u00a0me AAAAAAA=",
        "— name AAAA",
        "— name AAAAAA==",
        "— name AAAAAAB",
        "— name AAAAAAB=",
        "— name !!!!",
        "— name " + "A" * 6680,
        "— " + "n" * 256 + " AAAAAAA=",
    ],
)
def test_a_malformed_signature_line_is_refused(line: str) -> None:
    with pytest.raises(DecodeError):
        decode_signature_line(line)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "n" * 256])
def test_a_name_that_no_line_can_hold_is_not_written(name: str) -> None:
    with pytest.raises(DecodeError):
        encode_signature_line(NoteSignature(name=name, key_id=bytes(4), signature=bytes(64)))


def test_the_last_empty_line_parts_text_and_signatures() -> None:
    line = NoteSignature(name="name", key_id=b"abcd", signature=b"s")
    assert decode_note(encode_note(b"one\n\ntwo\n", [line])) == (b"one\n\ntwo\n", [line])


def test_malformed_notes_are_refused() -> None:
    note = build_note()
    line = note[len(BODY) + 1 :].split(b"\n")[0] + b"\n"
    for malformed in (
        b"",
        BODY,
        BODY + b"\n",
        BODY + line,
        b"\n\n" + line,
        note[:-1],
        note + b"\n",
        note + b"garbage\n",
        note.replace(b"\n\n", b"\n\r\n"),
        BODY + b"\n" + line * 65,
        note + b"\xff\n",
        note + bytes(NOTE_BYTES_MAX),
    ):
        with pytest.raises(DecodeError):
            decode_note(malformed)
    assert len(decode_note(BODY + b"\n" + line * 64)[1]) == 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name+00000000",
        encode_verifier_key(LOG_KEY).replace("audit", "other"),
        encode_verifier_key(LOG_KEY)[:-4],
        encode_verifier_key(LOG_KEY).upper(),
        "a b+" + encode_verifier_key(LOG_KEY),
        encode_verifier_key(NoteKey(name=ORIGIN, type=6, public_key=SIGNER.public_key)),
        "n" * 1000 + encode_verifier_key(LOG_KEY),
    ],
)
def test_a_verifier_key_whose_parts_do_not_fit_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_verifier_key(text)
