"""Who decides what, and how long it takes: the table of thresholds and delays (contract 5 *proposal_open*; ADR 0021).

Platform, custodian and auditors govern, one organisation one vote; assessors and hospitals do not, because they are
chosen by those whose claims they judge. The organisation concerned, and any other of its ownership group, has no vote.

    rule           who counts                   yes that are needed
    all others     platform, custodian, audits  all of them, at least 3
    all but one    platform, custodian, audits  all but one, at least 3
    operator       platform, custodian, audits  all but one, at least 2: the set has its own rules
    independents   custodian, audits            all of them, at least 3: the platform's vote is shown and counts nothing
    two others     platform, custodian, audits  2; only for what an organisation asks for itself
    two watchers   custodian, audits            2; only to stop something

    what is asked for                             rule          vote  delay (days)
    add_organisation    assessor, hospital        independents    30      7
    add_organisation    auditor                   all but one     30      7
    add_organisation    platform, custodian (*)   all others      30     30
    remove_organisation assessor, hospital        independents    30      7
    remove_organisation auditor                   all others      30      7
    remove_organisation asked for by itself       two others      30      7
    change_key                                    all others      30      1
    change_key          asked for by itself       two others      30      1
    add_validator       asked for by its operator operator        30      7
    remove_validator                              all others      30      1
    remove_validator    asked for by its operator two others      30      1
    renew_reveals       asked for by its operator two others      30      7
    set_parameter                                 all but one     30      7
    upgrade_protocol                              all but one     30     30
    upgrade_protocol    put a scheduled one off   all but one     30      1
    move_custody                                  independents    30      3
    end_plan                                      all but one     30      7
    stop_plan, resume_plan                        all but one      7      0
    publish_rules       stop a version            two watchers    30      0
    publish_rules       let it be                 all but one     30      0

(*) it takes the place of the present one, which is the organisation concerned.

With P, B, A1, A2 no two organisations can do anything together but stop a version of the rules; the platform needs two
others for everything, and its silence stops nothing for ever. Nor does that of any other: all but one decide without
it, and it can be replaced: a new auditor comes in without the silent one, which then goes by the vote of all others;
a new platform or custodian takes the old one's place by the vote of all others.
"""

from typing import Final

from msgspec import Struct

from chain.contract.governance_calls import (
    AddOrganisation,
    AddValidator,
    ChangeKey,
    EndPlan,
    MoveCustody,
    Payload,
    PublishRules,
    RemoveOrganisation,
    RemoveValidator,
    RenewReveals,
    ResumePlan,
    SetParameter,
    StopPlan,
    UpgradeProtocol,
)
from chain.genesis import ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM

GOVERNING_ROLES: Final = (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR)
WATCHING_ROLES: Final = (ROLE_CUSTODIAN, ROLE_AUDITOR)
VOTE_DAYS: Final = 30


class Rule(Struct, frozen=True):
    """Whose yes counts, and how many of them are needed."""

    roles: tuple[int, ...]
    """Roles whose votes count."""
    missing_max: int | None
    """How many of those who count may be missing; null: any number."""
    yes_min: int
    """Never fewer than these, however few may vote."""

    def compute_needed(self, counted: int) -> int:
        """Return how many yes are needed where so many organisations count."""
        return self.yes_min if self.missing_max is None else max(self.yes_min, counted - self.missing_max)


class Policy(Struct, frozen=True):
    """How one kind of proposal is decided."""

    rule: Rule
    delay_days: int
    """From acceptance to effect, for members to leave and organisations to act."""
    vote_days: int = VOTE_DAYS


ALL_OTHERS: Final = Rule(roles=GOVERNING_ROLES, missing_max=0, yes_min=3)
ALL_BUT_ONE: Final = Rule(roles=GOVERNING_ROLES, missing_max=1, yes_min=3)
OPERATOR: Final = Rule(roles=GOVERNING_ROLES, missing_max=1, yes_min=2)
INDEPENDENTS: Final = Rule(roles=WATCHING_ROLES, missing_max=0, yes_min=3)
TWO_OTHERS: Final = Rule(roles=GOVERNING_ROLES, missing_max=None, yes_min=2)
TWO_WATCHERS: Final = Rule(roles=WATCHING_ROLES, missing_max=None, yes_min=2)


def get_policy(payload: Payload, *, concerned_role: int | None, is_own: bool, is_relief: bool) -> Policy:
    """Return how a payload is decided.

    `concerned_role` is the role of the organisation that it is about; `is_own` tells whether that organisation opened
    it itself, `is_relief` whether it only puts off what was decided before.
    """
    match payload:
        case AddOrganisation(role=role):
            if role in (ROLE_PLATFORM, ROLE_CUSTODIAN):
                return Policy(ALL_OTHERS, delay_days=30)
            return Policy(ALL_BUT_ONE if role == ROLE_AUDITOR else INDEPENDENTS, delay_days=7)
        case RemoveOrganisation():
            if is_own:
                return Policy(TWO_OTHERS, delay_days=7)
            return Policy(ALL_OTHERS if concerned_role in GOVERNING_ROLES else INDEPENDENTS, delay_days=7)
        case AddValidator():
            return Policy(OPERATOR, delay_days=7)
        case ChangeKey() | RemoveValidator():
            return Policy(TWO_OTHERS if is_own else ALL_OTHERS, delay_days=1)
        case RenewReveals():
            return Policy(TWO_OTHERS, delay_days=7)
        case SetParameter() | EndPlan():
            return Policy(ALL_BUT_ONE, delay_days=7)
        case UpgradeProtocol():
            return Policy(ALL_BUT_ONE, delay_days=1 if is_relief else 30)
        case MoveCustody():
            return Policy(INDEPENDENTS, delay_days=3)
        case StopPlan() | ResumePlan():
            return Policy(ALL_BUT_ONE, delay_days=0, vote_days=7)
        case PublishRules(is_stopped=is_stopped):
            return Policy(TWO_WATCHERS if is_stopped else ALL_BUT_ONE, delay_days=0)
