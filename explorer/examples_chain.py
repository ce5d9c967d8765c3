"""Examples of the OpenAPI document about the chain and submitting, made of the very records that are sent."""

from explorer.answers_chain import (
    BlockAnswer,
    BlockPage,
    BlockSummary,
    CandidateAnswer,
    CertificateAnswer,
    ClockAnswer,
    ConditionAnswer,
    ConsensusAnswer,
    EvidenceAnswer,
    EvidencePage,
    HeaderAnswer,
    LimitsAnswer,
    LivenessAnswer,
    LogAnswer,
    MetaAnswer,
    ReadinessAnswer,
    ReceiptAnswer,
    SignedBodyAnswer,
    TimerAnswer,
    TransactionAnswer,
    TransactionPage,
    TransactionSummary,
    ValidatorAnswer,
    ValidatorConditionAnswer,
    ValidatorsAnswer,
    VoteAnswer,
)
from explorer.answers_submit import BatchAnswer, BatchItemAnswer, BlobAnswer
from explorer.pagination import Page

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TX_ID = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
MEMBER = "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014"
CLAIM = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"  # noqa: E501
TIME = "2027-03-14T00:00:00.250Z"
PAGE = Page(next="lcQQ0aVn9c3vZ0x7Vbq1bA", prev=None, limit=50, as_of_height=4_711)

META = MetaAnswer(
    chain_id=HASH,
    genesis_hash=KEY,
    chain_name="example",
    log_origin=f"log.example.org/{HASH}",
    protocol_version=1,
    software_version="0.1.0",
    api_version="1",
    height=4_711,
    clock=ClockAnswer(is_accelerated=False, block_ms=1, wall_ms=1, time=TIME),
    limits=LimitsAnswer(
        transaction_bytes_max=65_536,
        body_bytes_max=98_304,
        batch_bytes_max=4_194_304,
        batch_items_max=1_000,
        blob_bytes_max=16_384,
        validity_window_ms=3_600_000,
        page_limit_default=50,
        page_limit_max=500,
        wait_ms_max=30_000,
        requests_per_s=1_000,
        requests_burst=2_000,
    ),
    plans=["mutual"],
)
BLOCK = BlockAnswer(
    hash=HASH,
    header=HeaderAnswer(
        version=1,
        height=4_711,
        parent_hash=KEY,
        time=TIME,
        proposer=KEY,
        parent_certificate_hash=HASH,
        transactions_root=HASH,
        log_size=90_210,
        log_root=HASH,
        state_root=HASH,
        next_validators_hash=HASH,
        reveal=HASH,
    ),
    proposer_organisation="platform",
    certificate=CertificateAnswer(
        height=4_711,
        view=0,
        block_hash=HASH,
        is_agreed=True,
        votes=[VoteAnswer(validator=0, organisation="platform", signature=SIGNATURE)],
    ),
    transactions=[TX_ID],
    events=[],
    withheld_events=0,
)
BLOCKS = BlockPage(
    items=[
        BlockSummary(
            height=4_711,
            hash=HASH,
            time=TIME,
            proposer=KEY,
            proposer_organisation="platform",
            transactions=1,
            log_size=90_210,
            state_root=HASH,
        )
    ],
    page=PAGE,
)
PENDING = TransactionAnswer(tx_id=TX_ID, status="pending", valid_until=TIME, code=None)
TRANSACTION = TransactionAnswer(
    tx_id=TX_ID,
    status="committed",
    valid_until=TIME,
    outcome="success",
    code="success",
    height=4_711,
    index=1,
    time=TIME,
    call="member_leave",
    body={"member": MEMBER},
    signer=KEY,
    signed_tx="kpYBxCA=",
    items=[],
    events=[{"event": "member_status_changed", "member": MEMBER, "status": "leaving"}],
    log=LogAnswer(height=4_711, index=1, outcome_number=0, events_hash=HASH),
)
TRANSACTIONS = TransactionPage(
    items=[
        TransactionSummary(
            tx_id=TX_ID,
            height=4_711,
            index=1,
            time=TIME,
            call="member_leave",
            outcome="success",
            code="success",
        )
    ],
    page=PAGE,
)
RECEIPT = ReceiptAnswer(
    tx_id=TX_ID,
    log_entry="95c420",
    log_index=90_209,
    log_path=[HASH],
    header="9c01",
    certificate="9400",
    is_agreed=True,
    validators="9497",
    receipt="94c420",
    signed_tx="kpYBxCA=",
)
VALIDATORS = ValidatorsAnswer(
    height=4_712,
    quorum=3,
    faults_max=1,
    set_hash=HASH,
    items=[
        ValidatorAnswer(
            index=0,
            organisation="platform",
            role="platform",
            key=KEY,
            checkpoint_key=KEY,
            address="127.0.0.1:7100",
            is_skipped=False,
            rejoined_height=None,
        )
    ],
    candidates=[
        CandidateAnswer(organisation="auditor-1", key=KEY, address="node5.example.org:8500", is_ready=False),
    ],
)
CONSENSUS = ConsensusAnswer(
    height=4_712,
    view=3,
    mode="normal",
    phase="commit",
    reason="waiting for 1 more COMMIT at height 4712, view 3",
    leader="platform",
    quorum=3,
    missing=["auditor-b"],
    pending=12,
    validators=[
        ValidatorConditionAnswer(
            index=0,
            organisation="platform",
            is_connected=True,
            height=4_711,
            view=3,
            has_prepared=True,
            has_committed=True,
            has_view_change=False,
        )
    ],
    timers=[TimerAnswer(name="view", remaining_ms=1_210)],
)
LIVENESS = LivenessAnswer(status="alive")
READINESS = ReadinessAnswer(
    status="ready",
    conditions=[ConditionAnswer(name="block_fresh", is_met=True, detail="0.3 s old, at most 30 s")],
)
BATCH = BatchAnswer(
    items=[
        BatchItemAnswer(index=0, tx_id=TX_ID, status="pending", valid_until=TIME),
        BatchItemAnswer(
            index=1,
            tx_id=HASH,
            status="refused",
            code="expired",
            detail="The validity has passed: valid_until_ms=1, ledger_time_ms=2",
            retryable=False,
        ),
    ],
    accepted=1,
    refused=1,
)
BLOB = BlobAnswer(hash=HASH, bytes=2_048, held_until=TIME)

EVIDENCE = EvidencePage(
    items=[
        EvidenceAnswer(
            validator=KEY,
            organisation="auditor-2",
            height=4_700,
            view=2,
            kind="prepare",
            found_at=TIME,
            first=SignedBodyAnswer(
                body="9401cd125c02c420", signed="676f6e676a692f707265706172652f76310a", signature=SIGNATURE
            ),
            second=SignedBodyAnswer(
                body="9401cd125c02c421", signed="676f6e676a692f707265706172652f76310a", signature=SIGNATURE
            ),
        )
    ]
)
CHECKPOINT = (
    f"log.example.org/{HASH}\n4711\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\n"
    "\u2014 log.example.org/auditor-2 8mKcVg==\n"
)
