"""What pages say of calls and days: JSON that the interface takes, deadlines that are those of the contract."""

import json
import re

import pytest

from chain.contract import (
    account,
    admission,
    appeal_panel,
    balance_confirm,
    claim_objection,
    claim_reaudit,
    claim_recheck,
    claim_status,
    custody,
    deposit,
    erasure,
    freeze,
    ghost_audit,
    guardian,
    halves,
    index_epoch,
    jury,
    membership,
    payout,
    plan_stops,
    pool_move,
    proposal_policy,
    rekey,
    resolution,
    rules_version,
    statement,
    unclaimed,
    void,
    wind_down,
)
from chain.contract.governance_calls import StopPlan
from explorer.parse_call import parse_call
from tests.doc_pages import find_section, read, read_rows

STOP_VOTE_DAYS = proposal_policy.get_policy(
    StopPlan(plan="care"), concerned_role=None, is_own=False, is_relief=False
).vote_days
DEADLINES = (
    (membership.APPLICATION_DAYS,),
    (admission.ADMISSION_DAYS,),
    (halves.HALF_DAYS,),
    (deposit.RETURN_DAYS,),
    (account.CHANGE_DAYS,),
    (rekey.VETO_DAYS,),
    (guardian.HAND_OVER_DAYS,),
    (account.ESTATE_DAYS,),
    (),
    (claim_status.ACCEPT_DAYS,),
    (claim_status.COMMIT_DAYS,),
    (claim_status.REVEAL_DAYS,),
    (),
    claim_status.DECISION_DAYS,
    (claim_status.APPEAL_DAYS,),
    (jury.COMMIT_DAYS, jury.REVEAL_DAYS),
    (appeal_panel.PANEL_DAYS,),
    (claim_objection.RULING_DAYS,),
    (claim_recheck.RECHECK_REPORT_DAYS, claim_recheck.RECHECK_DAYS),
    (),
    (payout.SILENCE_DAYS,),
    (custody.ACK_DAYS,),
    (statement.STATEMENT_OVERDUE_DAYS,),
    (resolution.OBJECTION_DAYS,),
    (balance_confirm.CONFIRM_DAYS,),
    (freeze.VOTE_DAYS, freeze.END_DAYS),
    (unclaimed.UNCLAIMED_DAYS,),
    (claim_reaudit.REAUDIT_DAYS, claim_reaudit.REAUDIT_DAYS),
    (void.HEARING_DAYS, void.DECISION_DAYS, void.DECISION_DAYS, void.APPEAL_DAYS),
    (erasure.RECEIPT_DAYS,),
    (ghost_audit.REPORT_DAYS,),
    (index_epoch.REISSUE_DAYS,),
    (plan_stops.PAUSE_DAYS_MAX,),
    (rules_version.DISCLOSURE_DAYS,),
    (pool_move.MOVE_DAYS,),
    (proposal_policy.VOTE_DAYS, STOP_VOTE_DAYS),
    (wind_down.RUN_OFF_DAYS, wind_down.END_DAYS),
)
"""Days of the rows of the table of deadlines, in its order; rows without a number of days are empty."""


@pytest.mark.parametrize("title", ["Every deadline, and what silence does", "所有期限，以及沉默的后果"])
def test_deadlines_of_the_contract_page_are_those_of_the_contract(title: str) -> None:
    rows = read_rows(find_section("docs/contract.md", title))
    shown = [tuple(int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", row[2])) for row in rows]
    assert shown == list(DEADLINES)


def test_json_of_the_operations_page_is_taken_as_a_call() -> None:
    text = read("docs/operations.md")
    found = re.findall(r"^ *```json\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    found += re.findall(r"tx send '(\{.*?\})'", text)
    assert len(found) >= 5
    for call in found:
        parse_call(json.loads(re.sub(r"<[^>]*>", "ab" * 32, call)))
