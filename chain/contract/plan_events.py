"""Events of rule versions, of moves between pools, of stops and of the end of a plan."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _PlanEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of this file."""


# --- versions ---


class RulesDisclosed(_PlanEvent, frozen=True, tag="rules_disclosed"):
    """A version of the rules was published; it takes new members once its days of disclosure are over."""

    plan: str
    version: Number
    pool: Number
    rules_hash: bytes
    text_hash: bytes
    due_day: Number
    """It becomes active at 0:00 of this day; days in which the plan is stopped move it."""


class RulesActivated(_PlanEvent, frozen=True, tag="rules_activated"):
    """A version takes new members; its pool terms hold for its pool."""

    plan: str
    version: Number
    pool: Number
    day: Number


class RulesStopped(_PlanEvent, frozen=True, tag="rules_stopped"):
    """A disclosed version will not become active: by vote, or because it no longer fits its pool."""

    plan: str
    version: Number
    code: Number | None
    """Catalogue number of the misfit; null: by vote."""


class RulesSuperseded(_PlanEvent, frozen=True, tag="rules_superseded"):
    """Whoever pinned a version has a newer one from this day on: it is at least as good, clause by clause."""

    plan: str
    version: Number
    successor: Number
    day: Number


class PoolOpened(_PlanEvent, frozen=True, tag="pool_opened"):
    """A version opened a pool of its own."""

    plan: str
    pool: Number
    version: Number
    account: str
    day: Number


# --- members ---


class RulesAccepted(_PlanEvent, frozen=True, tag="rules_accepted"):
    """A member pinned another version of his pool."""

    member: bytes
    version: Number
    day: Number
    """First day on which it holds."""


class PoolMoveAsked(_PlanEvent, frozen=True, tag="pool_move_asked"):
    """A member is to change pool; in the window the exit waits."""

    member: bytes
    from_pool: Number
    pool: Number
    version: Number


class PoolLeft(_PlanEvent, frozen=True, tag="pool_left"):
    """A member left one pool for another: the bank moves the money between their accounts."""

    member: bytes
    pool: Number
    """Pool that was left."""
    amount: Number
    """What is transferred."""
    covered_to: Number
    """The cover holds until the end of this day while the money is on its way; 0: there was none."""


class PoolEntered(_PlanEvent, frozen=True, tag="pool_entered"):
    """The money of a member who changes pool has arrived."""

    member: bytes
    pool: Number
    version: Number


class PoolMoveDropped(_PlanEvent, frozen=True, tag="pool_move_dropped"):
    """A change of pool came to nothing: it lost its ground in the window, or the bank could not transfer."""

    member: bytes
    pool: Number
    """Pool in which the member stays."""


# --- stops ---


class PlanPaused(_PlanEvent, frozen=True, tag="plan_paused"):
    """An organisation stopped the plan, or governance did by vote."""

    plan: str
    organisation: str
    """"vote" where governance did."""
    reason_hash: bytes
    until_day: Number
    """It goes on at 0:00 of this day at the latest."""


class PlanResumed(_PlanEvent, frozen=True, tag="plan_resumed"):
    """A pause was ended early."""

    plan: str
    until_day: Number
    """It goes on at 0:00 of this day."""


# --- the end ---


class WindDownBegun(_PlanEvent, frozen=True, tag="wind_down_begun"):
    """A plan began to end."""

    plan: str
    by: str
    end_cause: Number
    """See wind_tables.END_CAUSE_NAMES."""
    day: Number


class PoolClosed(_PlanEvent, frozen=True, tag="pool_closed"):
    """A pool charges no more and begins to pay everybody out."""

    plan: str
    pool: Number
    day: Number


class PayingOutBegun(_PlanEvent, frozen=True, tag="paying_out_begun"):
    """What each gets is fixed: the balance, and for each unit of an active member a share of the carry."""

    plan: str
    pool: Number
    units: Number
    carry: Number
    share: Number
    """q."""


class ClaimSetAside(_PlanEvent, frozen=True, tag="claim_set_aside"):
    """A closed pool keeps money for a claim that is still open."""

    claim: bytes
    amount: Number


class ClaimAsideReleased(_PlanEvent, frozen=True, tag="claim_aside_released"):
    """Money that was kept for a claim is free again: it lost, or got less."""

    claim: bytes
    amount: Number


class PoolPaidOut(_PlanEvent, frozen=True, tag="pool_paid_out"):
    """The last member of a closed pool was paid out."""

    plan: str
    pool: Number
    day: Number


PlanEvent = (
    RulesDisclosed
    | RulesActivated
    | RulesStopped
    | RulesSuperseded
    | PoolOpened
    | RulesAccepted
    | PoolMoveAsked
    | PoolLeft
    | PoolEntered
    | PoolMoveDropped
    | PlanPaused
    | PlanResumed
    | WindDownBegun
    | PoolClosed
    | PayingOutBegun
    | ClaimSetAside
    | ClaimAsideReleased
    | PoolPaidOut
)
"""Every event of rule versions, stops and the end of a plan."""
