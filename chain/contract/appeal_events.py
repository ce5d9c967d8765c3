"""Events of appeals (contract 5 *appeal_file*, *ballot_commit*, *ballot_reveal*).

None names a juror: who judges whom is not public, and each juror finds his cases under his own pseudonym. None names a
member together with a claim (contract 6); the member stands only where a membership itself was voided.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _AppealEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of an appeal."""

    case: bytes
    """tx_id of the appeal_file."""
    claim: bytes | None
    """The claim, or null for a voided membership."""


class AppealFiled(_AppealEvent, frozen=True, tag="appeal_filed"):
    """A decision was appealed."""

    appeal_subject: Number
    """See appeal_tables.APPEAL_SUBJECT_NAMES."""
    is_waiting: bool
    """It waits for the end of another claim of the same member."""


class JuryDrawn(_AppealEvent, frozen=True, tag="jury_drawn"):
    """A jury was drawn by lot from the paying members."""

    round: Number
    jurors: Number
    eligible: Number
    """Paying members from whom it was drawn: those with X >= I."""
    rank_offset: Number
    """Leaves below the share index: number 0 of the draw is the leaf with this rank in the tree."""
    value: bytes
    """Beacon value that decided: with the tree anybody can draw again (jury.py)."""
    due_day: Number


class BallotCommitted(_AppealEvent, frozen=True, tag="ballot_committed"):
    """A juror sealed a vote."""


class BallotsOpened(_AppealEvent, frozen=True, tag="ballots_opened"):
    """The votes are opened from now on."""

    committed: Number
    due_day: Number


class BallotRevealed(_AppealEvent, frozen=True, tag="ballot_revealed"):
    """A juror opened a vote."""

    is_upheld: bool


class JuryFailed(_AppealEvent, frozen=True, tag="jury_failed"):
    """Too few jurors voted."""

    round: Number
    jurors: Number
    votes: Number


class PanelSeated(_AppealEvent, frozen=True, tag="panel_seated"):
    """An auditor and a firm decide in place of a jury."""

    organisations: tuple[str, ...]
    value: bytes
    """Beacon value that chose the firm."""
    due_day: Number


class AppealRuled(_AppealEvent, frozen=True, tag="appeal_ruled"):
    """One of the panel gave its vote."""

    organisation: str
    is_upheld: bool


class AppealEnded(_AppealEvent, frozen=True, tag="appeal_ended"):
    """An appeal is decided."""

    member: bytes | None
    """Whose membership was voided; null for a claim."""
    is_upheld: bool
    decider: Number
    """See appeal_tables.APPEAL_DECIDER_NAMES."""
    votes: Number
    upheld: Number


AppealEvent = (
    AppealFiled
    | JuryDrawn
    | BallotCommitted
    | BallotsOpened
    | BallotRevealed
    | JuryFailed
    | PanelSeated
    | AppealRuled
    | AppealEnded
)
"""Every event of an appeal."""
