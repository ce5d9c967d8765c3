"""The blind index: vectors, two keys needed, every wrong share or proof refused (contract 6, pitfalls L19)."""

import hashlib
import json
from itertools import combinations, permutations
from pathlib import Path

import nacl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl import bindings

from chain.blind_index import (
    HOLDERS,
    Dealing,
    Point,
    Proof,
    Purpose,
    Scalar,
    combine,
    compute_bill_tag,
    compute_joint_point,
    compute_payer_token,
    compute_person_index,
    compute_public_point,
    compute_share_point,
    deal,
    evaluate,
    hash_to_point,
    join_shares,
    multiply,
    read_point,
    read_scalar,
    reduce_scalar,
    rotate,
    validate_dealing,
    verify_evaluation,
    verify_rotation,
)
from chain.crypto import GROUP_ORDER
from chain.errors import ProofError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "blind_index.json").read_text())
PRIME = 2**255 - 19
IDENTITY = b"\x01" + bytes(31)
ORDER_TWO = (PRIME - 1).to_bytes(32, "little")


def key(name: str | int) -> Scalar:
    return reduce_scalar(hashlib.sha512(b"test key %r" % str(name)).digest())


def read_proof(row: dict[str, str]) -> Proof:
    return Proof(challenge=bytes.fromhex(row["challenge"]), response=bytes.fromhex(row["response"]))


def unhex(text: str) -> Point:
    return read_point(bytes.fromhex(text), what="vector")


class Committee:
    """Two dealers, three holders, one bank."""

    def __init__(self, seed: str = "s") -> None:
        dealt = [deal((key(f"{seed} {number} c"), key(f"{seed} {number} s"))) for number in (1, 2)]
        self.dealings = [dealing for dealing, _ in dealt]
        self.subshares = [subshares for _, subshares in dealt]
        self.shares = {
            holder: join_shares(self.dealings, [own[holder] for own in self.subshares], holder=holder)
            for holder in HOLDERS
        }
        self.points = {holder: compute_share_point(self.dealings, holder) for holder in HOLDERS}
        self.whole = Scalar(bindings.crypto_core_ed25519_scalar_add(key(f"{seed} 1 c"), key(f"{seed} 2 c")))
        self.bank = key(f"{seed} bank")


COMMITTEE = Committee()


# --- an arithmetic of our own, slow and plain, to compare with ---

_D = -121665 * pow(121666, -1, PRIME) % PRIME
Affine = tuple[int, int]


def decode(point: bytes) -> Affine:
    number = int.from_bytes(point, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    assert (x * x - square) % PRIME == 0
    return (PRIME - x if x & 1 != sign else x), y


def add(first: Affine, second: Affine) -> Affine:
    (x1, y1), (x2, y2) = first, second
    product = _D * x1 * x2 * y1 * y2 % PRIME
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME


def scale(factor: int, point: Affine) -> Affine:
    total = (0, 1)
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def encode(point: Affine) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


# --- vectors ---


def test_the_vectors_keys_and_shares_are_those_of_the_pinned_file() -> None:
    assert compute_public_point(Scalar(bytes.fromhex(VECTORS["bank_key"]))).hex() == VECTORS["bank_point"]
    dealings = []
    for dealer in VECTORS["dealers"]:
        dealing, subshares = deal([Scalar(bytes.fromhex(text)) for text in dealer["coefficients"]])
        assert [point.hex() for point in dealing.commitments] == dealer["commitments"]
        assert dealing.proof == read_proof(dealer["proof"])
        assert {str(holder): share.hex() for holder, share in subshares.items()} == dealer["subshares"]
        dealings.append(dealing)
    for holder in HOLDERS:
        own = [Scalar(bytes.fromhex(dealer["subshares"][str(holder)])) for dealer in VECTORS["dealers"]]
        assert join_shares(dealings, own, holder=holder).hex() == VECTORS["shares"][str(holder)]["share"]
        assert compute_share_point(dealings, holder).hex() == VECTORS["shares"][str(holder)]["point"]
    assert compute_joint_point(dealings).hex() == VECTORS["auditor_point"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['purpose']}-{case['text'][:8]}")
def test_the_vectors_cases_are_those_of_the_pinned_file(case: dict[str, object]) -> None:
    bank, new_bank = (Scalar(bytes.fromhex(VECTORS[name])) for name in ("bank_key", "new_bank_key"))
    point = hash_to_point(Purpose(case["purpose"]), str(case["text"]).encode())
    assert point.hex() == case["point"]
    t1, proof = evaluate(bank, point)
    assert (t1.hex(), proof) == (case["t1"], read_proof(case["t1_proof"]))  # type: ignore[arg-type]
    partials = {}
    for holder in HOLDERS:
        partial, proof = evaluate(Scalar(bytes.fromhex(VECTORS["shares"][str(holder)]["share"])), t1)
        expected = case["partials"][str(holder)]  # type: ignore[index]
        assert (partial.hex(), proof) == (expected["point"], read_proof(expected["proof"]))
        partials[holder] = partial
    t2 = combine({holder: partials[holder] for holder in (2, 3)})
    rotated, proof = rotate(bank, new_bank, t2)
    assert (t2.hex(), rotated.hex()) == (case["t2"], case["rotated"])
    assert proof == read_proof(case["rotation_proof"])  # type: ignore[arg-type]
    assert compute_person_index(t2, plan="care", epoch=1).hex() == case["person_index"]
    assert compute_bill_tag(t2, plan="care").hex() == case["bill_tag"]
    assert compute_payer_token(t2, plan="care").hex() == case["payer_token"]


def test_plain_integer_arithmetic_leads_to_the_vectors() -> None:
    bank = int.from_bytes(bytes.fromhex(VECTORS["bank_key"]), "little")
    constants = [bytes.fromhex(dealer["coefficients"][0]) for dealer in VECTORS["dealers"]]
    whole = sum(int.from_bytes(constant, "little") for constant in constants) % GROUP_ORDER
    for case in VECTORS["cases"]:
        point = decode(bytes.fromhex(case["point"]))
        assert scale(GROUP_ORDER, point) == (0, 1)
        t1 = scale(bank, point)
        assert encode(t1).hex() == case["t1"]
        assert encode(scale(whole, t1)).hex() == case["t2"]


# --- two keys, any order, any two holders ---


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40), st.sampled_from(Purpose))
def test_any_two_holders_in_any_order_give_the_index_of_both_keys(text: str, purpose: Purpose) -> None:
    point = hash_to_point(purpose, text.encode())
    t1 = multiply(COMMITTEE.bank, point)
    partials = {holder: multiply(COMMITTEE.shares[holder], t1) for holder in HOLDERS}
    expected = multiply(COMMITTEE.bank, multiply(COMMITTEE.whole, point))
    for pair in permutations(HOLDERS, 2):
        assert combine({holder: partials[holder] for holder in pair}) == expected


def test_no_holder_alone_nor_the_bank_alone_comes_to_the_index() -> None:
    point = hash_to_point(Purpose.PERSON, b"resident:x")
    t1 = multiply(COMMITTEE.bank, point)
    t2 = multiply(COMMITTEE.whole, t1)
    alone = [multiply(COMMITTEE.shares[holder], start) for holder in HOLDERS for start in (point, t1)]
    assert t2 not in (*alone, t1, multiply(COMMITTEE.whole, point))
    for count in (0, 1, 3):
        for holders in combinations(HOLDERS, count):
            with pytest.raises(ProofError, match="different holders"):
                combine({holder: multiply(COMMITTEE.shares[holder], t1) for holder in holders})
    with pytest.raises(ProofError, match="different holders"):
        combine({1: t1, 4: t1})


def test_purposes_texts_plans_and_epochs_are_all_different_indexes() -> None:
    points = [hash_to_point(purpose, text) for purpose in Purpose for text in (b"a", b"b", b"")]
    assert len({*points}) == len(points)
    values = [compute_person_index(points[0], plan=plan, epoch=epoch) for plan in ("a", "b") for epoch in (0, 1)]
    values += [compute_bill_tag(points[0], plan="a"), compute_payer_token(points[0], plan="a")]
    assert len({*values}) == len(values)


# --- points that are none ---


def test_l19_points_outside_the_prime_subgroup_are_refused() -> None:
    version = tuple(int(part) for part in nacl.__version__.split(".")[:3])
    assert version >= (1, 6, 2), "the subgroup test of older libsodium is incomplete (CVE-2025-69277)"
    good = hash_to_point(Purpose.PERSON, b"x")
    mixed = bindings.crypto_core_ed25519_add(good, ORDER_TWO)
    order_four = bytes(32)
    not_canonical = (PRIME + 3).to_bytes(32, "little")
    not_on_curve = (2).to_bytes(32, "little")
    for bad in (mixed, IDENTITY, ORDER_TWO, order_four, not_canonical, not_on_curve, good[:31], good + b"\0", b""):
        with pytest.raises(ProofError):
            read_point(bad, what="point")
    assert read_point(good, what="point") == good


def test_l19_a_mixed_point_is_refused_even_where_libsodium_lets_it_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """As libsodium before 1.0.20-stable did: its answer alone must not decide."""
    mixed = bindings.crypto_core_ed25519_add(hash_to_point(Purpose.PERSON, b"x"), ORDER_TWO)
    monkeypatch.setattr(bindings, "crypto_core_ed25519_is_valid_point", lambda _: True)
    plain = bindings.crypto_scalarmult_ed25519_noclamp
    monkeypatch.setattr(
        bindings,
        "crypto_scalarmult_ed25519_noclamp",
        lambda factor, point: (
            encode(scale(int.from_bytes(factor, "little"), decode(point))) if point == mixed else plain(factor, point)
        ),
    )
    with pytest.raises(ProofError, match="prime order"):
        read_point(mixed, what="point")


@pytest.mark.parametrize("number", [0, GROUP_ORDER, GROUP_ORDER + 1, 2**256 - 1])
def test_scalars_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(ProofError, match="no scalar"):
        read_scalar(number.to_bytes(32, "little"), what="key")
    with pytest.raises(ProofError, match="no scalar"):
        read_scalar(b"\x01" * 31, what="key")


# --- proofs ---


def test_a_proof_holds_for_its_statement_and_for_no_other() -> None:
    point, other = hash_to_point(Purpose.PERSON, b"a"), hash_to_point(Purpose.PERSON, b"b")
    public = compute_public_point(COMMITTEE.bank)
    image, proof = evaluate(COMMITTEE.bank, point)
    verify_evaluation(proof, public_point=public, point=point, image=image)
    wrong_public = compute_public_point(key("another"))
    for public_point, base, result in (
        (wrong_public, point, image),
        (public, other, image),
        (public, point, other),
        (public, point, multiply(key("another"), point)),
    ):
        with pytest.raises(ProofError, match="one factor"):
            verify_evaluation(proof, public_point=public_point, point=base, image=result)


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=511))
def test_a_proof_with_any_bit_changed_is_refused(bit: int) -> None:
    point = hash_to_point(Purpose.PERSON, b"a")
    public = compute_public_point(COMMITTEE.bank)
    image, proof = evaluate(COMMITTEE.bank, point)
    data = bytearray(proof.challenge + proof.response)
    data[bit // 8] ^= 1 << bit % 8
    changed = Proof(challenge=bytes(data[:32]), response=bytes(data[32:]))
    with pytest.raises(ProofError):
        verify_evaluation(changed, public_point=public, point=point, image=image)


def test_a_holder_who_uses_another_share_is_found_by_his_proof() -> None:
    t1 = multiply(COMMITTEE.bank, hash_to_point(Purpose.PERSON, b"a"))
    image, proof = evaluate(key("wrong share"), t1)
    for holder in HOLDERS:
        with pytest.raises(ProofError, match="one factor"):
            verify_evaluation(proof, public_point=COMMITTEE.points[holder], point=t1, image=image)
    good, proof = evaluate(COMMITTEE.shares[1], t1)
    with pytest.raises(ProofError, match="one factor"):
        verify_evaluation(proof, public_point=COMMITTEE.points[2], point=t1, image=good)


# --- dealing ---


def test_a_subshare_that_is_not_on_its_polynomial_is_found_with_its_dealer() -> None:
    for dealer in (0, 1):
        subshares = [own[2] for own in COMMITTEE.subshares]
        subshares[dealer] = key("false")
        with pytest.raises(ProofError, match=f"dealer {dealer + 1}"):
            join_shares(COMMITTEE.dealings, subshares, holder=2)


def test_a_dealer_who_does_not_know_his_constant_is_refused() -> None:
    """The last dealer could otherwise choose the key: his part as a chosen point less the others' parts."""
    chosen = compute_public_point(key("chosen"))
    first = COMMITTEE.dealings[0]
    rogue = bindings.crypto_core_ed25519_sub(chosen, first.commitments[0])
    own, _ = deal((key("c"), key("s")))
    for proof in (own.proof, first.proof):
        with pytest.raises(ProofError, match="one factor"):
            validate_dealing(Dealing(commitments=(rogue, own.commitments[1]), proof=proof))
    validate_dealing(own)
    for bad in (IDENTITY, ORDER_TWO, bytes(32)):
        with pytest.raises(ProofError):
            validate_dealing(replace(own, commitments=(own.commitments[0], bad)))


def test_share_points_are_those_of_the_shares_and_only_three_holders_exist() -> None:
    for holder in HOLDERS:
        assert COMMITTEE.points[holder] == compute_public_point(COMMITTEE.shares[holder])
    assert compute_joint_point(COMMITTEE.dealings) == compute_public_point(COMMITTEE.whole)
    for holder in (0, 4):
        with pytest.raises(ProofError, match="no holder"):
            compute_share_point(COMMITTEE.dealings, holder)


# --- rotation ---


def test_a_rotated_image_is_that_of_the_new_key_and_its_proof_shows_it() -> None:
    point = hash_to_point(Purpose.PERSON, b"a")
    new = key("new bank")
    old_point, new_point = compute_public_point(COMMITTEE.bank), compute_public_point(new)
    image = multiply(COMMITTEE.whole, multiply(COMMITTEE.bank, point))
    rotated, proof = rotate(COMMITTEE.bank, new, image)
    assert rotated == multiply(COMMITTEE.whole, multiply(new, point))
    verify_rotation(proof, old_point=old_point, new_point=new_point, image=image, rotated=rotated)
    other = hash_to_point(Purpose.PERSON, b"b")
    for before, after, start, end in (
        (new_point, old_point, image, rotated),
        (old_point, new_point, other, rotated),
        (old_point, new_point, image, other),
        (old_point, new_point, rotated, image),
    ):
        with pytest.raises(ProofError, match="one factor"):
            verify_rotation(proof, old_point=before, new_point=after, image=start, rotated=end)


def test_the_vector_file_holds_only_points_of_the_group() -> None:
    for case in VECTORS["cases"]:
        for name in ("point", "t1", "t2", "rotated"):
            unhex(case[name])
