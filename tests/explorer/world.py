"""A small chain over LevelDB with everything that the explorer shows, and a node's condition for tests to set."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from chain.contract.calls import Call
from chain.contract.claim_calls import ClaimFile
from chain.contract.context import DAY_MS, compute_day
from chain.contract.custody_tables import ACCOUNT, BOOKING_DAY
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
    MemberLeave,
)
from chain.contract.money_calls import DepositCredit, DepositCreditItem, StatementPost
from chain.contract.terms import hash_terms
from chain.crypto import SigningKey, sha256
from chain.errors import StoreError
from chain.transaction import Transaction, build_transaction
from chain.types import TxId
from explorer.reader import (
    ConsensusCondition,
    EvidenceFound,
    ReadyCondition,
    SignedBody,
    TimerCondition,
    TransactionStatus,
    ValidatorCondition,
)
from node.reader import StoreReader
from tests.chain.fixtures import make_terms
from tests.node.local_chain import LocalChain, build_genesis, build_keys

OFFSET_MINUTES = 480
GENESIS_MS = 1_767_024_000_000
"""2025-12-29T16:00Z: 0:00 of 30 December in China."""
MEMBERS = 7
DEPOSIT_FEN = 5_000


class World:
    """One chain that has seen seven members, a claim, a leave with refund and two settlements."""

    def __init__(self, path: Path) -> None:
        terms = make_terms()
        self.chain = LocalChain(build_genesis(terms, time_ms=GENESIS_MS), path)
        self.reader = StoreReader(self.chain.store, self.chain.genesis)
        self.rules_hash = hash_terms(terms)
        self.keys = build_keys()
        self.time_ms = GENESIS_MS
        self._nonce = 0
        self.members: list[bytes] = []
        self.transactions: list[Transaction] = []
        self.claim = b""

    def member_key(self, number: int) -> SigningKey:
        return SigningKey(sha256(f"member {number}".encode()))

    def sign(self, call: Call, key: SigningKey, *, valid_for_ms: int = 600_000) -> Transaction:
        self._nonce += 1
        return build_transaction(
            chain_id=self.chain.chain_id,
            nonce=self._nonce.to_bytes(16, "big"),
            valid_until_ms=self.time_ms + valid_for_ms,
            call=call,
            key=key,
        )

    def add(self, *transactions: Transaction, step_ms: int = 1_000) -> None:
        self.time_ms += step_ms
        self.chain.add_block(transactions, self.time_ms)
        self.transactions.extend(transactions)

    @property
    def today(self) -> int:
        return compute_day(self.time_ms, OFFSET_MINUTES)

    def apply(self, number: int) -> Transaction:
        name = str(number).encode()
        return self.sign(
            MemberApply(
                plan="demo",
                pool=0,
                weight=1,
                rules_hash=self.rules_hash,
                field_commitments_root=sha256(b"fields" + name),
                blob_hash=sha256(b"blob" + name),
                consent_hash=sha256(b"consent" + name),
                recovery_hash=sha256(b"recovery" + name),
                guardian=None,
            ),
            self.member_key(number),
        )

    def deposit(self, codes: Sequence[int], amount: int = DEPOSIT_FEN) -> Transaction:
        items = tuple(
            DepositCreditItem(
                ref_token=sha256(f"reference {self._nonce} {code}".encode()),
                amount=amount,
                booking_day=self.today,
                value_day=self.today,
                payer_token=sha256(f"payer {code}".encode()),
                deposit_code=code,
            )
            for code in codes
        )
        return self.sign(DepositCredit(account="demo-account", items=items), self.keys["custodian"])

    def verify(self, members: Sequence[bytes]) -> list[Transaction]:
        verified = tuple(
            AccountVerifyItem(
                member=member,
                person_index=sha256(b"person" + member),
                account_token=sha256(b"account" + member),
                holder_kind=0,
                key_challenge_hash=sha256(b"challenge" + member),
                last_cover_year=2060,
            )
            for member in members
        )
        issued = tuple(
            IndexIssueItem(member=member, person_index=sha256(b"person" + member), epoch=0) for member in members
        )
        return [
            self.sign(AccountVerify(items=verified), self.keys["custodian"]),
            self.sign(IndexIssue(items=issued), self.keys["auditor-1"]),
            self.sign(MemberAdmit(items=tuple(members)), self.keys["platform"]),
        ]

    def file_claim(self, number: int) -> Transaction:
        return self.sign(
            ClaimFile(
                member=self.members[number],
                cause=1,
                diagnosed_day=self.today,
                evidence_root=sha256(b"evidence"),
                bill_tags=(),
                asked_row=0,
                payee_kind=0,
            ),
            self.member_key(number),
        )

    def leave(self, number: int) -> Transaction:
        return self.sign(MemberLeave(member=self.members[number]), self.member_key(number))

    def post_statement(self) -> Transaction:
        """Post the statement of the days since the last one, as the chain's own books have it."""
        account = self.chain.require(ACCOUNT, "demo-account")
        days = [day for _, day in self.chain.scan(BOOKING_DAY, "demo-account", arity=2) if account.statements == 0]
        received = sum(day.in_sum for day in days)
        return self.sign(
            StatementPost(
                account="demo-account",
                from_day=account.closed_day + 1,
                to_day=self.today,
                opening=account.closing,
                closing=account.closing + received,
                in_count=sum(day.in_count for day in days),
                in_sum=received,
                out_count=0,
                out_sum=0,
                file_hash=sha256(b"file"),
            ),
            self.keys["custodian"],
            valid_for_ms=DAY_MS + 600_000,
        )

    def play(self) -> None:
        """Play the story once."""
        applications = [self.apply(number) for number in range(MEMBERS)]
        self.members = [application.tx_id for application in applications]
        self.add(*applications)
        self.add(*self.verify(self.members[:-1]))
        self.add(self.deposit(range(1, MEMBERS)))
        self.add(step_ms=2 * DAY_MS)
        claim = self.file_claim(0)
        self.claim = claim.tx_id
        self.add(claim, self.leave(1))
        self.add(self.file_claim(1))
        for _ in range(31):
            self.add(self.post_statement(), step_ms=DAY_MS)

    def close(self) -> None:
        self.chain.close()


class Condition:
    """A node's condition (a `NodeStatus`): what a test sets is what the explorer is told."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Become the condition of a healthy node that knows no transaction."""
        self.transactions: dict[TxId, TransactionStatus] = {}
        self.ready: tuple[ReadyCondition, ...] = (
            ReadyCondition(name="block_fresh", is_met=True, detail="0.2 s, at most 30 s"),
            ReadyCondition(name="peers_quorum", is_met=True, detail="4 of 3"),
            ReadyCondition(name="disk_space", is_met=True, detail="9 GB, at least 1 GB"),
        )
        self.damage: list[StoreError] = []
        self.checkpoint: bytes | None = b"log.example.org/00\n39\nAAAA\n\n\xe2\x80\x94 log.example.org/auditor-2 AAAA\n"
        signed = SignedBody(body=b"body", signed=b"tag\nbody", signature=bytes(64))
        self.evidence: tuple[EvidenceFound, ...] = (
            EvidenceFound(
                key=bytes(32),
                organisation="auditor-2",
                height=7,
                view=1,
                kind="commit",
                found_ms=1_700_000_000_000,
                first=signed,
                second=SignedBody(body=b"other", signed=b"tag\nother", signature=bytes(64)),
            ),
        )
        self.changed = asyncio.Event()
        self.waits: list[int] = []

    def get_transaction(self, tx_id: TxId) -> TransactionStatus | None:
        return self.transactions.get(tx_id)

    async def wait_transaction(self, tx_id: TxId, timeout_ms: int) -> None:
        self.waits.append(timeout_ms)
        await self._wait(timeout_ms)

    async def wait_height(self, height: int, timeout_ms: int) -> None:
        self.waits.append(timeout_ms)
        await self._wait(timeout_ms)

    async def _wait(self, timeout_ms: int) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self.changed.wait()
        except TimeoutError:
            return

    def get_consensus(self) -> ConsensusCondition:
        return ConsensusCondition(
            height=40,
            view=2,
            mode="normal",
            phase="commit",
            reason="waiting for 1 more COMMIT at height 40, view 2",
            leader="platform",
            quorum=3,
            missing=("auditor-2",),
            pending=5,
            validators=(
                ValidatorCondition(
                    index=0,
                    organisation="platform",
                    is_connected=True,
                    height=39,
                    view=2,
                    has_prepared=True,
                    has_committed=False,
                    has_view_change=False,
                ),
            ),
            timers=(TimerCondition(name="view", remaining_ms=900),),
        )

    def get_readiness(self) -> tuple[ReadyCondition, ...]:
        return self.ready

    def get_checkpoint(self) -> bytes | None:
        return self.checkpoint

    def list_evidence(self) -> tuple[EvidenceFound, ...]:
        return self.evidence

    def render_metrics(self) -> tuple[bytes, str]:
        return b"gongji_height 39\n", "text/plain; version=0.0.4; charset=utf-8"

    def report_damage(self, error: StoreError) -> None:
        self.damage.append(error)


class BrokenReader:
    """A reader whose disk is damaged: the outside world at its worst."""

    def __init__(self, reader: StoreReader) -> None:
        self.genesis = reader.genesis
        self.get_head = reader.get_head

    def open_snapshot(self) -> NoReturn:
        raise StoreError("reading failed: /var/lib/gongji/000123.ldb: block checksum mismatch")
