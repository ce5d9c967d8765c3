"""A consortium for the tests of its government: the records that execution keeps beside the contract's, and votes."""

from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.context import Context
from chain.contract.governance_calls import (
    AddOrganisation,
    AddValidator,
    Payload,
    ProposalOpen,
    ProposalVote,
    ValidatorReady,
)
from chain.contract.governance_tables import CONSORTIUM, PROPOSAL, PROPOSAL_STATUS_NAMES, ProposalRecord
from chain.contract.money_calls import StatementPost
from chain.contract.tables import ORGANISATION, ROSTER
from chain.genesis import ROLE_AUDITOR, Genesis, Organisation, Parameters
from chain.round_record import PARAMETERS, VALIDATORS, ValidatorsRecord
from chain.types import ZERO_HASH, Hash
from chain.validators import Validator, ValidatorSet
from tests.chain.contract.world import World, name_hash

GOVERNORS = ("platform", "bank", "audit-one", "audit-two")


class GovernanceWorld(World):
    """A world whose blocks keep sets, skips, versions and parameters as execution does."""

    def __init__(self, *, validators: int = 4, auditors: int = 2, statements: bool = False) -> None:
        self._validators = validators
        self._auditors = auditors
        super().__init__(statements=statements)

    def restart(self, genesis: Genesis) -> None:
        more = tuple(
            Organisation(
                name=f"audit-{number}",
                role=ROLE_AUDITOR,
                group=f"g-audit-{number}",
                key=name_hash("key", f"audit-{number}"),
                recovery_key=name_hash("recovery", f"audit-{number}"),
            )
            for number in range(2, self._auditors)
        )
        validators = genesis.validators + tuple(
            replace(build_validator(organisation.name), organisation=organisation.name) for organisation in more
        )
        genesis = replace(
            genesis, organisations=genesis.organisations + more, validators=validators[: self._validators]
        )
        super().restart(genesis)

    def reopen(self) -> None:
        super().reopen()
        self.set_before = self.state.require(VALIDATORS).next_set

    def commit_block(self) -> None:
        after = self.state.require(VALIDATORS).next_set
        self.state.put(VALIDATORS, ValidatorsRecord(next_set=after, this_set=self.set_before))
        super().commit_block()

    def context(self, signer: str | bytes, tx_id: bytes = ZERO_HASH) -> Context:
        context = super().context(signer, tx_id)
        context.parent_hash = block_hash(self.height - 1)
        return context

    def post_statements(self) -> None:
        """Post what is missing up to yesterday for the account that the pool's books are under."""
        self.post_for(self.pool.account, bank=self.key_of("bank"))

    def state_account(self, name: str, from_day: int) -> StatementPost:
        """Return the statement of up to ten days from this one, equal to the chain's books."""
        return self.build_statement(from_day, min(from_day + 9, self.today - 1), account=name)

    # --- reading ---

    @property
    def validators(self) -> ValidatorSet:
        """Return the set of the next height."""
        return self.state.require(VALIDATORS).next_set

    @property
    def parameters(self) -> Parameters:
        return self.state.require(PARAMETERS)

    def roster(self, role: int) -> tuple[str, ...]:
        return self.state.require(ROSTER, role).names

    def proposal(self, proposal: bytes) -> ProposalRecord:
        return self.state.require(PROPOSAL, proposal)

    def status(self, proposal: bytes) -> str:
        return PROPOSAL_STATUS_NAMES[self.proposal(proposal).status]

    def live(self) -> int:
        return len(self.state.require(CONSORTIUM).live)

    # --- usual acts ---

    def join_group(self, name: str, group: str) -> None:
        """Let an organisation belong to an ownership group, as genesis might have had it."""
        record = self.state.require(ORGANISATION, name)
        self.state.put(ORGANISATION, replace(record, group=group), name)

    def key_of(self, name: str) -> bytes:
        """Return the present signing key of an organisation."""
        return self.state.require(ORGANISATION, name).key

    def open(self, opener: str, payload: Payload) -> str:
        """Open a proposal; return the code of the outcome. Its id is `last_tx`."""
        call = ProposalOpen(payload=payload, reason_hash=name_hash("reason"))
        return get_entry_by_number(self.call(self.key_of(opener), call).number).code

    def propose(self, opener: str, payload: Payload) -> bytes:
        """Open a proposal that must be possible; return its id."""
        code = self.open(opener, payload)
        assert code == "success", code
        return self.last_tx

    def vote(self, voter: str, proposal: bytes, *, is_yes: bool = True) -> str:
        call = ProposalVote(proposal=proposal, is_yes=is_yes)
        return get_entry_by_number(self.call(self.key_of(voter), call).number).code

    def accept(self, opener: str, payload: Payload) -> bytes:
        """Open a proposal and let all who may vote for it until it is accepted."""
        proposal = self.propose(opener, payload)
        for voter in self.proposal(proposal).voters:
            if self.status(proposal) == "open" and voter != opener:
                assert self.vote(voter, proposal) == "success"
        assert self.status(proposal) == "accepted", self.proposal(proposal)
        return proposal

    def carry_out(self, opener: str, payload: Payload) -> bytes:
        """Accept a proposal and go to the day of its effect."""
        proposal = self.accept(opener, payload)
        self.run_until_effect(proposal)
        assert self.status(proposal) == "effective", self.proposal(proposal)
        return proposal

    def run_until_effect(self, proposal: bytes) -> None:
        effect_day = self.proposal(proposal).effect_day
        if effect_day > self.today:
            self.advance_to(effect_day)
        else:
            self.next_block()

    def make_ready(self, key: bytes) -> None:
        """Let a candidate show that it follows the chain, and run the block that adds it."""
        call = ValidatorReady(height=self.height - 1, block_hash=block_hash(self.height - 1))
        assert self.call(key, call).number == 0
        self.next_block()


def block_hash(height: int) -> Hash:
    """Return the hash of a block of these worlds."""
    return name_hash("block", height)


def build_validator(name: str) -> Validator:
    return Validator(
        organisation=name,
        key=name_hash("validator", name),
        checkpoint_key=name_hash("checkpoint", name),
        tls_pin=name_hash("pin", name),
        tls_certificate=b"",
        address=f"{name}:7000",
        reveal_anchor=name_hash("anchor", name),
    )


def add_validator(name: str, *, operator: str | None = None) -> AddValidator:
    """Return the payload that adds a validator with keys named after it."""
    return AddValidator(
        organisation=operator or name,
        key=name_hash("validator", name),
        checkpoint_key=name_hash("checkpoint", name),
        tls_pin=name_hash("pin", name),
        host=f"{name}.example",
        port=7_000,
        reveal_anchor=name_hash("anchor", name),
    )


def add_organisation(name: str, role: int, *, group: str | None = None) -> AddOrganisation:
    """Return the payload that takes an organisation in, with keys named after it."""
    return AddOrganisation(
        name=name,
        role=role,
        group=group or f"g-{name}",
        key=name_hash("key", name),
        recovery_key=name_hash("recovery", name) if role <= ROLE_AUDITOR else ZERO_HASH,
    )
