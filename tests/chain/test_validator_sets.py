"""A change of the set of validators through real blocks: headers announce it, proposers follow (consensus 8)."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.block import Header
from chain.certificate import Certificate
from chain.contract.calls import Call
from chain.contract.claim_tables import BEACON
from chain.contract.governance_calls import (
    AddValidator,
    ProposalOpen,
    ProposalVote,
    RemoveValidator,
    SetParameter,
    UpgradeProtocol,
    ValidatorReady,
)
from chain.contract.governance_tables import (
    PROPOSAL,
    PROPOSAL_EFFECTIVE,
    PROPOSAL_OPEN,
    VALIDATOR_SET,
    ProposalRecord,
)
from chain.contract.member_calls import MemberApply
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.errors import InvalidBlock
from chain.execution import Draft, Executed, execute_block
from chain.genesis import compute_chain_id
from chain.ledger import Ledger
from chain.round_record import PROTOCOL
from chain.store import Store
from chain.transaction import Transaction, build_transaction
from chain.types import Hash
from chain.validation import validate_block
from chain.validators import ValidatorSet, hash_validators
from tests.chain.fixtures import make_genesis, make_key, make_link

GENESIS = make_genesis()
CHAIN = compute_chain_id(GENESIS)
DAY_MS = 86_400_000
ADD = AddValidator(
    organisation="auditor-1",
    key=make_key("validator spare").public_key,
    checkpoint_key=make_key("checkpoint spare").public_key,
    tls_pin=sha256(b"tls spare"),
    host="spare.example",
    port=7_000,
    reveal_anchor=make_link("spare", 0),
)


class Chain:
    """A ledger that grows by blocks of one proposer after the other."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(Store(path, CHAIN), GENESIS)
        self.links: dict[bytes, tuple[str, int]] = {}
        self._nonce = 0

    def sign(self, name: str, call: Call) -> Transaction:
        self._nonce += 1
        return build_transaction(
            chain_id=CHAIN,
            nonce=self._nonce.to_bytes(16, "big"),
            valid_until_ms=self.ledger.header.timestamp_ms + 1_800_000,
            call=call,
            key=make_key(name),
        )

    def draft(self, name: str, transactions: tuple[Transaction, ...], *, ms: int) -> Draft:
        key = make_key(f"validator {name}").public_key
        link = self.links.get(key, (name, 0))[1] + 1
        return Draft(
            timestamp_ms=self.ledger.header.timestamp_ms + ms,
            proposer=key,
            reveal=make_link(name, link),
            parent_certificate=self.ledger.certificate,
            transactions=transactions,
        )

    def grow(self, *transactions: Transaction, proposer: str = "platform", ms: int = 20_000) -> Executed:
        """Execute, validate and commit one block; every call in it must succeed."""
        voters = self.ledger.validators
        executed = execute_block(self.ledger, self.draft(proposer, transactions, ms=ms))
        checked = validate_block(
            self.ledger,
            header=executed.header,
            parent_certificate=executed.parent_certificate,
            transactions=transactions,
            parameters=self.ledger.parameters,
            clock=(),
            has_run=self.ledger.has_run,
            freshness=None,
        )
        assert [receipt.outcome for receipt in checked.outcomes] == [0] * len(checked.outcomes)
        key = executed.header.proposer
        self.links[key] = (proposer, self.links.get(key, (proposer, 0))[1] + 1)
        votes = tuple((index, bytes(64)) for index in range(len(voters)))
        height = executed.header.height
        self.ledger.commit(executed, Certificate(height=height, view=0, block_hash=executed.block_hash, votes=votes))
        return executed

    def carry_out(self, payload: AddValidator | RemoveValidator | UpgradeProtocol | SetParameter, opener: str) -> bytes:
        """Open, accept and wait; return the id of the proposal."""
        opening = self.sign(opener, ProposalOpen(payload=payload, reason_hash=sha256(b"reason")))
        self.grow(opening)
        for name in self.read_proposal(opening.tx_id).voters:
            if self.read_proposal(opening.tx_id).status == PROPOSAL_OPEN and name != opener:
                self.grow(self.sign(name, ProposalVote(proposal=opening.tx_id, is_yes=True)))
        record = self.read_proposal(opening.tx_id)
        for _ in range(record.effect_day - record.opened_day):
            self.grow(ms=DAY_MS)
        assert self.read_proposal(opening.tx_id).status == PROPOSAL_EFFECTIVE
        return bytes(opening.tx_id)

    def read_proposal(self, proposal: bytes) -> ProposalRecord:
        record = self.ledger.read(PROPOSAL.key(proposal), PROPOSAL.codec)
        assert record is not None
        return record

    def add_spare(self) -> None:
        self.carry_out(ADD, "auditor-1")
        ready = ValidatorReady(height=self.ledger.height, block_hash=self.ledger.head_hash)
        self.grow(self.sign("validator spare", ready))


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path / "db")


def announced(header: Header) -> Hash:
    return Hash(header.next_validators_hash)


def test_the_header_of_a_block_announces_the_set_of_the_next_height(chain: Chain) -> None:
    before = chain.ledger.validators
    chain.add_spare()
    assert chain.ledger.validators == before
    assert announced(chain.ledger.header) == hash_validators(before)
    executed = chain.grow()
    after = chain.ledger.validators
    assert [validator.key for validator in after] == [*(validator.key for validator in before), ADD.key]
    assert announced(executed.header) == hash_validators(after)
    # The block itself was voted on by the old set.
    assert chain.ledger.validators_record.this_set == before
    chain.grow()
    assert chain.ledger.validators_record.this_set == chain.ledger.validators_record.next_set == after


def test_the_new_validator_proposes_with_the_first_link_of_its_own_chain(chain: Chain) -> None:
    chain.add_spare()
    with pytest.raises(InvalidBlock):
        execute_block(chain.ledger, chain.draft("spare", (), ms=1_000))
    chain.grow()
    executed = chain.grow(proposer="spare")
    assert executed.header.proposer == ADD.key
    chain.grow(proposer="spare")


def test_a_removed_validator_proposes_no_more_and_the_others_links_move_with_them(chain: Chain) -> None:
    chain.add_spare()
    chain.grow()
    chain.grow(proposer="auditor-2")
    key = make_key("validator auditor-1").public_key
    chain.carry_out(RemoveValidator(key=key), "auditor-1")
    names = [validator.organisation for validator in chain.ledger.validators]
    assert names == ["platform", "custodian", "auditor-2", "auditor-1"]
    with pytest.raises(InvalidBlock):
        execute_block(chain.ledger, chain.draft("auditor-1", (), ms=1_000))
    for name in ("custodian", "auditor-2", "spare", "platform"):
        chain.grow(proposer=name)
    beacon = chain.ledger.read(BEACON.key(), BEACON.codec)
    assert beacon is not None
    assert [height > 0 for height in beacon.reveal_heights] == [True] * 4


def test_every_set_that_ever_voted_is_found_by_its_hash(chain: Chain) -> None:
    sets: list[ValidatorSet] = []
    chain.add_spare()
    chain.grow()
    sets.append(chain.ledger.validators)
    chain.carry_out(RemoveValidator(key=make_key("validator auditor-1").public_key), "auditor-1")
    sets.append(chain.ledger.validators)
    for validators in sets:
        record = chain.ledger.read(VALIDATOR_SET.key(hash_validators(validators)), VALIDATOR_SET.codec)
        assert record is not None
        assert record.validators == validators


def test_a_parameter_holds_from_the_next_block_on(chain: Chain) -> None:
    assert chain.ledger.parameters.idle_interval_ms == 10_000
    chain.carry_out(SetParameter(name="idle_interval_ms", value=5_000), "platform")
    assert chain.ledger.parameters == replace(GENESIS.parameters, idle_interval_ms=5_000)


def test_headers_carry_the_scheduled_version_and_no_other_is_valid(chain: Chain) -> None:
    at = chain.ledger.height + 40
    chain.carry_out(UpgradeProtocol(version=2, height=at), "platform")
    schedule = chain.ledger.read(PROTOCOL.key(), PROTOCOL.codec)
    assert schedule is not None
    assert schedule.versions == ((1, 0), (2, at))
    while chain.ledger.height < at - 1:
        assert chain.grow().header.version == 1
    executed = execute_block(chain.ledger, chain.draft("platform", (), ms=1_000))
    assert executed.header.version == 2
    with pytest.raises(InvalidBlock):
        validate_block(
            chain.ledger,
            header=replace(executed.header, version=1),
            parent_certificate=executed.parent_certificate,
            transactions=(),
            parameters=chain.ledger.parameters,
            clock=(),
            has_run=chain.ledger.has_run,
            freshness=None,
        )


def test_nobody_applies_with_a_key_that_became_an_institutions_a_moment_ago(chain: Chain) -> None:
    apply = MemberApply(
        plan="demo",
        pool=0,
        weight=1,
        rules_hash=hash_terms(GENESIS.plans[0].terms),
        field_commitments_root=sha256(b"f"),
        blob_hash=sha256(b"b"),
        consent_hash=sha256(b"c"),
        recovery_hash=sha256(b"r"),
        guardian=None,
    )

    def try_to_apply(ms: int) -> int:
        draft = chain.draft("platform", (chain.sign("validator spare", apply),), ms=ms)
        return execute_block(chain.ledger, draft).outcomes[-1].outcome

    chain.grow()
    assert try_to_apply(1_000) == 0
    chain.carry_out(ADD, "auditor-1")
    assert try_to_apply(1_000) == 11
