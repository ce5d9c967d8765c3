"""Calls on a plan as a whole: batches, rule versions, stops and the end (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, CallPart, DayNumber, Name, Number, PoolNumber
from chain.contract.terms import PlanTerms
from chain.types import INT_MAX


class BatchSign(CallPart, frozen=True, tag="batch_sign"):
    """Platform and the period's co-signer: sign the payout batch that the contract computed."""

    plan: Name
    pool: Annotated[int, Meta(ge=0, le=65_535)]
    period: Annotated[int, Meta(ge=0, le=INT_MAX)]
    batch_root: Bytes32


class RulesPublish(CallPart, frozen=True, tag="rules_publish"):
    """Platform and auditor: disclose a version of the rules for 30 days; it then takes new members."""

    plan: Name
    version: Number
    """Its number: the next one of the plan."""
    pool: PoolNumber
    """Pool that it enters, or the next free number to open one."""
    rules: PlanTerms
    text_hash: Bytes32
    """SHA-256 of the full text as published."""
    account: Name | None
    """Custody account of a pool that it opens, which the bank names by signing too; null where the pool exists."""


class Pause(CallPart, frozen=True, tag="pause"):
    """Bank or an auditor: stop a plan for at most 7 days."""

    plan: Name
    reason_hash: Bytes32


class Resume(CallPart, frozen=True, tag="resume"):
    """Platform, auditor and bank: end a pause early, at the next 0:00."""

    plan: Name
    paused_day: DayNumber
    """Day on which the pause began: signatures for one pause never end another."""
    reason_hash: Bytes32


class WindDown(CallPart, frozen=True, tag="wind_down"):
    """Platform, auditor and bank: begin the end of a plan."""

    plan: Name
    reason_hash: Bytes32
