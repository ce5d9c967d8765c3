"""Every call that protocol version 1 knows: what a signed transaction may ask for (contract 5).

The calls of an area live in its file; here are only the unions, in which a call is listed once it is carried out.
"""

from chain.contract.claim_calls import (
    AppealFile,
    AppealRule,
    AssessorAccept,
    AssessorDecline,
    BallotCommit,
    BallotReveal,
    CertificateAttach,
    ClaimCard,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ClaimPayee,
    ClaimWithdraw,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.governance_calls import OrgKeyRevoke, ProposalOpen, ProposalVote, Rejoin, ValidatorReady
from chain.contract.member_calls import (
    AccountChange,
    AccountVerify,
    DeathReport,
    DeathRevoke,
    ErasureReceipt,
    ErasureRequest,
    GhostAuditReport,
    GuardianHandOver,
    IndexEpochOpen,
    IndexIssue,
    IndexReissue,
    MemberAcceptRules,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
    MemberWeight,
    MemberWithdraw,
    VoidAnswer,
    VoidDecide,
    VoidOpen,
)
from chain.contract.money_calls import (
    BalanceConfirm,
    CashOther,
    DepositCredit,
    DepositMatch,
    DepositReverse,
    FeeWithdraw,
    InstructionAck,
    InstructionUnclaimed,
    SingleRelease,
    StatementObject,
    StatementPost,
    StatementResolve,
)
from chain.contract.plan_calls import (
    BatchSign,
    Pause,
    Resume,
    RulesPublish,
    WindDown,
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
    | MemberAcceptRules
)
"""Calls on memberships."""

MemberKeyCall = (
    AccountChange
    | MemberRekeyRequest
    | MemberRekeyVeto
    | MemberRekeyRecover
    | GuardianHandOver
    | DeathReport
    | DeathRevoke
)
"""Calls on members' accounts, keys, guardians and deaths."""

PersonCall = (
    VoidOpen
    | VoidAnswer
    | VoidDecide
    | ErasureRequest
    | ErasureReceipt
    | IndexEpochOpen
    | IndexReissue
    | GhostAuditReport
)
"""Calls on persons beyond the membership."""

MoneyCall = (
    DepositCredit
    | InstructionAck
    | StatementPost
    | DepositMatch
    | DepositReverse
    | CashOther
    | InstructionUnclaimed
    | SingleRelease
    | FeeWithdraw
    | StatementResolve
    | StatementObject
    | BalanceConfirm
)
"""Calls on money."""

ClaimCall = ClaimFile | AssessorAccept | ReportCommit | ReportReveal | CertificateAttach | ClaimDecide | ClaimConfirm
"""Calls on claims."""

ReviewCall = ClaimWithdraw | ClaimPayee | AssessorDecline | ClaimCard | ObjectionFile | ObjectionRule | ReauditReport
"""Calls around claims: taking back, notice card, objections, re-audit."""

AppealCall = AppealFile | BallotCommit | BallotReveal | AppealRule
"""Calls on appeals."""

PlanCall = BatchSign | RulesPublish | Pause | Resume | WindDown
"""Calls on a plan as a whole."""

GovernanceCall = ProposalOpen | ProposalVote | OrgKeyRevoke | ValidatorReady | Rejoin
"""Calls of the government."""

Call = (
    MemberCall
    | MemberKeyCall
    | PersonCall
    | MoneyCall
    | ClaimCall
    | ReviewCall
    | AppealCall
    | PlanCall
    | GovernanceCall
)
"""Every call."""
