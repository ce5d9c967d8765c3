"""Every call that protocol version 1 knows: what a signed transaction may ask for (contract 5).

The calls of an area live in its file; here are only the unions, in which a call is listed once it is carried out.
"""

from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ReportCommit,
    ReportReveal,
)
from chain.contract.member_calls import (
    AccountVerify,
    IndexIssue,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberWeight,
    MemberWithdraw,
)
from chain.contract.money_calls import (
    DepositCredit,
    InstructionAck,
    StatementPost,
)
from chain.contract.plan_calls import (
    BatchSign,
)

MemberCall = (
    MemberApply
    | AccountVerify
    | IndexIssue
    | MemberAdmit
    | MemberRefuse
    | MemberAmend
    | MemberLeave
    | MemberWithdraw
    | MemberWeight
)
"""Calls on memberships."""

MoneyCall = DepositCredit | InstructionAck | StatementPost
"""Calls on money."""

ClaimCall = ClaimFile | AssessorAccept | ReportCommit | ReportReveal | CertificateAttach | ClaimDecide | ClaimConfirm
"""Calls on claims."""

PlanCall = BatchSign
"""Calls on a plan as a whole."""

Call = MemberCall | MoneyCall | ClaimCall | PlanCall
"""Every call."""
