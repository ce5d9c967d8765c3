"""The load of the benchmarks: real calls of the contract in a growing plan, each signed by its own key.

    setup      members apply, are verified, admitted and pay in: they are there before anything is measured
    mix        joins (application, verification, admission, first deposit), top-ups, leaves, claims

Everything is built and signed before the measurement, by worker processes, so that the generator does not
compete with the nodes. Deposit codes are handed out in the order of application; who applied when does not
matter here, as all ask for the same deposit, so codes are used before it is known whose they are."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from chain.codec import encode
from chain.contract.calls import Call
from chain.contract.claim_calls import ClaimFile
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
    MemberLeave,
)
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.crypto import SigningKey, sha256, signing_bytes
from chain.transaction import TRANSACTION_VERSION, Body, Transaction, build_transaction
from chain.types import ChainId

BLOB = b"bench profile " * 32
DEPOSIT_FEN = 10_000
TOP_UP_FEN = 100
COHORT = 100
"""People whose verification and admission go into one transaction of each institution."""
LAG_COHORTS = 6
"""Cohorts between an application and what builds on it, so that it is committed by then."""
LAST_COVER_YEAR = 2080

LEAVE_LAG_COHORTS = 30
TOP_UPS, LEAVES, CLAIMS = 150, 35, 10
"""For each cohort of 100 joins, so many of the others."""
PER_COHORT = 2 * COHORT + 3 + TOP_UPS + LEAVES + CLAIMS
"""Transactions of one cohort: applications, first deposits one by one, verification, index, admission, the
others."""


@dataclass(frozen=True)
class Parties:
    """Seeds of the keys and names that the load needs; picklable for worker processes."""

    chain_id: bytes
    plan: str
    account: str
    rules_hash: bytes
    valid_until_ms: int
    day: int
    """Booking day: the plan day on which the load runs."""
    bank: bytes
    auditor: bytes
    platform: bytes


def derive(*parts: str | int) -> bytes:
    """Return 32 bytes from a name."""
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()


class Builder:
    """Builds and signs calls of numbered people."""

    def __init__(self, parties: Parties) -> None:
        self.parties = parties
        self.bank = SigningKey(parties.bank)
        self.auditor = SigningKey(parties.auditor)
        self.platform = SigningKey(parties.platform)

    def sign(self, call: Call, key: SigningKey, *name: str | int) -> Transaction:
        """Return the transaction of a call; its nonce follows from its name, so that ids are known in
        advance."""
        return build_transaction(
            chain_id=self.parties.chain_id,
            nonce=derive("nonce", *name)[:16],
            valid_until_ms=self.parties.valid_until_ms,
            call=call,
            key=key,
        )

    def apply(self, number: int) -> Transaction:
        """Return the application of person `number`; its id is the pseudonym."""
        body = self._build_application(number)
        body_bytes = encode(body)
        message = signing_bytes(kind="transaction", chain_id=ChainId(body.chain_id), body=body_bytes)
        return Transaction(body=body, body_bytes=body_bytes, signature=get_key(number).sign(message))

    def _build_application(self, number: int) -> Body:
        call = MemberApply(
            plan=self.parties.plan,
            pool=0,
            weight=1,
            rules_hash=self.parties.rules_hash,
            field_commitments_root=derive("fields", number),
            blob_hash=sha256(BLOB),
            consent_hash=derive("consent", number),
            recovery_hash=derive("recovery", number),
            guardian=None,
        )
        return Body(
            version=TRANSACTION_VERSION,
            chain_id=self.parties.chain_id,
            nonce=derive("nonce", "apply", number)[:16],
            valid_until_ms=self.parties.valid_until_ms,
            signer=get_key(number).public_key,
            call=call,
        )

    def get_member(self, number: int) -> bytes:
        """Return the pseudonym of person `number`: the id of its application, without signing it again."""
        return sha256(encode(self._build_application(number)))

    def verify(self, numbers: range, members: list[bytes]) -> Transaction:
        items = tuple(
            AccountVerifyItem(
                member=member,
                person_index=derive("person", number),
                account_token=derive("account", number),
                holder_kind=0,
                key_challenge_hash=derive("challenge", number),
                last_cover_year=LAST_COVER_YEAR,
            )
            for number, member in zip(numbers, members, strict=True)
        )
        return self.sign(AccountVerify(items=items), self.bank, "verify", numbers.start)

    def issue(self, numbers: range, members: list[bytes]) -> Transaction:
        items = tuple(
            IndexIssueItem(member=member, person_index=derive("person", number), epoch=0)
            for number, member in zip(numbers, members, strict=True)
        )
        return self.sign(IndexIssue(items=items), self.auditor, "index", numbers.start)

    def admit(self, numbers: range, members: list[bytes]) -> Transaction:
        return self.sign(MemberAdmit(items=tuple(members)), self.platform, "admit", numbers.start)

    def credit(self, code: int, *, amount: int, name: str, day: int | None = None) -> Transaction:
        return self.credit_many([code], amount=amount, name=name, day=day)

    def credit_many(self, codes: list[int], *, amount: int, name: str, day: int | None = None) -> Transaction:
        booking_day = self.parties.day if day is None else day
        items = tuple(
            DepositCreditItem(
                ref_token=derive("credit", name, code),
                amount=amount,
                booking_day=booking_day,
                value_day=booking_day,
                payer_token=derive("payer", code),
                deposit_code=code,
            )
            for code in codes
        )
        return self.sign(DepositCredit(account=self.parties.account, items=items), self.bank, name, codes[0])

    def leave(self, number: int, member: bytes) -> Transaction:
        return self.sign(MemberLeave(member=member), get_key(number), "leave", number)

    def claim(self, number: int, member: bytes) -> Transaction:
        call = ClaimFile(
            member=member,
            cause=1,
            diagnosed_day=self.parties.day,
            evidence_root=derive("evidence", number),
            bill_tags=(derive("bill", number),),
            asked_row=0,
            payee_kind=0,
        )
        return self.sign(call, get_key(number), "claim", number)


def get_key(number: int) -> SigningKey:
    """Return the key of person `number`."""
    return SigningKey(derive("member", number))


def build_setup(builder: Builder, numbers: range, *, day: int) -> list[list[bytes]]:
    """Return the raw transactions of one cohort's joining in four steps, each to be committed before the
    next."""
    applications = [builder.apply(number) for number in numbers]
    members = [bytes(transaction.tx_id) for transaction in applications]
    credit = builder.credit_many([number + 1 for number in numbers], amount=DEPOSIT_FEN, name="setup", day=day)
    steps = [
        applications,
        [builder.verify(numbers, members), builder.issue(numbers, members)],
        [builder.admit(numbers, members)],
        [credit],
    ]
    return [[transaction.raw for transaction in step] for step in steps]


class Mix:
    """The measured load: cohort c joins while earlier cohorts move on and older members pay in, leave and
    claim."""

    def __init__(self, builder: Builder, *, settled: int) -> None:
        """`settled` people joined in the setup: numbers 0 to settled - 1."""
        self.builder = builder
        self.settled = settled

    def build_cohort(self, cohort: int) -> list[bytes]:
        """Return the raw transactions of one cohort, interleaved by kind."""
        builder, first = self.builder, self.settled + cohort * COHORT
        groups: list[list[bytes]] = [[builder.apply(number).raw for number in range(first, first + COHORT)]]
        groups.append(self._follow_up(cohort - LAG_COHORTS, 0))
        groups.append(self._follow_up(cohort - 2 * LAG_COHORTS, 1))
        groups.append(self._credit_joiners(cohort - LAG_COHORTS))
        groups.append([self._top_up(cohort * TOP_UPS + place).raw for place in range(TOP_UPS)])
        groups.append(self._leave(cohort - LEAVE_LAG_COHORTS))
        groups.append(self._claim(cohort))
        return interleave([group for group in groups if group])

    def _get_numbers(self, cohort: int) -> range:
        first = self.settled + cohort * COHORT
        return range(first, first + COHORT)

    def _follow_up(self, cohort: int, step: int) -> list[bytes]:
        if cohort < 0:
            return []
        numbers = self._get_numbers(cohort)
        members = [self.builder.get_member(number) for number in numbers]
        if step == 0:
            return [self.builder.verify(numbers, members).raw, self.builder.issue(numbers, members).raw]
        return [self.builder.admit(numbers, members).raw]

    def _credit_joiners(self, cohort: int) -> list[bytes]:
        if cohort < 0:
            return []
        return [
            self.builder.credit(number + 1, amount=DEPOSIT_FEN, name="join").raw for number in self._get_numbers(cohort)
        ]

    def _top_up(self, place: int) -> Transaction:
        # Half of the settled neither leave nor claim: they pay in again and again.
        code = place % (self.settled // 2) + 1
        return self.builder.credit(code, amount=TOP_UP_FEN, name=f"top-up-{place}")

    def _leave(self, cohort: int) -> list[bytes]:
        """Some of those who joined a while ago leave again."""
        if cohort < 0:
            return []
        numbers = self._get_numbers(cohort)[:LEAVES]
        return [self.builder.leave(number, self.builder.get_member(number)).raw for number in numbers]

    def _claim(self, cohort: int) -> list[bytes]:
        """Members of the setup had an accident today; each claims once, while there are any left."""
        first = self.settled // 2 + cohort * CLAIMS
        numbers = range(first, min(first + CLAIMS, self.settled))
        return [self.builder.claim(number, self.builder.get_member(number)).raw for number in numbers]


def interleave(groups: list[list[bytes]]) -> list[bytes]:
    """Return the groups mixed evenly, each in its own order."""
    placed = [((place + 0.5) / len(group), raw) for group in groups for place, raw in enumerate(group)]
    return [raw for _, raw in sorted(placed, key=lambda pair: pair[0])]


def _build_setup_job(parties: Parties, numbers: range, day: int) -> list[list[bytes]]:
    return build_setup(Builder(parties), numbers, day=day)


def _build_mix_job(parties: Parties, settled: int, cohort: int) -> list[bytes]:
    return Mix(Builder(parties), settled=settled).build_cohort(cohort)


def presign_setup(parties: Parties, settled: int, *, day: int, workers: int) -> list[list[list[bytes]]]:
    """Sign the setup in worker processes; return the steps of each cohort."""
    starts = range(0, settled, COHORT)
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_build_setup_job, parties, range(first, min(first + COHORT, settled)), day) for first in starts
        ]
        return [job.result() for job in jobs]


def presign_mix(parties: Parties, settled: int, cohorts: int, *, workers: int) -> Iterator[list[bytes]]:
    """Sign the mix in worker processes, cohort by cohort in order."""
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(_build_mix_job, parties, settled, cohort) for cohort in range(cohorts)]
        for job in jobs:
            yield job.result()


def count_kinds(names: Mapping[str, int]) -> str:
    """Return a mix in words."""
    total = sum(names.values()) or 1
    return ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in names.items())
