"""Examples of the OpenAPI document about daily work, made of the very records that are sent."""

from explorer.answers_submit import PreparedAnswer, SimulatedAnswer
from explorer.answers_work import (
    CalendarAnswer,
    CalendarEntry,
    DepositAnswer,
    DepositPage,
    ReadyAnswer,
    ReadyPage,
    ReminderAnswer,
    ReminderPage,
    StatementAnswer,
    StatementPage,
    TaskAnswer,
    TaskPage,
)
from explorer.examples_chain import CLAIM, HASH, MEMBER, PAGE
from explorer.represent import build_money

DEPOSITS = DepositPage(
    items=[
        DepositAnswer(
            account="custody-1",
            booking_day="2027-03-01",
            ref_token=HASH,
            value_day="2027-03-01",
            amount=build_money(3_000),
            credited=build_money(3_000),
            unmatched=build_money(0),
            returned=build_money(0),
            state="credited",
            deposit_code=1_042,
            member=MEMBER,
        )
    ],
    page=PAGE,
)
STATEMENTS = StatementPage(
    items=[
        StatementAnswer(
            account="custody-1",
            statement=30,
            from_day="2027-03-01",
            to_day="2027-03-01",
            opening=build_money(11_997_000),
            closing=build_money(12_000_000),
            in_count=1,
            in_sum=build_money(3_000),
            out_count=0,
            out_sum=build_money(0),
            file_hash=HASH,
            is_matched=True,
            state="matched",
            expected_closing=build_money(12_000_000),
        )
    ],
    page=PAGE,
)
READY = ReadyPage(
    items=[
        ReadyAnswer(
            instruction=HASH,
            kind="aid",
            amount=build_money(500_000),
            fee=build_money(40_000),
            created="2027-03-14",
            due="2027-03-21",
            is_overdue=False,
            is_held=False,
            attempt=0,
            period=3,
            return_of=None,
            claim=CLAIM,
        )
    ],
    page=PAGE,
)
TASKS = TaskPage(
    items=[
        TaskAnswer(
            kind="claim_decide",
            roles=["platform"],
            organisations=[],
            due="2027-03-20",
            is_overdue=False,
            on_silence="the case goes up, last to the concurring reports",
            subject=CLAIM,
            claim=CLAIM,
        )
    ],
    page=PAGE,
)
CALENDAR = CalendarAnswer(
    plan="mutual",
    today="2027-03-01",
    entries=[
        CalendarEntry(day="2027-03-07", kind="notice", pool=0, period=3, is_fixed=False),
        CalendarEntry(day="2027-03-14", kind="charge", pool=0, period=3, is_fixed=False),
    ],
)
REMINDERS = ReminderPage(
    items=[
        ReminderAnswer(member=MEMBER, weight=1, left=build_money(120), balance=build_money(120), deposit_code=1_042)
    ],
    page=PAGE,
    last_charge=build_money(345),
)
PREPARED = PreparedAnswer(
    tx_id=HASH,
    signing_bytes="Z29uZ2ppL3RyYW5zYWN0aW9uL3YxCg==",
    signed_tx_prefix="kpYBxCA=",
    valid_until="2027-03-01T00:10:00.000Z",
    signer=HASH,
    call={"name": "member_leave", "member": MEMBER},
)
SIMULATED = SimulatedAnswer(outcome="failed", code="member_state", items=[], events=[], on_height=4_711)
