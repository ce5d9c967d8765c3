"""Routes for those who run a plan day by day: bank, platform, auditors (api.md)."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chain.contract.context import compute_day
from chain.contract.custody_tables import ACCOUNT, DEPOSIT, STATEMENT, DepositRecord
from chain.contract.money_tables import RELEASE
from chain.contract.release import is_held
from chain.contract.settlement_tables import SHARE_STEP
from chain.contract.tables import PLAN, POOL, PlanRecord, PoolRecord
from chain.state import KeyPart
from explorer.access import SCOPE_PAYMENTS
from explorer.answering import Answer, Answering
from explorer.answers_work import DepositPage, ReadyPage, ReminderPage, StatementPage, TaskPage
from explorer.pagination import read_window
from explorer.parameters import (
    CalendarQuery,
    DepositsQuery,
    ReadyQuery,
    RemindersQuery,
    StatementsQuery,
    TasksQuery,
)
from explorer.reader import ChainSnapshot, Record
from explorer.represent import build_money
from explorer.routes_plan import scan_table
from explorer.tasks import read_tasks
from explorer.views_chain import require_asked
from explorer.views_work import (
    build_calendar,
    build_deposit,
    build_ready,
    build_statement,
    get_deposit_state,
    parse_day,
    read_ready,
    read_reminders,
)


def build_work_router(answering: Answering) -> APIRouter:
    """Return the routes of daily work."""
    router = APIRouter(prefix="/v1", tags=["work"])

    @router.get("/deposits", operation_id="listDeposits", summary="Deposits of an account by booking day")
    async def list_deposits(request: Request, query: Annotated[DepositsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_deposits, answering, query))

    @router.get("/statements", operation_id="listStatements", summary="Statements of an account, newest first")
    async def list_statements(request: Request, query: Annotated[StatementsQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_statements, answering, query))

    @router.get("/instructions", operation_id="listInstructions", summary="What the bank is to pay, oldest first")
    async def list_instructions(request: Request, query: Annotated[ReadyQuery, Query()]) -> Response:
        is_scoped = SCOPE_PAYMENTS in answering.settings.access.get_scopes(request)
        return await answering.read_list(request, query, partial(_read_ready, answering, query, is_scoped))

    @router.get("/tasks", operation_id="listTasks", summary="What waits for whom, by due day")
    async def list_tasks(request: Request, query: Annotated[TasksQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_tasks, answering, query))

    @router.get("/calendar", operation_id="getCalendar", summary="The days ahead of a plan")
    async def get_calendar(request: Request, query: Annotated[CalendarQuery, Query()]) -> Response:
        def read(snapshot: ChainSnapshot) -> Answer:
            record = require_asked(snapshot, PLAN, {"plan": query.plan})
            return Answer(body=build_calendar(snapshot, query.plan, record, periods=query.periods))

        return await answering.read(request, query, read)

    @router.get("/reminders", operation_id="listReminders", summary="Members whose money runs out, poorest first")
    async def list_reminders(request: Request, query: Annotated[RemindersQuery, Query()]) -> Response:
        return await answering.read_list(request, query, partial(_read_reminders, answering, query))

    return router


def _require_pool(snapshot: ChainSnapshot, plan: str, pool: int) -> tuple[PlanRecord, PoolRecord]:
    record = require_asked(snapshot, PLAN, {"plan": plan})
    return record, require_asked(snapshot, POOL, {"plan": plan, "pool": pool})


def _read_deposits(answering: Answering, query: DepositsQuery, snapshot: ChainSnapshot) -> Answer:
    require_asked(snapshot, ACCOUNT, {"account": query.account})
    parts: tuple[KeyPart, ...] = (query.account,)
    if query.booking_day is not None:
        parts = (query.account, parse_day(query.booking_day))

    def is_accepted(row: tuple[Record, DepositRecord]) -> bool:
        deposit = row[1]
        return (query.state is None or get_deposit_state(deposit) == query.state) and (
            query.member is None or (deposit.member is not None and deposit.member.hex() == query.member)
        )

    window = read_window(
        answering.cursors,
        query.build_list_query("listDeposits"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, DEPOSIT, *parts, arity=3),
        is_accepted=is_accepted,
    )
    items = [build_deposit(record, deposit) for record, deposit in window.rows]
    return Answer(body=DepositPage(items=items, page=window.page), page=window.page)


def _read_statements(answering: Answering, query: StatementsQuery, snapshot: ChainSnapshot) -> Answer:
    require_asked(snapshot, ACCOUNT, {"account": query.account})
    window = read_window(
        answering.cursors,
        query.build_list_query("listStatements"),
        height=snapshot.head.height,
        read_rows=scan_table(snapshot, STATEMENT, query.account, arity=2, is_descending=True),
    )
    items = [build_statement(record, statement) for record, statement in window.rows]
    return Answer(body=StatementPage(items=items, page=window.page), page=window.page)


def _read_ready(answering: Answering, query: ReadyQuery, is_scoped: bool, snapshot: ChainSnapshot) -> Answer:
    plan, _ = _require_pool(snapshot, query.plan, query.pool)
    today = compute_day(snapshot.head.timestamp_ms, plan.utc_offset_minutes)
    window = read_window(
        answering.cursors,
        query.build_list_query("listInstructions"),
        height=snapshot.head.height,
        read_rows=read_ready(snapshot, query.plan, query.pool),
    )
    items = [
        build_ready(
            instruction,
            record,
            today=today,
            is_held=is_held(plan, snapshot.read(RELEASE, instruction)),
            is_scoped=is_scoped,
        )
        for instruction, record in window.rows
    ]
    return Answer(body=ReadyPage(items=items, page=window.page), page=window.page)


def _read_tasks(answering: Answering, query: TasksQuery, snapshot: ChainSnapshot) -> Answer:
    require_asked(snapshot, PLAN, {"plan": query.plan})
    window = read_window(
        answering.cursors,
        query.build_list_query("listTasks"),
        height=snapshot.head.height,
        read_rows=read_tasks(snapshot, query.plan),
        is_accepted=lambda task: query.role is None or query.role in task.roles,
    )
    return Answer(body=TaskPage(items=window.rows, page=window.page), page=window.page)


def _read_reminders(answering: Answering, query: RemindersQuery, snapshot: ChainSnapshot) -> Answer:
    _, pool = _require_pool(snapshot, query.plan, query.pool)
    window = read_window(
        answering.cursors,
        query.build_list_query("listReminders"),
        height=snapshot.head.height,
        read_rows=read_reminders(snapshot, query.plan, query.pool, below=query.below),
    )
    last = snapshot.read(SHARE_STEP, query.plan, query.pool, max(0, pool.settlements - 1))
    charge = build_money(0 if last is None else last.per)
    return Answer(body=ReminderPage(items=window.rows, page=window.page, last_charge=charge), page=window.page)
