"""The demo's chain as its nodes show it: everything by REST, nothing else.

Reads go to one node at a time, so that what one look shows was never unsaid by another node; where it
fails, the next is asked. Transactions go to all nodes in turn."""

import asyncio
from collections.abc import Mapping, Sequence

import httpx
from msgspec import Struct

from chain.contract.claim_calls import BallotCommit, BallotCommitItem
from chain.crypto import SigningKey
from chain.transaction import Transaction
from node.client import AsyncClient
from node.client_errors import ClientError
from node.client_wire import JsonObject, TransactionResult
from node.demo.answers import (
    read_claim,
    read_day,
    read_hex,
    read_int,
    read_list,
    read_money,
    read_object,
    read_text,
)
from node.demo.orders import Outcome
from node.demo.stage import Parcel
from node.demo.world import BatchView, ClaimView, InstructionView, MemberView, PlanView, TaskView, World

AT_ONCE = 16
"""Requests to one node at one time."""
EXPIRY_MARGIN_MS = 2_000
"""Block time beyond the validity after which a transaction that was not seen is asked for by its id."""
SEARCH_PER_CALL = 300
JUROR_ITEMS = (["success"], ["conflict"], ["already"])
UNSEALED = bytes(range(32))
"""Hash of no ballot: it is tried and never sent."""
WORKING = frozenset({"eligible", "assigned", "investigated", "recheck"})
"""Claims whose firms and certificate matter."""
LISTED = frozenset({"noticed", "rejected"})
"""Claims of which the list says enough."""
ITEM_CALLS = frozenset(
    {
        "account_verify",
        "index_issue",
        "member_admit",
        "member_refuse",
        "deposit_credit",
        "instruction_ack",
        "claim_confirm",
    }
)
DETAIL_CALLS = ITEM_CALLS | {"member_apply"}
"""Calls of whose receipt the actors need more than the outcome."""


class _Waiting(Struct):
    """A transaction that is not final yet."""

    transaction: Transaction
    blob: bytes | None
    is_sent: bool = False
    """Whether a node took it."""
    attempts: int = 0


class _Search(Struct):
    """Members that look whether they are jurors of one case."""

    waiting: list[tuple[bytes, SigningKey]]
    """(pseudonym, key) of those that have not asked."""
    found: list[bytes]


class RestBackend:
    """The backend over real nodes."""

    def __init__(self, urls: Sequence[str], *, plan: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Take the base URLs of the nodes; `transport` stands for the network where there is none."""
        self.urls = tuple(urls)
        self.trouble = ""
        """Why the last transactions could not be handed over, empty where they could."""
        self.reader = AsyncClient(self.urls, transport=transport)
        self._writers = [
            AsyncClient([*self.urls[i:], *self.urls[:i]], transport=transport) for i in range(len(self.urls))
        ]
        self._plan = plan
        self._waiting: dict[bytes, _Waiting] = {}
        self._refused: list[Outcome] = []
        self._seen_height = 0
        self._turn = 0
        self._batches: dict[int, BatchView] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._searches: dict[bytes, _Search] = {}

    async def close(self) -> None:
        """Close all connections."""
        for client in (self.reader, *self._writers):
            await client.close()

    # --- looking ---

    async def look(self, world: World, *, with_members: bool) -> None:
        """Write what the chain shows now into the world."""
        plan = await self.reader.get(f"/v1/plans/{self._plan}")
        pool = read_object(read_list(plan, "pools")[0])
        version = read_int(pool, "version")
        world.plan = PlanView(
            status=read_text(plan, "status"),
            period=read_int(pool, "settlements"),
            share_index=read_money(pool, "share_index"),
            is_window=pool.get("is_window") is True,
            version=version,
            rules_hash=read_hex(read_object(read_list(plan, "versions")[version]), "rules_hash"),
            fee_payable=read_money(pool, "fee_payable"),
        )
        world.height = self.reader.session.ledger_height
        world.time_ms = self.reader.session.ledger_time_ms
        world.claims = await self._look_at_claims()
        rows = await self.reader.list("/v1/payouts", {"state": "ready"})
        world.instructions = tuple(
            InstructionView(
                instruction=read_hex(row, "instruction"),
                kind=read_text(row, "kind"),
                amount=read_money(row, "amount"),
                created_day=read_day(row, "created"),
                claim=read_hex(row, "claim") if "claim" in row else None,
                attempt=read_int(row, "attempt"),
            )
            for row in rows
        )
        if world.asked_roles:
            world.tasks = await self._look_at_tasks(world.asked_roles)
        if len(self._batches) < world.plan.period:
            await self._look_at_batches()
        world.batches = tuple(
            self._batches[period] for period in sorted(self._batches) if any(self._batches[period].root)
        )
        if with_members:
            world.members = {
                read_hex(row, "member"): MemberView(
                    member=read_hex(row, "member"),
                    status=read_text(row, "status"),
                    weight=read_int(row, "weight"),
                    balance=read_money(row, "balance"),
                )
                for row in await self.reader.list("/v1/members", {"plan": self._plan})
            }
            world.members_height = world.height

    async def _look_at_claims(self) -> tuple[ClaimView, ...]:
        rows = await self.reader.list("/v1/claims", {"plan": self._plan})
        working = [read_text(row, "claim") for row in rows if read_text(row, "status") in WORKING]
        details = await asyncio.gather(*(self._get(f"/v1/claims/{claim}") for claim in working))
        listed = [
            ClaimView(
                claim=read_hex(row, "claim"),
                status=read_text(row, "status"),
                filed_day=read_day(row, "filed"),
                firms=(),
                has_certificate=True,
            )
            for row in rows
            if read_text(row, "status") in LISTED
        ]
        return (*(read_claim(detail) for detail in details), *listed)

    async def _look_at_tasks(self, roles: tuple[str, ...]) -> tuple[TaskView, ...]:
        tasks: dict[tuple[str, bytes], TaskView] = {}
        for role in roles:
            for row in await self.reader.list("/v1/tasks", {"plan": self._plan, "role": role}):
                kind, subject = read_text(row, "kind"), read_hex(row, "subject")
                names = tuple(str(name) for name in read_list(row, "organisations"))
                tasks[kind, subject] = TaskView(kind=kind, subject=subject, organisations=names)
        return tuple(tasks.values())

    async def find_jurors(self, case: bytes, keys: Mapping[bytes, SigningKey]) -> tuple[tuple[bytes, ...], bool]:
        """Return the jurors of a case who know of it, and whether all do; some ask with each call: a tick stays short.

        Who judges whom is not public, so each member tries for himself, with his signature, whether he could vote.
        """
        search = self._searches.setdefault(case, _Search(waiting=list(keys.items()), found=[]))
        asking = search.waiting[:SEARCH_PER_CALL]
        found = await asyncio.gather(
            *(self._is_juror(case, place, member, key) for place, (member, key) in enumerate(asking))
        )
        search.waiting = search.waiting[SEARCH_PER_CALL:]
        search.found += [member for (member, _), is_drawn in zip(asking, found, strict=True) if is_drawn]
        is_over = not search.waiting
        if is_over:
            del self._searches[case]
        return tuple(sorted(search.found)), is_over

    async def _is_juror(self, case: bytes, place: int, member: bytes, key: SigningKey) -> bool:
        ballot = BallotCommit(member=member, items=(BallotCommitItem(case=case, hash=UNSEALED),))
        async with self._gate:
            answer = await self._writers[place % len(self._writers)].simulate(ballot, key)
        # Whoever has sealed already is told of a conflict; only a stranger is told that he is none.
        return answer.get("items") in JUROR_ITEMS

    async def _get(self, path: str) -> JsonObject:
        async with self._gate:
            return await self.reader.get(path)

    async def _look_at_batches(self) -> None:
        """Read the batch roots of new settlements from the events of their blocks."""
        for row in await self.reader.list("/v1/settlements", {"plan": self._plan}):
            period = read_int(row, "settlement")
            if period in self._batches:
                continue
            block = await self._get(f"/v1/blocks/{read_int(row, 'height')}")
            for event in read_list(block, "events"):
                fields = read_object(event)
                if fields.get("event") == "period_settled" and read_int(fields, "period") == period:
                    self._batches[period] = BatchView(period=period, root=read_hex(fields, "batch_root"))

    # --- sending ---

    async def send(self, parcels: list[Parcel]) -> None:
        """Hand transactions over to the nodes in turn, blobs first; what no node takes now is tried again
        later."""
        for parcel in parcels:
            self._waiting[parcel.transaction.tx_id] = _Waiting(transaction=parcel.transaction, blob=parcel.blob)
        unsent = [waiting for waiting in self._waiting.values() if not waiting.is_sent]
        if not unsent:
            return
        shares = [unsent[start :: len(self._writers)] for start in range(len(self._writers))]
        self._turn += 1
        await asyncio.gather(
            *(
                self._send_share(self._writers[(place + self._turn) % len(self._writers)], share)
                for place, share in enumerate(shares)
                if share
            )
        )

    async def _send_share(self, writer: AsyncClient, share: list[_Waiting]) -> None:
        try:
            await asyncio.gather(
                *(self._put_blob(writer, waiting.blob) for waiting in share if waiting.blob is not None)
            )
            results = await writer.submit_many([waiting.transaction for waiting in share])
        except ClientError as error:
            # Not one node took them: the same bytes go out again with the next tick.
            self.trouble = str(error)
            return
        self.trouble = ""
        for waiting, result in zip(share, results, strict=True):
            self._note_sending(waiting, result)

    async def _put_blob(self, writer: AsyncClient, blob: bytes) -> None:
        async with self._gate:
            await writer.put_blob(blob)

    def _note_sending(self, waiting: _Waiting, result: TransactionResult) -> None:
        waiting.attempts += 1
        if result.status != "refused":
            waiting.is_sent = True
        elif not result.retryable:
            tx_id = waiting.transaction.tx_id
            self._waiting.pop(tx_id, None)
            self._refused.append(Outcome(code=result.code or "internal", tx_id=tx_id))

    # --- collecting ---

    async def collect(self) -> list[Outcome]:
        """Return what became final since the last call, from the list of the newest transactions.

        Raises `ClientError` where no node answers; nothing is lost then, the next call begins at the same height.
        """
        if self._waiting:
            found, newest = await self._list_new()
            needed = [tx_id for tx_id, _, call in found if call in DETAIL_CALLS]
            answers = await asyncio.gather(*(self._get(f"/v1/transactions/{tx_id.hex()}") for tx_id in needed))
            final = [Outcome(code=code, tx_id=tx_id) for tx_id, code, call in found if call not in DETAIL_CALLS]
            final += [read_outcome(tx_id, answer) for tx_id, answer in zip(needed, answers, strict=True)]
            final += await self._find_expired({outcome.tx_id for outcome in final})
            self._seen_height = newest
            for outcome in final:
                self._waiting.pop(outcome.tx_id, None)
            self._refused += final
        outcomes, self._refused = self._refused, []
        return outcomes

    async def _list_new(self) -> tuple[list[tuple[bytes, str, str]], int]:
        """Return (tx_id, code, call) of ours above the height that was looked at last, and the newest height."""
        found: list[tuple[bytes, str, str]] = []
        newest = self._seen_height
        params: dict[str, str | int] = {"limit": 500}
        while True:
            page = await self.reader.get("/v1/transactions", params)
            rows = [read_object(row) for row in read_list(page, "items")]
            for row in rows:
                height = read_int(row, "height")
                newest = max(newest, height)
                tx_id = read_hex(row, "tx_id")
                if height > self._seen_height and tx_id in self._waiting:
                    found.append((tx_id, read_text(row, "code"), read_text(row, "call")))
            cursor = read_object(page.get("page")).get("next")
            if not isinstance(cursor, str) or not rows or read_int(rows[-1], "height") <= self._seen_height:
                return found, newest
            params = {"limit": 500, "cursor": cursor}

    async def _find_expired(self, known: set[bytes]) -> list[Outcome]:
        """Ask for those whose validity is over: executed after all, or never."""
        now = self.reader.session.ledger_time_ms
        outcomes = []
        for tx_id, waiting in self._waiting.items():
            if tx_id in known or waiting.transaction.body.valid_until_ms + EXPIRY_MARGIN_MS >= now:
                continue
            result = await self.reader.get_status(tx_id)
            if result.status == "committed":
                outcomes.append(read_outcome(tx_id, await self._get(f"/v1/transactions/{tx_id.hex()}")))
            elif result.is_final or result.status == "unknown":
                outcomes.append(Outcome(code="expired", tx_id=tx_id))
        return outcomes


def read_outcome(tx_id: bytes, answer: JsonObject) -> Outcome:
    """Read the outcome of a committed transaction with those of its items."""
    items = answer.get("items")
    deposit_code = 0
    for event in read_list(answer, "events") if "events" in answer else []:
        fields = read_object(event)
        if fields.get("event") == "member_applied":
            deposit_code = read_int(fields, "deposit_code")
    return Outcome(
        code=read_text(answer, "code"),
        tx_id=tx_id,
        items=tuple(read_text(read_object(item), "code") for item in items) if isinstance(items, list) else (),
        deposit_code=deposit_code,
    )
