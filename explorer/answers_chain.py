"""The JSON of the chain itself: meta, blocks, transactions, validators, consensus. Data only.

null means known to be empty, an absent field is not part of this answer (api.md, Representation). Hashes,
keys and signatures are lower-case hex, times RFC 3339 UTC of *block* time, days ISO dates of the plan's
calendar.
"""

from msgspec import UNSET, Struct, UnsetType

from explorer.pagination import Page
from explorer.represent import JsonObject


class ClockAnswer(Struct, frozen=True):
    """How block time runs."""

    is_accelerated: bool
    """True on a development chain whose genesis maps wall time to block time."""
    block_ms: int
    """Block time that passes ..."""
    wall_ms: int
    """... while this much wall time passes: the present slope."""
    time: str | None
    """Block time now by this node's clock."""


class LimitsAnswer(Struct, frozen=True):
    """Bounds that callers meet."""

    transaction_bytes_max: int
    body_bytes_max: int
    batch_bytes_max: int
    batch_items_max: int
    """Transactions of one batch request."""
    blob_bytes_max: int
    validity_window_ms: int
    """How far ahead of block time `valid_until` may lie."""
    page_limit_default: int
    page_limit_max: int
    wait_ms_max: int
    requests_per_s: int
    """Refill of an address's token bucket."""
    requests_burst: int


class MetaAnswer(Struct, frozen=True):
    """What this chain and this node are."""

    chain_id: str
    """SHA-256 of the canonical genesis."""
    genesis_hash: str
    """Hash of block 0."""
    chain_name: str
    log_origin: str
    """Origin line of the chain's checkpoints."""
    protocol_version: int
    software_version: str
    api_version: str
    height: int
    """Of the block that answers."""
    clock: ClockAnswer
    limits: LimitsAnswer
    plans: list[str]
    """Names of the plans; see /v1/plans."""


class VoteAnswer(Struct, frozen=True):
    """One signature of a certificate."""

    validator: int
    """Index in the set of that height."""
    organisation: str | None
    """Name, where the set of that height is the present one."""
    signature: str


class CertificateAnswer(Struct, frozen=True):
    """The signatures that make a block final."""

    height: int
    view: int
    block_hash: str
    is_agreed: bool
    """True for the certificate that the next block embeds, the same on every node; false for this node's own
    evidence."""
    votes: list[VoteAnswer]


class HeaderAnswer(Struct, frozen=True):
    """A block's header: what the validators signed. The roots are those after the block."""

    version: int
    height: int
    parent_hash: str
    time: str | None
    proposer: str
    """Validator key."""
    parent_certificate_hash: str
    transactions_root: str
    log_size: int
    """Entries of the log of the whole history."""
    log_root: str
    state_root: str
    next_validators_hash: str
    reveal: str


class BlockSummary(Struct, frozen=True):
    """One block in a list."""

    height: int
    hash: str
    time: str | None
    proposer: str
    proposer_organisation: str | None
    transactions: int
    """How many it has."""
    log_size: int
    state_root: str


class BlockAnswer(Struct, frozen=True):
    """One block: header, certificate, the ids of its transactions, its automatic events."""

    hash: str
    header: HeaderAnswer
    proposer_organisation: str | None
    """Null for block 0 and where the set of validators has changed since."""
    certificate: CertificateAnswer
    transactions: list[str]
    """Their ids in order."""
    events: list[JsonObject]
    """Automatic events of this block: what fell due (deadlines, notice, settlement)."""
    withheld_events: int
    """Events that are not shown because they stand beside events of a claim."""


class BlockPage(Struct, frozen=True):
    """Blocks, newest first."""

    items: list[BlockSummary]
    page: Page


class OutcomeAnswer(Struct, frozen=True):
    """Outcome of one item of a batch."""

    outcome: str
    """success or failed."""
    code: str
    """Catalogue code; success, already or the reason."""


class LogAnswer(Struct, frozen=True):
    """The leaf of the log that proves the result."""

    height: int
    index: int
    """1 for the first transaction of a block."""
    outcome_number: int
    """Catalogue number."""
    events_hash: str
    """SHA-256 over item outcomes and events."""


class TransactionAnswer(Struct, frozen=True):
    """A transaction and what became of it."""

    tx_id: str
    status: str
    """received, pending, committed, rejected or expired; a terminal one is never contradicted."""
    valid_until: str | UnsetType | None = UNSET
    outcome: str | UnsetType = UNSET
    """success or failed, once committed."""
    code: str | UnsetType | None = UNSET
    """Catalogue code of the outcome or of a rejection; null while there is none."""
    height: int | UnsetType = UNSET
    index: int | UnsetType = UNSET
    time: str | UnsetType | None = UNSET
    """Block time."""
    call: str | UnsetType = UNSET
    """Name of the call."""
    body: JsonObject | UnsetType = UNSET
    """Fields of the call."""
    signer: str | UnsetType = UNSET
    """Public key."""
    signed_tx: str | UnsetType = UNSET
    """The exact bytes, Base64."""
    items: list[OutcomeAnswer] | UnsetType = UNSET
    """Outcomes of a batch, in order."""
    events: list[JsonObject] | UnsetType = UNSET
    log: LogAnswer | UnsetType = UNSET
    withheld: list[str] | UnsetType = UNSET
    """Fields that are not public, because they link a claim to a member (contract 6)."""


class TransactionSummary(Struct, frozen=True):
    """One committed transaction in a list."""

    tx_id: str
    height: int
    index: int
    time: str | None
    call: str
    outcome: str
    code: str


class TransactionPage(Struct, frozen=True):
    """Committed transactions, newest first."""

    items: list[TransactionSummary]
    page: Page


class ReceiptAnswer(Struct, frozen=True):
    """Everything that proves one transaction to somebody who trusts only the validators' keys."""

    tx_id: str
    log_entry: str
    """Canonical bytes of the leaf, hex; its hash is SHA-256(0x00 || bytes) (RFC 6962)."""
    log_index: int
    """Place of the leaf in the log."""
    log_path: list[str]
    """Hashes from the leaf's sibling up to the root (RFC 6962 2.1.1), for the size in `header`."""
    header: str
    """Canonical bytes of a header whose log root covers the leaf, hex."""
    certificate: str
    """Canonical bytes of that block's certificate, hex."""
    is_agreed: bool
    """False while the block is the head: its certificate is still this node's own evidence."""
    validators: str | None
    """Canonical bytes of the set that voted on it, hex; null where this node no longer holds that set."""
    receipt: str | UnsetType = UNSET
    """Canonical bytes of outcomes and events, hex."""
    signed_tx: str | UnsetType = UNSET
    """The exact bytes of the transaction, Base64."""
    withheld: list[str] | UnsetType = UNSET


class ValidatorAnswer(Struct, frozen=True):
    """One validator of the next height."""

    index: int
    organisation: str
    role: str
    """platform, custodian or auditor."""
    key: str
    checkpoint_key: str
    address: str
    is_skipped: bool
    """Passed over as leader for some turns, because its last turn ended in a view change."""
    rejoined_height: int | None
    """Block in which its operator last declared that no other validator lies or lost data, to end its quarantine at
    once; null where it never did."""


class CandidateAnswer(Struct, frozen=True):
    """A validator that was accepted and does not vote yet."""

    organisation: str
    key: str
    address: str
    is_ready: bool
    """It has shown that it follows the chain, and waits for its turn: one change in a block."""


class ValidatorsAnswer(Struct, frozen=True):
    """Who votes on the next height."""

    height: int
    """The height that they vote on."""
    quorum: int
    """Signatures of one view that make a block final."""
    faults_max: int
    """Liars that are tolerated."""
    set_hash: str
    """As the header of the block before commits to it."""
    items: list[ValidatorAnswer]
    candidates: list[CandidateAnswer]
    """Validators that were accepted and do not vote yet."""


class ValidatorConditionAnswer(Struct, frozen=True):
    """One validator as this node sees it now."""

    index: int
    organisation: str
    is_connected: bool
    height: int | None
    """Last block that it showed."""
    view: int | None
    has_prepared: bool
    has_committed: bool
    has_view_change: bool


class TimerAnswer(Struct, frozen=True):
    """One running timer."""

    name: str
    remaining_ms: int


class ConsensusAnswer(Struct, frozen=True):
    """Why there is no block now."""

    height: int
    """Height that is voted on."""
    view: int
    mode: str
    """starting, normal, changing, quarantine or syncing."""
    phase: str
    """idle, propose, prepare, commit or view_change."""
    reason: str
    """What is waited for."""
    leader: str | None
    quorum: int
    missing: list[str]
    """Organisations whose vote of this phase is not here."""
    pending: int
    """Transactions in this node's pool."""
    validators: list[ValidatorConditionAnswer]
    timers: list[TimerAnswer]


class SignedBodyAnswer(Struct, frozen=True):
    """One signed message of a proof of a fault."""

    body: str
    """Canonical bytes of the signed body, hex."""
    signed: str
    """Exactly what the signature covers (tag line, chain id, body), hex."""
    signature: str
    """Ed25519, hex."""


class EvidenceAnswer(Struct, frozen=True):
    """Proof of a fault: two messages of one position that one validator key signed."""

    validator: str
    """Validator key, hex: both signatures verify under it."""
    organisation: str
    """Who ran it at that height."""
    height: int
    view: int
    kind: str
    """view-change, new-view, proposal, prepare or commit: both are of this kind."""
    found_at: str | None
    """Wall time at which this node saw it."""
    first: SignedBodyAnswer
    second: SignedBodyAnswer


class EvidencePage(Struct, frozen=True):
    """All proofs that this node holds, by height."""

    items: list[EvidenceAnswer]


class LivenessAnswer(Struct, frozen=True):
    """The process answers."""

    status: str
    """alive."""


class ConditionAnswer(Struct, frozen=True):
    """One condition of readiness."""

    name: str
    is_met: bool
    detail: str


class ReadinessAnswer(Struct, frozen=True):
    """The node serves: every condition is met."""

    status: str
    """ready."""
    conditions: list[ConditionAnswer]
