"""The report of a finished demo, read from the nodes' public answers."""

import asyncio
from collections.abc import Sequence

import httpx

from node.client import AsyncClient
from node.client_wire import JsonObject
from node.demo.answers import read_hex, read_int, read_list, read_money, read_object, read_text
from node.demo.recompute import CapFigures, ItemFigures, SettlementFigures
from node.demo.report import (
    STORY_CALLS,
    CreditFigures,
    MemberFigures,
    PayoutFigures,
    PoolFigures,
    Report,
    RootFigures,
)

AT_ONCE = 16
BOOKING_CALLS = ("deposit_credit", "deposit_match", "deposit_reverse", "cash_other")
"""Calls whose receipts say what came to whom."""
ROOTS_WAIT_S = 20.0
"""How long a node that lags may take to show the height that is compared."""


async def load_report(
    client: AsyncClient,
    urls: Sequence[str],
    *,
    plan: str,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Report:
    """Read everything that the table and the checks need; the actors must be at rest meanwhile."""
    answer = await client.get(f"/v1/plans/{plan}")
    pool = read_object(read_list(answer, "pools")[0])
    version = read_object(read_list(answer, "versions")[read_int(pool, "version")])
    members = await client.list("/v1/members", {"plan": plan})
    payouts = await client.list("/v1/payouts", {"plan": plan})
    settlements = [
        read_settlement(row) for row in await client.list("/v1/settlements", {"plan": plan, "proofs": "true"})
    ]
    claims: dict[str, int] = {}
    for row in await client.list("/v1/claims", {"plan": plan}):
        status = read_text(row, "status")
        claims[status] = claims.get(status, 0) + 1
    return Report(
        height=client.session.ledger_height,
        plan_status=read_text(answer, "status"),
        caps=read_caps(read_object(version.get("pool_terms"))),
        pool=read_pool(pool),
        members=tuple(
            MemberFigures(
                status=read_text(row, "status"),
                weight=read_int(row, "weight"),
                balance=read_money(row, "balance"),
            )
            for row in members
        ),
        payouts=tuple(
            PayoutFigures(
                kind=read_text(row, "kind"),
                state=read_text(row, "state"),
                amount=read_money(row, "amount"),
                is_claim="claim" in row,
            )
            for row in payouts
        ),
        claims=claims,
        settlements=tuple(sorted(settlements, key=lambda record: record.number)),
        credits=await add_credits(client),
        calls={call: await count_calls(client, call) for call in STORY_CALLS},
        roots=await load_roots(urls, client.session.ledger_height, transport),
    )


def read_pool(pool: JsonObject) -> PoolFigures:
    """Read a pool's books."""
    return PoolFigures(
        cash=read_money(pool, "cash"),
        member_money=read_money(pool, "member_money"),
        plain=read_money(pool, "plain"),
        carry=read_money(pool, "carry"),
        aid_payable=read_money(pool, "aid_payable"),
        fee_held=read_money(pool, "fee_held"),
        fee_payable=read_money(pool, "fee_payable"),
        outgoing=read_money(pool, "outgoing"),
        unmatched=read_money(pool, "unmatched"),
        collected=read_money(pool, "collected"),
        spent=read_money(pool, "spent"),
        settlements=read_int(pool, "settlements"),
    )


def read_caps(terms: JsonObject) -> CapFigures:
    """Read the caps of a pool."""

    def read_cap(name: str) -> int | None:
        return None if terms.get(name) is None else read_money(terms, name)

    return CapFigures(
        per_case=read_cap("cap_per_case"),
        per_period=read_cap("cap_per_period"),
        per_year=read_cap("cap_per_year"),
    )


def read_settlement(row: JsonObject) -> SettlementFigures:
    """Read one settlement with its items."""
    return SettlementFigures(
        number=read_int(row, "settlement"),
        day=read_text(row, "day"),
        members=read_int(row, "members"),
        units=read_int(row, "units"),
        units_full=read_int(row, "units_full"),
        units_part=read_int(row, "units_part"),
        part_paid=read_money(row, "part_paid"),
        per=read_money(row, "per"),
        per_max=read_money(row, "per_max"),
        index_before=read_money(row, "index_before"),
        year_index=read_money(row, "year_index"),
        cost=read_money(row, "cost"),
        collected=read_money(row, "collected"),
        carry_before=read_money(row, "carry_before"),
        carry_after=read_money(row, "carry_after"),
        cases=read_int(row, "cases"),
        items=tuple(
            ItemFigures(
                kind=read_text(item, "kind"),
                asked=read_money(item, "asked"),
                fee_bp=read_int(item, "fee_bp"),
                granted=read_money(item, "granted"),
                fee=read_money(item, "fee"),
                rest_carried=read_money(item, "rest_carried"),
                rest_ended=read_money(item, "rest_ended"),
                is_carried=item.get("is_carried") is True,
            )
            for item in (read_object(value) for value in read_list(row, "items"))
        ),
        tree_root=read_hex(row, "tree_root"),
        proofs=tuple(bytes.fromhex(str(proof)) for proof in read_list(row, "proofs")),
    )


async def count_calls(client: AsyncClient, call: str) -> int:
    """Return how many transactions of one call succeeded."""
    rows = await client.list("/v1/transactions", {"call": call})
    return sum(read_text(row, "code") == "success" for row in rows)


async def add_credits(client: AsyncClient) -> CreditFigures:
    """Add up what the receipts of all bookings say: one by one, as anybody can."""
    rows = [row for call in BOOKING_CALLS for row in await client.list("/v1/transactions", {"call": call})]
    gate = asyncio.Semaphore(AT_ONCE)

    async def load_events(tx_id: bytes) -> list[JsonObject]:
        async with gate:
            answer = await client.get(f"/v1/transactions/{tx_id.hex()}")
        return [read_object(event) for event in read_list(answer, "events")]

    credited = taken = arrears = reinstated = matched = recalled = from_members = interest = 0
    for events in await asyncio.gather(*(load_events(read_hex(row, "tx_id")) for row in rows)):
        for event in events:
            if event.get("event") == "deposit_credited":
                credited += read_money(event, "amount")
                taken += read_money(event, "taken")
            elif event.get("event") == "member_reinstated":
                arrears += read_money(event, "arrears")
                reinstated += 1
            elif event.get("event") == "deposit_matched":
                matched += read_money(event, "taken")
            elif event.get("event") == "deposit_reversed":
                recalled += read_money(event, "taken")
                from_members += read_money(event, "taken") if event.get("member") is not None else 0
            elif event.get("event") == "cash_booked":
                interest += read_money(event, "taken")
    return CreditFigures(
        credited=credited,
        taken=taken,
        arrears=arrears,
        reinstated=reinstated,
        matched=matched,
        recalled=recalled,
        recalled_from_members=from_members,
        interest=interest,
    )


async def load_roots(
    urls: Sequence[str], height: int, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[RootFigures, ...]:
    """Ask every node alone for the same block."""

    async def load_root(url: str) -> RootFigures:
        async with AsyncClient(url, transport=transport) as client:
            async with asyncio.timeout(ROOTS_WAIT_S):
                block = await client.get(f"/v1/blocks/{height}", {"min_height": height})
            header = read_object(block.get("header"))
            return RootFigures(
                node=url,
                block_hash=read_text(block, "hash"),
                state_root=read_text(header, "state_root"),
                log_root=read_text(header, "log_root"),
            )

    return tuple(await asyncio.gather(*(load_root(url) for url in urls)))
