"""Who speaks for a member in claims, and who is paid (contract 5: member, guardian, heir with an auditor).

While a member lives, his own key signs, or for a child the guardian's. After a death was reported the member's key
speaks no more: an heir's key does, together with an auditor, who has seen the papers. The call names the heir's key,
so that the auditor signs for exactly that person; each of the two sends the same call (halves.py). The guardian of a
child that died still speaks for it.
"""

from chain.contract.call_base import CallPart
from chain.contract.context import Context
from chain.contract.failed_payments import is_dead
from chain.contract.halves import Party, cosign
from chain.contract.membership import require_member
from chain.contract.tables import MEMBER, SIGNER, MemberRecord
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR
from chain.state import Overlay

PAYEE_SELF, PAYEE_GUARDIAN, PAYEE_ESTATE = range(3)


def require_claimant(state: Overlay, context: Context, member_id: bytes, heir: bytes | None) -> MemberRecord:
    """Return the member for whom a call on a claim is made, if its parties are the right ones.

    Raises `Refusal` member_unknown; not_owner for a stranger; heir_invalid where an heir is named for a living member,
    where none is named for a dead one, or where the heir's key is the dead member's or an organisation's.
    """
    member = state.get(MEMBER, member_id)
    if member is None or not is_dead(state, member_id, member) or _is_guardian(state, context, member):
        member = require_member(state, context, member_id)
        if heir is not None:
            raise Refusal("heir_invalid", reason="the member lives or has a guardian")
        return member
    if heir is None or heir == member.key or state.get(SIGNER, heir) is not None:
        raise Refusal("heir_invalid", reason="after a death an heir signs, together with an auditor")
    return member


def sign_claimant(state: Overlay, context: Context, call: CallPart, member: MemberRecord, heir: bytes | None) -> bool:
    """Add the signature of the context; return whether the call has all that it needs.

    Where it returns False the caller has done its checks and changes nothing more. Raises `Refusal` wrong_role, already
    (halves.py).
    """
    if heir is None:
        return True
    parties = (Party(key=heir), Party(role=ROLE_AUDITOR))
    return cosign(state, context, plan=member.plan, call=call, parties=parties) is not None


def validate_payee(state: Overlay, member_id: bytes, member: MemberRecord, payee_kind: int) -> None:
    """Raise `Refusal` value_out_of_range for a payee that the member does not have (failed_payments.find_payee)."""
    has_died = is_dead(state, member_id, member)
    has_payee = {
        PAYEE_SELF: not has_died,
        PAYEE_GUARDIAN: member.guardian is not None,
        PAYEE_ESTATE: has_died,
    }
    if not has_payee[payee_kind]:
        raise Refusal("value_out_of_range", field="payee_kind", payee_kind=payee_kind)


def _is_guardian(state: Overlay, context: Context, member: MemberRecord) -> bool:
    if member.guardian is None:
        return False
    guardian = state.require(MEMBER, member.guardian)
    return guardian.key == context.signer and not is_dead(state, member.guardian, guardian)
