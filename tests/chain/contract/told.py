"""What each call that succeeds has to tell: whoever reads receipts alone misses nothing (contract 6).

`World.call` checks it after every call of every test, so an event that is no longer emitted is missed somewhere.
"""

from collections.abc import Sequence

from chain.contract.calls import Call
from chain.contract.events import Event
from chain.contract.half_events import HalfSigned
from chain.contract.rules import Outcome
from chain.contract.tables import MEMBER, MEMBER_MOVING
from chain.state import Overlay

TOLD = {
    "AccountChange": ("AccountChangeAsked",),
    "AccountVerify": ("AccountVerified",),
    "AppealFile": ("AppealFiled",),
    "AppealRule": ("AppealRuled",),
    "AssessorAccept": ("FirmAccepted",),
    "AssessorDecline": ("FirmDeclined",),
    "BalanceConfirm": ("BalanceConfirmed",),
    "BallotCommit": ("BallotCommitted",),
    "BallotReveal": ("BallotRevealed",),
    "BatchSign": ("BatchSigned",),
    "CashOther": ("CashBooked",),
    "CertificateAttach": ("CertificateAttached", "VisitAttested"),
    "ClaimCard": ("ClaimCardWritten",),
    "ClaimConfirm": ("ClaimConfirmed",),
    "ClaimDecide": ("ClaimDecided",),
    "ClaimFile": ("ClaimFiled",),
    "ClaimPayee": ("ClaimPayeeChanged",),
    "ClaimWithdraw": ("ClaimStatusChanged",),
    "DeathReport": ("DeathReported",),
    "DeathRevoke": ("DeathRevoked",),
    "DepositCredit": ("DepositCredited",),
    "DepositMatch": ("DepositMatched",),
    "DepositReverse": ("DepositReversed",),
    "ErasureReceipt": ("ErasureReceived",),
    "ErasureRequest": ("ErasureRequested",),
    "FeeWithdraw": ("InstructionCreated",),
    "GhostAuditReport": ("GhostsReported",),
    "GuardianHandOver": ("MemberHandedOver",),
    "IndexEpochOpen": ("IndexEpochOpened",),
    "IndexIssue": ("IndexIssued",),
    "InstructionAck": ("InstructionAcknowledged",),
    "InstructionUnclaimed": ("AidUnclaimed",),
    "MemberAcceptRules": ("RulesAccepted", "PoolMoveAsked"),
    "MemberAdmit": ("MemberStatusChanged",),
    "MemberAmend": ("MemberAmended",),
    "MemberApply": ("MemberApplied",),
    "MemberLeave": ("MemberExited", "MemberStatusChanged"),
    "MemberRefuse": ("MemberExited",),
    "MemberRekeyRecover": ("MemberRekeyed",),
    "MemberRekeyRequest": ("MemberRekeyRequested",),
    "MemberRekeyVeto": ("MemberRekeyStopped",),
    "MemberWeight": ("MemberWeightChanged",),
    "MemberWithdraw": ("MemberWithdrew",),
    "ObjectionFile": ("ObjectionFiled",),
    "ObjectionRule": ("ObjectionEnded",),
    "OrgKeyRevoke": ("OrganisationKeyChanged",),
    "Pause": ("PlanPaused",),
    "ProposalOpen": ("ProposalOpened",),
    "ProposalVote": ("ProposalVoted",),
    "ReauditReport": ("ReauditEnded",),
    "Rejoin": ("ValidatorRejoined",),
    "ReportCommit": ("ReportCommitted",),
    "ReportReveal": ("ReportRevealed",),
    "Resume": ("PlanResumed",),
    "RulesPublish": ("RulesDisclosed",),
    "SingleRelease": ("InstructionReleased",),
    "StatementObject": ("ResolutionObjected",),
    "StatementPost": ("StatementPosted",),
    "StatementResolve": ("ResolutionSigned",),
    "ValidatorReady": ("ValidatorWasReady",),
    "VoidAnswer": ("VoidAnswered",),
    "VoidDecide": ("VoidDecided",),
    "VoidOpen": ("VoidOpened",),
    "WindDown": ("WindDownBegun",),
}
"""By call: the events of which each success leaves one; a batch leaves one for each item."""
UNTOLD = ("IndexReissue",)
"""The first half of a new index is not told; the second is, as `PersonReissued`."""


def check_told(state: Overlay, call: Call, outcome: Outcome, events: Sequence[Event]) -> None:
    """Check that a call which succeeded told so, and that a refused one told nothing."""
    name = type(call).__name__
    if outcome.number != 0:
        assert not events, f"{name} was refused and told {events}"
        return
    halves = [event for event in events if isinstance(event, HalfSigned)]
    if any(event.missing for event in halves) or name in UNTOLD:
        return
    if name == "MemberLeave" and state.require(MEMBER, getattr(call, "member", b"")).status == MEMBER_MOVING:
        return  # A wish beside the move: told when the money has arrived.
    wanted = outcome.items.count(0) or 1
    told = sum(type(event).__name__ in TOLD[name] for event in events)
    assert told >= wanted, f"{name} succeeded {wanted} times and told {[type(event).__name__ for event in events]}"
