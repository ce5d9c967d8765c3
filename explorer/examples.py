"""One example for each answer of the OpenAPI document, made of the very records that are sent."""

from explorer.answers_chain import (
    BlockAnswer,
    BlockPage,
    BlockSummary,
    CertificateAnswer,
    ClockAnswer,
    ConditionAnswer,
    ConsensusAnswer,
    HeaderAnswer,
    LimitsAnswer,
    LivenessAnswer,
    LogAnswer,
    MetaAnswer,
    ReadinessAnswer,
    ReceiptAnswer,
    TimerAnswer,
    TransactionAnswer,
    TransactionPage,
    TransactionSummary,
    ValidatorAnswer,
    ValidatorConditionAnswer,
    ValidatorsAnswer,
    VoteAnswer,
)
from explorer.answers_plan import (
    BenefitAnswer,
    ClaimAnswer,
    ClaimPage,
    ClaimSummary,
    CountAnswer,
    FirmAnswer,
    IntervalAnswer,
    MemberAnswer,
    MemberPage,
    MemberSummary,
    PayoutAnswer,
    PayoutPage,
    PlanAnswer,
    PlanPage,
    PlanSummary,
    PoolAnswer,
    PoolTermsAnswer,
    SettledItemAnswer,
    SettlementAnswer,
    SettlementPage,
    VersionAnswer,
)
from explorer.answers_submit import BatchAnswer, BatchItemAnswer, BlobAnswer
from explorer.pagination import Page
from explorer.represent import build_money

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
        )
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
POOL = PoolAnswer(
    pool=0,
    account="custody-1",
    version=0,
    share_index=build_money(345),
    settlements=1,
    is_window=False,
    period=1,
    count=CountAnswer(members=1_200, members_paying=1_180, units_paying=1_180, money=build_money(11_800_000)),
    cash=build_money(12_000_000),
    member_money=build_money(11_800_000),
    plain=build_money(0),
    carry=build_money(172_500),
    aid_payable=build_money(0),
    fee_held=build_money(0),
    fee_payable=build_money(27_500),
    outgoing=build_money(0),
    unmatched=build_money(0),
    collected=build_money(407_100),
    spent=build_money(234_600),
    statement_closed_to="2027-03-13",
    is_statement_matched=True,
)
PLANS = PlanPage(
    items=[
        PlanSummary(
            plan="mutual",
            name="Critical illness",
            status="active",
            since="2027-01-29",
            pools=1,
            versions=1,
            members_applied=1_200,
            claims_filed=3,
        )
    ],
    page=PAGE,
)
PLAN = PlanAnswer(
    plan="mutual",
    name="Critical illness",
    currency="CNY",
    status="active",
    since="2027-01-29",
    stopped_days=0,
    day="2027-03-14",
    members_applied=1_200,
    claims_filed=3,
    versions=[
        VersionAnswer(
            version=0,
            active_from="2027-01-29",
            rules_hash=HASH,
            pool_terms=PoolTermsAnswer(
                utc_offset_minutes=480,
                notice_days_of_month=[7, 21],
                charge_days_of_month=[14, 28],
                notice_full_days_min=3,
                fee_bp=800,
                cap_per_case=build_money(10),
                cap_per_period=None,
                cap_per_year=build_money(18_800),
                deposit_min=build_money(1_000),
                deposit_max=build_money(20_000),
                grace_periods=2,
                members_min=500,
                launch_days=180,
                residue_to="members",
            ),
            waiting_days=90,
            claim_window_days=180,
            age_min_days=30,
            age_limit_years=60,
            benefits=[
                BenefitAnswer(row=0, age_from_years=0, age_to_years=39, grade="severe", amount=build_money(30_000_000))
            ],
        )
    ],
    pools=[POOL],
)
MEMBERS = MemberPage(
    items=[
        MemberSummary(
            member=MEMBER,
            plan="mutual",
            pool=0,
            status="covered",
            weight=1,
            balance=build_money(9_655),
            since="2027-01-30",
        )
    ],
    page=PAGE,
)
MEMBER_ANSWER = MemberAnswer(
    member=MEMBER,
    plan="mutual",
    pool=0,
    status="covered",
    written_status="sharing",
    weight=1,
    version=0,
    deposit_code=17,
    key=KEY,
    since="2027-01-30",
    balance=build_money(9_655),
    shares_paid=build_money(345),
    arrears=build_money(0),
    aid_received=build_money(0),
    is_sharing=True,
    is_suspended=False,
    is_lapsed=False,
    is_waiting=False,
    is_covered=True,
    suspended_since=None,
    cover_from="2027-04-30",
    accident_cover_from="2027-01-31",
    past_cover=[IntervalAnswer(from_day="2026-01-01", to_day="2026-06-28")],
    leaf_index=10_000,
)
CLAIMS = ClaimPage(
    items=[
        ClaimSummary(
            claim=CLAIM,
            number=3,
            plan="mutual",
            pool=0,
            status="confirmed",
            filed="2027-06-02",
            amount=build_money(10_000_000),
            granted=build_money(0),
            paid=build_money(0),
            period=11,
        )
    ],
    page=PAGE,
)
CLAIM_ANSWER = ClaimAnswer(
    claim=CLAIM,
    number=3,
    plan="mutual",
    pool=0,
    status="confirmed",
    filed="2027-06-02",
    filed_height=3_107,
    version=0,
    firms=[
        FirmAnswer(
            organisation="assessor-b",
            drawn="2027-06-03",
            is_accepted=True,
            is_committed=True,
            is_revealed=True,
            finding="fulfilled",
            row=0,
            established_day="2027-05-28",
            clauses=["3.1"],
            report_root=HASH,
        )
    ],
    certificate_source="hospital",
    certificate_hash=HASH,
    decided_by="platform",
    clauses=["3.1"],
    row=0,
    due=None,
    asked="platform",
    period=11,
    amount=build_money(10_000_000),
    granted=build_money(0),
    paid=build_money(0),
    is_flagged=False,
    withheld=["member", "cause", "diagnosed_day", "evidence_root", "payee_kind", "asked_row"],
)
SETTLEMENTS = SettlementPage(
    items=[
        SettlementAnswer(
            plan="mutual",
            pool=0,
            settlement=0,
            day="2027-02-14",
            height=1_020,
            units_at_notice=1_180,
            members_at_notice=1_180,
            members=1_180,
            units=1_180,
            units_full=1_180,
            units_part=0,
            part_paid=build_money(0),
            per=build_money(345),
            per_max=build_money(18_800),
            index_before=build_money(0),
            cost=build_money(406_800),
            collected=build_money(407_100),
            carry_before=build_money(0),
            carry_after=build_money(300),
            year_index=build_money(0),
            cases=1,
            is_unfundable=False,
            items=[
                SettledItemAnswer(
                    claim=CLAIM,
                    kind="aid",
                    asked=build_money(376_667),
                    granted=build_money(376_667),
                    fee_bp=800,
                    fee=build_money(30_133),
                    rest_carried=build_money(0),
                    rest_ended=build_money(0),
                    is_carried=False,
                )
            ],
            tree_root=HASH,
        )
    ],
    page=PAGE,
)
PAYOUTS = PayoutPage(
    items=[
        PayoutAnswer(
            instruction=HASH,
            kind="refund",
            state="settled",
            plan="mutual",
            pool=0,
            period=4,
            amount=build_money(9_655),
            created="2027-03-14",
            attempt=1,
            booked="2027-03-15",
            reason=0,
            member=MEMBER,
        )
    ],
    page=PAGE,
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
