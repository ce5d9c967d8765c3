"""Deaths: the membership ends for the estate, open claims go on for the heirs (contract 5 *death_report*).

    --bank, an auditor, or an heir with an auditor--> DIED (in the window LEAVING, then DIED)
        balance          waits in `cash` until the bank has verified an account of the estate, then is refunded
        open claim       goes on; its payee is the estate, and aid waits for the account like a failed payment
        wrongly reported before that account is verified, his key and another institution put everything back

Nothing is paid on a report alone: only the bank's second word, with the papers of the heirs and no earlier than 14 days
after the report, moves money. So a wrong report can be put right until then, with the cover, the waiting days and the
money as they were.
"""

from msgspec.structs import replace

from chain.contract.account_retry import schedule_retry
from chain.contract.calendar import compute_year
from chain.contract.claim_claimant import PAYEE_ESTATE
from chain.contract.claim_review_tables import CLAIMANT, NO_CLAIMANT
from chain.contract.claim_status import save
from chain.contract.claim_tables import CLAIM
from chain.contract.context import DAY_MS, Context
from chain.contract.due import DUE_APPLICATION, add_due
from chain.contract.failed_payments import has_open_payment
from chain.contract.halves import HALF, Party, cosign, hash_call
from chain.contract.member_calls import DeathReport, DeathRevoke
from chain.contract.member_events import DeathReported, DeathRevoked
from chain.contract.member_key_tables import DEATH, HOLDER_ESTATE, DeathRecord
from chain.contract.membership import APPLICATION_DAYS, get_signing_keys
from chain.contract.persons import hold_person, is_gone, require_known_member, resolve_index
from chain.contract.settlement_tables import SHARE_STEP
from chain.contract.shares import PoolBook, open_book, save_book, write_member
from chain.contract.tables import (
    ACT_AGE_OUT,
    ACT_DIED,
    MEMBER,
    MEMBER_DIED,
    MEMBER_EXPIRED,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_MOVING,
    MEMBER_QUEUED,
    MEMBER_REFUSED,
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    ORGANISATION,
    PERSON,
    SIGNER,
    MemberRecord,
)
from chain.contract.version_tables import count_pinned
from chain.contract.wind_tables import is_pool_closed
from chain.contract.window import exit_member, set_waiting_end, start_entry
from chain.errors import InvariantViolation, Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN
from chain.state import Overlay

# --- reporting ---


def apply_death_report(state: Overlay, context: Context, call: DeathReport) -> tuple[int, ...]:
    """Report a death; bank and auditors alone, anybody else together with an auditor, who vouches for the heir.

    Refused: member_unknown; wrong_role for an organisation of another role; already; member_state for an application
    that came to nothing and is owed nothing.
    """
    member = require_known_member(state, call.member)
    if state.get(DEATH, call.member) is not None:
        raise Refusal("already")
    if member.status in (MEMBER_REFUSED, MEMBER_EXPIRED) and not has_open_payment(state, call.member, member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    signed = _sign_report(state, context, call, member)
    if signed is None:
        return ()
    organisation, heir_key = signed
    payee = _change_payee(state, member, PAYEE_ESTATE)
    record = DeathRecord(
        document_hash=call.document_hash,
        organisation=organisation,
        day=open_book(state, context, member.plan, member.pool).today,
        heir_key=heir_key,
        before=None if is_gone(member) else member,
        payee_before=payee,
    )
    state.put(DEATH, record, call.member)
    context.emit(DeathReported(member=call.member, organisation=organisation, document_hash=call.document_hash))
    if not is_gone(member):
        exit_member(state, context, call.member, ACT_DIED)
    return ()


def _sign_report(
    state: Overlay, context: Context, call: DeathReport, member: MemberRecord
) -> tuple[str, bytes | None] | None:
    """Return (organisation that reports or vouches, key of the heir) once the report is signed, else None."""
    signer = state.get(SIGNER, context.signer)
    if signer is not None and signer.role not in (ROLE_CUSTODIAN, ROLE_AUDITOR):
        raise Refusal("wrong_role", organisation=signer.organisation)
    half = state.get(HALF, member.plan, hash_call(call))
    heir_key = context.signer if half is None else half.parties[0].key
    if signer is not None and (half is None or signer.role == ROLE_CUSTODIAN):
        return signer.organisation, None
    parties = (Party(key=heir_key), Party(role=ROLE_AUDITOR))
    signed = cosign(state, context, plan=member.plan, call=call, parties=parties)
    return None if signed is None else (signed[1], heir_key)


# --- putting a wrong report right ---


def apply_death_revoke(state: Overlay, context: Context, call: DeathRevoke) -> tuple[int, ...]:
    """Put a wrong report right, once the member's key and an institution that saw the person have sent the same call.

    The institution is the bank, or an auditor where the bank reported: nobody confirms his own report. Where the pool
    pays everybody out by now, or the shares were given back meanwhile (an illness inside the waiting period), the
    membership ends as one that was left, and its balance is refunded. Refused:
    member_unknown; death_unknown; estate_verified once the bank has verified an account of the estate; window_open
    between notice and settlement; member_state while the end that was reported has not been carried out (his money is
    on its way to another pool); person_duplicate where the person has joined anew meanwhile; wrong_role, already
    (halves.py).
    """
    member = require_known_member(state, call.member)
    record = state.get(DEATH, call.member)
    if record is None:
        raise Refusal("death_unknown", member=call.member.hex())
    if member.holder_kind == HOLDER_ESTATE:
        raise Refusal("estate_verified", member=call.member.hex())
    book = open_book(state, context, member.plan, member.pool)
    if book.pool.is_window:
        raise Refusal("window_open")
    if member.status in (MEMBER_LEAVING, MEMBER_MOVING):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    is_restored = member.status == MEMBER_DIED and record.before is not None
    has_shares_back = (state.get(CLAIMANT, call.member) or NO_CLAIMANT).is_refunded
    if is_restored and not has_shares_back:
        _validate_person(state, call.member, member)
    key = get_signing_keys(state, call.member, member)[-1]
    parties = (Party(key=key), Party(role=_find_witness(state, record.organisation)))
    if cosign(state, context, plan=member.plan, call=call, parties=parties) is None:
        return ()
    state.delete(DEATH, call.member)
    _change_payee(state, member, record.payee_before)
    context.emit(DeathRevoked(member=call.member, amount=member.cash))
    if is_restored and record.before is not None:
        if has_shares_back or is_pool_closed(state, member.plan, member.pool):
            state.put(MEMBER, replace(member, status=MEMBER_LEFT), call.member)
        else:
            _restore(state, context, book, call.member, member, record.before)
    schedule_retry(state, context, call.member, state.require(MEMBER, call.member))
    return ()


def _find_witness(state: Overlay, reporter: str) -> int:
    """Return the role that may confirm that somebody lives: the other one than that which reported the death."""
    organisation = state.get(ORGANISATION, reporter)
    return ROLE_AUDITOR if organisation is not None and organisation.role == ROLE_CUSTODIAN else ROLE_CUSTODIAN


def _change_payee(state: Overlay, member: MemberRecord, payee_kind: int) -> int:
    """Let the open claim be paid to somebody else; return who it was before, 0 without a claim."""
    if member.claim is None:
        return 0
    claim = state.require(CLAIM, member.claim)
    save(state, member.claim, replace(claim, payee_kind=payee_kind))
    return claim.payee_kind


def _validate_person(state: Overlay, member_id: bytes, member: MemberRecord) -> None:
    """Raise `person_duplicate` where somebody else holds the person by now."""
    if member.person_index is None or not member.is_admitted:
        return
    index, _ = resolve_index(state, member.plan, member.person_index)
    person = state.get(PERSON, member.plan, index)
    if person is not None and (person.member != member_id or person.is_barred):
        raise Refusal("person_duplicate")


def _restore(
    state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord, before: MemberRecord
) -> None:
    """Let a membership stand as it was before its end; charges of the days between are not made up for.

    What a leaf owned is what it owns again, at the present index; one that was suspended is so still.
    """
    if member.person_index is not None and member.is_admitted:
        index, _ = resolve_index(state, member.plan, member.person_index)
        if state.get(PERSON, member.plan, index) is None:
            hold_person(state, member.plan, member.person_index, member_id)
    if member.guardian is not None:
        guardian = state.require(MEMBER, member.guardian)
        state.put(MEMBER, replace(guardian, children=guardian.children + 1), member.guardian)
    count_pinned(state, member.plan, member.version, 1)
    after = replace(member, status=before.status, since_day=before.since_day, past=before.past)
    if before.status in (MEMBER_QUEUED, MEMBER_MOVING):
        # Its place in the queue is gone with the window: it enters now, or when the plan goes on.
        after = replace(after, status=MEMBER_VERIFIED, paid_before=0)
        after = start_entry(state, context, book, member_id, before=member, after=after)
        if after.status == MEMBER_VERIFIED:
            # In a wind-down nobody enters: the money goes back like that of any application.
            _set_dates(state, context, book, member_id, after)
    elif before.is_leaf:
        write_member(state, book, member_id, member, _build_leaf(state, book, after, before, ended_on=member.since_day))
    else:
        write_member(state, book, member_id, member, replace(after, paid_before=before.paid_before))
        _set_dates(state, context, book, member_id, after)
    save_book(state, book)
    is_past_limit = member.is_admitted and compute_year(book.today) > member.last_cover_year
    if is_past_limit:
        exit_member(state, context, member_id, ACT_AGE_OUT)


def _build_leaf(
    state: Overlay, book: PoolBook, after: MemberRecord, before: MemberRecord, *, ended_on: int
) -> MemberRecord:
    """Return the member with a leaf again; `after` holds its money in `cash` and its shares in `paid_before`."""
    if before.status != MEMBER_SHARING:
        raise InvariantViolation(f"a leaf of somebody in status {before.status} is not restored")
    if before.x < _get_index_on(state, book, ended_on):
        rem = min(before.rem, after.cash)
        return replace(
            after,
            is_leaf=True,
            x=before.x,
            rem=rem,
            cash=after.cash - rem,
            entry_index=before.entry_index,
            paid_before=before.paid_before,
        )
    index = book.pool.share_index
    units, rem = divmod(after.cash, after.weight)
    return replace(after, is_leaf=True, x=index + units, rem=rem, cash=0, entry_index=index)


def _get_index_on(state: Overlay, book: PoolBook, day: int) -> int:
    """Return the share index at the end of a day: who is not beyond it by then was suspended."""
    for number in range(book.pool.settlements - 1, -1, -1):
        step = state.require(SHARE_STEP, book.plan, book.number, number)
        if step.day <= day:
            return step.share_index
    return 0


def _set_dates(state: Overlay, context: Context, book: PoolBook, member_id: bytes, member: MemberRecord) -> None:
    """Set again the dates that came up while the member counted as dead and did nothing then."""
    if member.status == MEMBER_WAITING:
        set_waiting_end(state, book, member_id, member)
    else:
        due_ms = context.timestamp_ms + APPLICATION_DAYS * DAY_MS
        add_due(state, book.plan, book.today + APPLICATION_DAYS, DUE_APPLICATION, due_ms, member_id)
