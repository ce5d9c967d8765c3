"""The attacks of contract 7 on the count and on the history: what everybody recomputes, on a signed ledger.

Each docstring names the rule that refuses the attack, or the public number that shows it.
"""

import itertools
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from chain.certificate import CertificateInvalid, VoteSignature, validate_votes, vote_message
from chain.checkpoint import (
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    build_origin,
    encode_checkpoint,
    encode_note,
    sign_log,
    verify_note,
)
from chain.codec import encode
from chain.contract.calls import Call
from chain.contract.claim_calls import ClaimConfirm
from chain.contract.member_calls import MemberLeave
from chain.contract.settlement_check import verify_settlement
from chain.contract.settlement_math import compute_collected
from chain.contract.settlement_tables import SETTLEMENT, SettlementRecord
from chain.crypto import SigningKey, verify
from chain.errors import InvalidBlock, ProofError
from chain.history import consistency_proof, verify_consistency
from chain.ledger import TileStore
from chain.state import Overlay
from chain.trie import decode_root, map_key, sum_key
from chain.trie_proof import verify_map_proof, verify_range_proof, verify_sum_proof
from chain.types import ZERO_HASH, Hash, Height, View
from chain.validation import validate_block
from tests.chain.contract.attack_chain import AttackChain, open_chain, start
from tests.chain.contract.attack_ledger import PLAN_NAME
from tests.node.local_chain import derive_seed

COUNT = 40
LEFT_OUT = 2
"""Five per cent of forty."""
POOL_KEY = (PLAN_NAME, 0)


# --- the platform reports N minus 5 % ---


def test_no_call_carries_a_count_or_a_charge() -> None:
    """Contract 1: nobody reports N, the share index or the charge; there is no field to say it in."""
    reported = {"units", "members", "per", "share_index", "n", "collected", "carry"}
    for call in get_args(Call):
        assert not reported & set(call.__struct_fields__), call


def settle(chain: AttackChain) -> SettlementRecord:
    """Let forty members be charged for one claim; return the public record."""
    people = start(chain, count=COUNT)
    (claim,) = chain.approve(people[:1])
    chain.until("noticed", claim)
    chain.advance_to(chain.claim(claim).due_day)
    auditor = chain.period(0).confirmer
    assert auditor is not None
    chain.must((auditor, ClaimConfirm(items=(claim,))))
    chain.until("settled", claim)
    return chain.settlement(0)


def test_a_charge_by_five_per_cent_fewer_members_contradicts_its_own_proofs(tmp_path: Path) -> None:
    """Contract 3.4, 4: `per` follows from the proven range sums; a record with another N, another charge, or both, is
    refused by whoever recomputes it (`settlement_check`)."""
    with open_chain(tmp_path) as chain:
        record = settle(chain)
        verify_settlement(record, chain.terms.pool)
        assert (record.units, record.per) == (COUNT, 54_000 // COUNT)
        fewer = COUNT - LEFT_OUT
        per = -(-record.cost // fewer)
        lies: list[dict[str, int]] = [
            {"units": fewer},
            {"members": fewer},
            {"units": fewer, "members": fewer, "units_full": fewer},
            {"per": per},
            {
                "units": fewer,
                "members": fewer,
                "units_full": fewer,
                "per": per,
                "collected": per * fewer,
                "carry_after": per * fewer - record.cost,
            },
            {"per": per, "collected": per * COUNT, "carry_after": per * COUNT - record.cost},
        ]
        for lie in lies:
            with pytest.raises(ProofError):
                verify_settlement(msgspec.structs.replace(record, **lie), chain.terms.pool)


def test_a_charge_from_a_tree_without_two_members_hangs_on_no_header(tmp_path: Path) -> None:
    """Contract 4, state-tree: a record that is true of a smaller tree is not the one that the header's state root
    proves, and each member left out shows the leaf that stands under the true root."""
    with open_chain(tmp_path) as chain:
        record = settle(chain)
        assert chain.last is not None
        header = chain.last.header
        key = SETTLEMENT.key(PLAN_NAME, 0, 0)
        proof = chain.chain.ledger.state_tree.prove(map_key(key))
        verify_map_proof(header.state_root, key, encode(record), proof)

        victims = [chain.members[f"member-{number}"] for number in range(LEFT_OUT)]
        overlay = Overlay(chain.chain.ledger)
        for victim in victims:
            overlay.set_leaf(POOL_KEY, chain.require_member(victim).x, victim, None)
        tree = overlay.tree(POOL_KEY)
        per = -(-record.cost // (COUNT - LEFT_OUT))
        places = (0, per, per - 1)
        sums = tree.range_sums(0)
        collected = compute_collected(sums_from=tree.range_sums, at_index=sums, index=0, per=per)
        forged = replace(
            record,
            tree_root=tree.root_bytes,
            units=sums.weight,
            members=sums.count,
            units_full=sums.weight,
            per=per,
            collected=collected,
            carry_after=collected - record.cost,
            proofs=tuple(tree.prove(sum_key(x=x, pseudonym=ZERO_HASH)) for x in places),
        )
        verify_settlement(forged, chain.terms.pool)
        with pytest.raises(ProofError):
            verify_map_proof(header.state_root, key, encode(forged), proof)
        true_root, false_root = decode_root(record.tree_root), decode_root(forged.tree_root)
        true_tree = chain.chain.ledger.get_pool_tree(POOL_KEY)
        assert verify_range_proof(true_root, 0, true_tree.prove(sum_key(x=0, pseudonym=ZERO_HASH))).count == COUNT
        for victim in victims:
            place = sum_key(x=chain.require_member(victim).x, pseudonym=victim)
            shown = verify_sum_proof(true_root, place, true_tree.prove(place))
            assert shown.leaf is not None
            assert verify_sum_proof(false_root, place, tree.prove(place)).leaf is None


def test_a_leader_with_another_count_finds_no_second_vote_for_its_block(tmp_path: Path) -> None:
    """Consensus 4: every validator executes the block itself; another root is `recomputed fields differ`."""
    with open_chain(tmp_path) as chain:
        settle(chain)
        ledger = chain.chain.ledger
        chain.time_ms += 1_000
        call = MemberLeave(member=chain.members["member-1"])
        executed = chain.chain.execute([chain.sign("member-1", call)], chain.time_ms)
        for field in ("state_root", "log_root", "transactions_root"):
            forged = replace(executed.header, **{field: derive_seed("false")})
            with pytest.raises(InvalidBlock):
                validate_block(
                    ledger,
                    header=forged,
                    parent_certificate=ledger.certificate,
                    transactions=executed.transactions,
                    parameters=ledger.parameters,
                    clock=(),
                    has_run=ledger.has_run,
                    freshness=None,
                )


# --- two histories shown to two auditors ---


def vote(chain: AttackChain, index: int, block_hash: Hash, height: int) -> VoteSignature:
    """Return the COMMIT of a validator on a block."""
    name = chain.chain.genesis.validators[index].organisation
    message = vote_message(
        kind="commit",
        chain_id=chain.chain.chain_id,
        height=Height(height),
        view=View(0),
        block_hash=block_hash,
        version=1,
    )
    return index, SigningKey(derive_seed("validator", name)).sign(message)


def is_final(chain: AttackChain, block_hash: Hash, height: int, signers: tuple[int, ...]) -> bool:
    """Tell whether these validators' votes make a certificate."""
    try:
        validate_votes(
            kind="commit",
            height=Height(height),
            view=View(0),
            block_hash=block_hash,
            votes=tuple(vote(chain, index, block_hash, height) for index in signers),
            validators=chain.chain.genesis.validators,
            chain_id=chain.chain.chain_id,
            version=1,
        )
    except CertificateInvalid:
        return False
    return True


def fork(one: AttackChain, other: AttackChain) -> None:
    """Let two ledgers of one genesis share their beginning; then in each of them somebody else leaves."""
    for chain in (one, other):
        start(chain)
    assert one.chain.ledger.head_hash == other.chain.ledger.head_hash
    for chain, name in ((one, "member-1"), (other, "member-2")):
        chain.must((name, MemberLeave(member=chain.members[name])))
    assert one.chain.ledger.height == other.chain.ledger.height


def test_two_histories_need_a_majority_of_liars_and_each_shows_who_they_are(tmp_path: Path) -> None:
    """Consensus 1, 7: two certificates of one height share 2Q - n = 2 of 4 validators; one liar finds no quorum for the
    second, and whoever signed both is named by the two signatures."""
    with open_chain(tmp_path / "one") as one, open_chain(tmp_path / "two") as two:
        fork(one, two)
        height = one.chain.ledger.height
        first, second = one.chain.ledger.head_hash, two.chain.ledger.head_hash
        assert first != second
        validators = range(4)
        for liar in validators:
            honest = [index for index in validators if index != liar]
            for shown_first in itertools.product((True, False), repeat=len(honest)):
                votes = [index for index, sees in zip(honest, shown_first, strict=True) if sees]
                others = [index for index in honest if index not in votes]
                finals = [
                    is_final(one, first, height, tuple(sorted((*votes, liar)))),
                    is_final(one, second, height, tuple(sorted((*others, liar)))),
                ]
                assert finals.count(True) <= 1
        for mine, theirs in itertools.product(itertools.combinations(validators, 3), repeat=2):
            assert is_final(one, first, height, mine)
            assert is_final(one, second, height, theirs)
            liars = set(mine) & set(theirs)
            assert len(liars) >= 2


def note_of(chain: AttackChain, validator: str) -> tuple[bytes, NoteKey]:
    """Return the checkpoint that a validator signs for the history that it was shown."""
    header = chain.chain.ledger.header
    key = SigningKey(derive_seed("checkpoint", validator))
    name = f"{build_origin(domain='example.org', chain_id=chain.chain.chain_id)}/{validator}"
    body = encode_checkpoint(Checkpoint(origin=name, size=header.log_size, root=Hash(header.log_root)))
    line = sign_log(body, name=name, public_key=key.public_key, sign=key.sign)
    return encode_note(body, [line]), NoteKey(name=name, type=TYPE_ED25519, public_key=key.public_key)


def test_two_auditors_who_compare_their_checkpoints_see_two_histories(tmp_path: Path) -> None:
    """Consensus 8: signed checkpoints of equal size must have one root; of different sizes, the smaller must be proven
    to be the beginning of the larger. The two notes are the proof."""
    with open_chain(tmp_path / "one") as one, open_chain(tmp_path / "two") as two:
        fork(one, two)
        shown = []
        for chain, auditor in ((one, "auditor-1"), (two, "auditor-2")):
            note, key = note_of(chain, auditor)
            checkpoint, signed_by = verify_note(note, keys=[key], verify=verify)
            assert signed_by == [key]
            shown.append(checkpoint)
        assert shown[0].root != shown[1].root

        assert shown[0].size == shown[1].size
        one.advance(2)
        later = one.chain.ledger.header
        assert later.log_size > shown[0].size
        path = consistency_proof(TileStore(one.chain.store), old_size=shown[0].size, new_size=later.log_size)

        def require_beginning(old: Checkpoint) -> None:
            verify_consistency(
                old_size=old.size, old_root=old.root, new_size=later.log_size, new_root=later.log_root, path=path
            )

        require_beginning(shown[0])
        with pytest.raises(ProofError):
            require_beginning(shown[1])
