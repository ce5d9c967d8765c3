"""A small plan in memory for the tests of claims: organisations, one pool, members, days and proposers.

Everything runs on the real tables, deadlines, draws and beacon; only what other files test (settlement,
custody) is left out, and the pool's tree, which claims never read.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from chain.codec import Codec
from chain.contract import beacon, claim_draw, claim_due, claim_notice, due
from chain.contract.calls import ReviewCall
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_decision import apply_claim_decide
from chain.contract.claim_draw import apply_assessor_accept
from chain.contract.claim_filing import apply_claim_file
from chain.contract.claim_notice import apply_claim_confirm
from chain.contract.claim_report import (
    apply_certificate_attach,
    apply_report_commit,
    apply_report_reveal,
    hash_report,
)
from chain.contract.claim_rules import apply_review_call
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import BEACON, CLAIM, ClaimRecord, DrawnFirm
from chain.contract.context import DAY_MS, Context, compute_day_start_ms
from chain.contract.events import Event
from chain.contract.settlement_tables import PERIOD, PERIOD_NOTICE, PERIOD_OPEN, PeriodRecord
from chain.contract.tables import (
    MEMBER,
    MEMBER_SHARING,
    ORGANISATION,
    PLAN,
    PLAN_ACTIVE,
    POOL,
    ROSTER,
    SIGNER,
    VERSION,
    MemberRecord,
    OrganisationRecord,
    PlanRecord,
    PoolRecord,
    RosterRecord,
    SignerRecord,
    VersionRecord,
)
from chain.contract.terms import hash_terms, load_terms
from chain.contract.version_tables import count_pinned
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.state import Overlay, PoolKey, PoolTree
from chain.types import ZERO_HASH, ChainId, Hash, Height, Millis, PublicKey, TxId
from chain.validators import Validator

R = TypeVar("R", bound=msgspec.Struct)

PLAN_NAME = "care"
OFFSET_MINUTES = 480
START_DAY = 20_000
"""Day on which the members of a new world entered; they are covered from START_DAY + 90 on."""
FIRST_DAY = START_DAY + 120
"""Today in a new world."""
VALIDATORS = 4
FAULTS_MAX = 1
CHAIN_LINKS = 400

ROLES = ("platform", "custodian", "auditor", "assessor", "hospital")
ORGANISATIONS = (
    ("platform", 0, "g-platform"),
    ("bank", 1, "g-bank"),
    ("audit-one", 2, "g-audit-one"),
    ("audit-two", 2, "g-audit-two"),
    ("firm-a", 3, "g-a"),
    ("firm-b", 3, "g-b"),
    ("firm-c", 3, "g-c"),
    ("firm-d", 3, "g-d"),
    ("clinic", 4, "g-clinic"),
)
TERMS = """
name = "care"
currency = "CNY"
utc_offset_minutes = 480
waiting_days = 90
claim_window_days = 180
notice_days_of_month = [7, 21]
charge_days_of_month = [14, 28]
notice_full_days_min = 3
fee_bp = 800
waiting_members_share = true
age_min_days = 30
age_limit_years = 60
deposit_min_fen = 1_000
deposit_max_fen = 20_000
grace_periods = 2
unpaid = "carry"
carry_periods_max = 2
members_min = 2
launch_days = 365
jury_size = 11
residue_to = "charity"
[[benefit]]
age_from_years = 0
age_to_years = 39
severe_fen = 300_000
mild_fen = 50_000
[[benefit]]
age_from_years = 40
age_to_years = 59
severe_fen = 100_000
mild_fen = 40_000
"""
ROW_SEVERE, ROW_MILD = 0, 1


def name_hash(*parts: str | int) -> Hash:
    """Return a 32-byte value named by its parts."""
    return Hash(hashlib.sha256("/".join(str(part) for part in parts).encode()).digest())


def build_record(record_type: type[R], **fields: object) -> R:
    """Build a record with these fields; every other one is 0, empty, false or null, as its type allows."""
    values: list[object] = []
    for field in msgspec.structs.fields(record_type):
        if field.name in fields:
            values.append(fields[field.name])
            continue
        for empty in (0, None, ZERO_HASH, (), False, (0, 0), 1, "none", 10):
            try:
                values.append(msgspec.convert(empty, field.type))
            except msgspec.ValidationError:
                continue
            break
    return record_type(*values)


def list_pending(state: Overlay) -> tuple[object, object]:
    """Return what a block has changed so far: its records, and the leaves that are not in a tree yet."""
    return state.get_changes(), state.get_leaf_changes()


class EmptyBase:
    """A committed state that holds nothing: all records live in the overlay."""

    def read(self, key: bytes, codec: Codec[R]) -> R | None:
        return None

    def open_pool_tree(self, pool: PoolKey) -> PoolTree:
        raise NotImplementedError(f"claims never read the tree of {pool}")


class ClaimWorld:
    """One plan with members, as far as claims see it."""

    def __init__(
        self,
        organisations: Sequence[tuple[str, int, str]] = ORGANISATIONS,
        terms_text: str = TERMS,
        faults_max: int = FAULTS_MAX,
    ) -> None:
        self.state = Overlay(EmptyBase())
        self.today = FIRST_DAY
        self.height = 100
        self.faults_max = faults_max
        self.events: list[Event] = []
        self._transactions = 0
        self._links = [_build_links(index) for index in range(VALIDATORS)]
        self._put_organisations(organisations)
        self._put_plan(terms_text)
        validators = [_build_validator(index, links[0]) for index, links in enumerate(self._links)]
        self.state.put(BEACON, beacon.build_beacon(ChainId(name_hash("chain")), validators))

    # --- setting up ---

    def _put_organisations(self, organisations: Sequence[tuple[str, int, str]]) -> None:
        for role in range(5):
            names = tuple(name for name, its_role, _ in organisations if its_role == role)
            self.state.put(ROSTER, RosterRecord(names=names), role)
            for order, name in enumerate(names):
                group = next(group for its_name, _, group in organisations if its_name == name)
                record = OrganisationRecord(
                    role=role,
                    order=order,
                    group=group,
                    key=name_hash("key", name),
                    recovery_key=ZERO_HASH,
                    left_day=0,
                )
                self.state.put(ORGANISATION, record, name)
                signer = SignerRecord(organisation=name, role=role, order=order)
                self.state.put(SIGNER, signer, name_hash("key", name))

    def _put_plan(self, terms_text: str) -> None:
        terms = load_terms(terms_text)
        version = VersionRecord(terms=terms, terms_hash=hash_terms(terms), active_day=START_DAY)
        self.state.put(VERSION, version, PLAN_NAME, 0)
        plan = build_record(
            PlanRecord,
            status=PLAN_ACTIVE,
            since_day=START_DAY,
            pools=1,
            versions=1,
            day=self.today,
            utc_offset_minutes=OFFSET_MINUTES,
        )
        self.state.put(PLAN, plan, PLAN_NAME)
        pool = build_record(PoolRecord, account="custody", start_day=START_DAY)
        self.state.put(POOL, pool, PLAN_NAME, 0)
        self.put_period(0, PERIOD_OPEN, ())

    def put_period(self, period: int, status: int, claims: tuple[bytes, ...], confirmer: str | None = None) -> None:
        """Write a period as far as claims read it."""
        record = build_record(
            PeriodRecord, status=status, notice_day=self.today, claims=claims, confirmer=confirmer, cosigner=None
        )
        self.state.put(PERIOD, record, PLAN_NAME, 0, period)

    def add_member(self, name: str, **changes: object) -> bytes:
        """Add a sharing member who entered on START_DAY with 50 yuan; return the pseudonym."""
        member_id = name_hash("member", name)
        fields: dict[str, object] = {
            "plan": PLAN_NAME,
            "status": MEMBER_SHARING,
            "key": name_hash("key", name),
            "weight": 1,
            "is_leaf": True,
            "x": 5_000,
            "entry_day": START_DAY,
            "cover_from": START_DAY + 90,
            "accident_from": START_DAY + 1,
            "is_admitted": True,
            "person_index": name_hash("person", name),
            "account_token": name_hash("account", name),
        }
        member = build_record(MemberRecord, **{**fields, **changes})
        self.state.put(MEMBER, member, member_id)
        count_pinned(self.state, PLAN_NAME, member.version, 1)
        pool = self.state.require(POOL, PLAN_NAME, 0)
        money = 5_000 if member.is_leaf else 0
        pool = replace(pool, cash=pool.cash + money, tree_money=pool.tree_money + money, entered=pool.entered + 1)
        self.state.put(POOL, pool, PLAN_NAME, 0)
        return member_id

    def change_plan(self, **changes: object) -> None:
        """Change fields of the plan's record."""
        self.state.put(PLAN, replace(self.state.require(PLAN, PLAN_NAME), **changes), PLAN_NAME)

    def change_pool(self, **changes: object) -> None:
        """Change fields of the pool's record."""
        self.state.put(POOL, replace(self.state.require(POOL, PLAN_NAME, 0), **changes), PLAN_NAME, 0)

    def change_member(self, member_id: bytes, **changes: object) -> None:
        """Change fields of a member's record."""
        self.state.put(MEMBER, replace(self.state.require(MEMBER, member_id), **changes), member_id)

    def change_claim(self, claim_id: bytes, **changes: object) -> None:
        """Change fields of a claim's record."""
        self.state.put(CLAIM, replace(self.state.require(CLAIM, claim_id), **changes), claim_id)

    # --- reading ---

    def get_claim(self, claim_id: bytes) -> ClaimRecord:
        """Return a claim."""
        return self.state.require(CLAIM, claim_id)

    def get_member(self, member_id: bytes) -> MemberRecord:
        """Return a member."""
        return self.state.require(MEMBER, member_id)

    def build_seat(self, organisation: str, *, is_replaced: bool = False) -> DrawnFirm:
        """Build a seat as the draw gives it."""
        seat = build_record(DrawnFirm, organisation=organisation, drawn_day=self.today, commit_hash=None)
        return replace(seat, is_replaced=is_replaced)

    def list_firms(self, claim_id: bytes) -> list[str]:
        """Return the firms that hold a seat on a claim."""
        return [firm.organisation for firm in get_active(self.get_claim(claim_id))]

    # --- time ---

    def build_context(self, signer: str | None = None) -> Context:
        """Build the surroundings of a call at ten in the morning, or of an automatic event at 0:00."""
        self._transactions += 1
        start_ms = compute_day_start_ms(self.today, OFFSET_MINUTES)
        return Context(
            height=Height(self.height),
            timestamp_ms=Millis(start_ms + (10 * DAY_MS // 24 if signer is not None else 0)),
            parameters=Parameters(),
            tx_id=TxId(name_hash("tx", self._transactions)),
            signer=PublicKey(ZERO_HASH if signer is None else name_hash("key", signer)),
            faults_max=self.faults_max,
            parent_hash=ZERO_HASH,
            events=self.events,
        )

    def reveal(self, *proposers: int) -> None:
        """Let validators propose one block each."""
        for index in proposers:
            self.height += 1
            links = self._links[index]
            links.pop(0)
            beacon.apply_reveal(self.state, index, links[0], Height(self.height))

    def advance(self, days: int) -> None:
        """Let days begin, each with deadlines and draws at 0:00 and with two proposers during the day."""
        for _ in range(days):
            self.today += 1
            self.height += 1
            self.change_plan(day=self.today)
            context = self.build_context()

            def run_one(kind: int, due_id: bytes, day: int, context: Context = context) -> None:
                claim_due.on_due(self.state, context, PLAN_NAME, kind, due_id, day)

            due.run_due(
                self.state,
                PLAN_NAME,
                day=self.today,
                kinds=((due.CLAIM_KIND_MIN, due.CLAIM_KIND_MIN + 29),),
                position=0,
                budget=1_000,
                run_one=run_one,
            )
            claim_draw.run_draws(self.state, context, PLAN_NAME, self.today)
            self.reveal(self.today % VALIDATORS, (self.today + 1) % VALIDATORS)

    def advance_to(self, day: int) -> None:
        """Let days begin until `day` is today."""
        self.advance(day - self.today)

    def open_notice(self, period: int) -> tuple[bytes, ...]:
        """Open the notice of a period, today at 0:00."""
        claims = claim_notice.open_notice(self.state, self.build_context(), PLAN_NAME, 0, period, self.today)
        self.put_period(period, PERIOD_NOTICE, claims)
        return claims

    # --- calls ---

    def file(self, member: str, /, **changes: object) -> bytes:
        """File a claim for yesterday's severe illness, signed by the member; return its id."""
        fields: dict[str, object] = {
            "member": name_hash("member", member),
            "cause": 0,
            "diagnosed_day": self.today - 1,
            "evidence_root": name_hash("evidence"),
            "bill_tags": (),
            "asked_row": ROW_SEVERE,
            "payee_kind": 0,
            "heir": None,
        }
        signer = str(changes.pop("signer", member))
        call = msgspec.convert(
            ["claim_file", *({**fields, **changes}[name] for name in ClaimFile.__struct_fields__)], ClaimFile
        )
        context = self.build_context(signer)
        apply_claim_file(self.state, context, call)
        return context.tx_id

    def accept(self, claim_id: bytes, firm: str) -> None:
        """Let a firm accept."""
        apply_assessor_accept(self.state, self.build_context(firm), AssessorAccept(claim=claim_id))

    def build_reveal(self, claim_id: bytes, firm: str, **changes: object) -> ReportReveal:
        """Build a firm's report: fulfilled, severe, established on the stated day."""
        claim = self.get_claim(claim_id)
        report = ReportReveal(
            claim=claim_id,
            finding=1,
            established_day=claim.diagnosed_day,
            row=claim.asked_row,
            clauses=("4.1",),
            report_root=name_hash("report", firm),
            salt=name_hash("salt", firm),
        )
        return replace(report, **changes)

    def commit(self, claim_id: bytes, firm: str, **changes: object) -> None:
        """Let a firm seal a report."""
        sealed = hash_report(firm, self.build_reveal(claim_id, firm, **changes))
        call = ReportCommit(claim=claim_id, hash=sealed)
        apply_report_commit(self.state, self.build_context(firm), call)

    def open_report(self, claim_id: bytes, firm: str, **changes: object) -> None:
        """Let a firm reveal its report."""
        call = self.build_reveal(claim_id, firm, **changes)
        apply_report_reveal(self.state, self.build_context(firm), call)

    def certify(
        self,
        claim_id: bytes,
        signer: str = "clinic",
        source: int = 0,
        document: str = "record",
        bills: tuple[bytes, ...] | None = None,
    ) -> None:
        """Attach a certificate, over the claim's bills unless others are named."""
        bill_root = compute_bill_root(self.get_claim(claim_id).bill_tags if bills is None else bills)
        call = CertificateAttach(claim=claim_id, source=source, document_hash=name_hash(document), bill_root=bill_root)
        apply_certificate_attach(self.state, self.build_context(signer), call)

    def decide(
        self,
        claim_id: bytes,
        signer: str = "platform",
        *,
        is_approved: bool = True,
        row: int = ROW_SEVERE,
        clauses: tuple[str, ...] = ("4.1",),
    ) -> None:
        """Decide a claim."""
        call = ClaimDecide(claim=claim_id, is_approved=is_approved, row=row, clauses=clauses)
        apply_claim_decide(self.state, self.build_context(signer), call)

    def confirm(self, signer: str, *claim_ids: bytes) -> tuple[int, ...]:
        """Confirm claims; return the outcome of each."""
        return apply_claim_confirm(self.state, self.build_context(signer), ClaimConfirm(items=claim_ids))

    def act(self, signer: str, call: ReviewCall) -> TxId:
        """Make any other call on a claim, whole or not at all; return the transaction's id."""
        context = self.build_context(signer)
        mark, count = self.state.savepoint(), len(self.events)
        try:
            apply_review_call(self.state, context, call)
        except Refusal:
            self.state.rollback(mark)
            del self.events[count:]
            raise
        return context.tx_id

    # --- parts of the path ---

    def assign(self, member: str = "ann", /, **changes: object) -> tuple[bytes, str, str]:
        """File a claim and let the draw assign two firms; return the claim and the firms."""
        claim_id = self.file(member, **changes)
        self.reveal(0, 1)
        self.advance(1)
        first, second = self.list_firms(claim_id)
        return claim_id, first, second

    def seal(self, claim_id: bytes, *firms: str, **changes: object) -> None:
        """Let firms accept and seal the same report."""
        for firm in firms:
            self.accept(claim_id, firm)
        for firm in firms:
            self.commit(claim_id, firm, **changes)

    def investigate(self, member: str = "ann", /, **changes: object) -> bytes:
        """Bring a claim to INVESTIGATED with two reports that say the same, and a certificate."""
        filed = {name: changes.pop(name) for name in list(changes) if name in ClaimFile.__struct_fields__}
        if "row" in changes:
            filed["asked_row"] = changes.pop("row")
        claim_id, first, second = self.assign(member, **filed)
        self.seal(claim_id, first, second, **changes)
        for firm in (first, second):
            self.open_report(claim_id, firm, **changes)
        self.certify(claim_id)
        return claim_id

    def approve(self, member: str = "ann", /, **changes: object) -> bytes:
        """Bring a claim to APPROVED by the platform."""
        claim_id = self.investigate(member, **changes)
        self.decide(claim_id, row=self.get_claim(claim_id).asked_row)
        return claim_id

    def refused(self, act: Callable[[], object]) -> str:
        """Return the code with which an act is refused; it must leave the state as it was."""
        changes, count = list_pending(self.state), len(self.events)
        try:
            act()
        except Refusal as refusal:
            assert list_pending(self.state) == changes, "a refused call changed the state"
            assert len(self.events) == count, "a refused call left an event"
            return refusal.code
        raise AssertionError("the act was not refused")


def _build_links(index: int) -> list[bytes]:
    link: bytes = name_hash("seed", index)
    links = [link]
    for _ in range(CHAIN_LINKS):
        link = hashlib.sha256(link).digest()
        links.append(link)
    return links[::-1]


def _build_validator(index: int, anchor: bytes) -> Validator:
    return Validator(
        organisation=ORGANISATIONS[index][0],
        key=name_hash("validator", index),
        checkpoint_key=name_hash("checkpoint", index),
        tls_pin=name_hash("pin", index),
        tls_certificate=b"",
        address="127.0.0.1:1",
        reveal_anchor=anchor,
    )
