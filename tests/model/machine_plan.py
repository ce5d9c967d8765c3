"""Rules about time and the plan as a whole: days, years, stops, versions of the rules, the end."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from chain.contract.member_calls import MemberAcceptRules
from chain.contract.money_calls import DepositCredit, DepositCreditItem, InstructionAck, InstructionAckItem
from chain.contract.plan_calls import BatchSign, Pause, Resume, RulesPublish, WindDown
from chain.contract.terms import PinnedTerms, PlanTerms, PoolTerms, hash_terms
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.book import Book
from tests.model.machine_base import AUDITORS, Choices, pick
from tests.model.story import Story

SECOND_ACCOUNT = "care-second"


class TimeRules(Choices):
    """Days and years."""

    @rule(days=st.sampled_from((0, 1, 1, 1, 2, 3, 5, 9)), posts=st.sampled_from((True, True, True, False)))
    def pass_days(self, days: int, posts: bool) -> None:
        """Let days pass, each looked at by itself."""
        if days == 0:
            self.story.next_block()
        for _ in range(days):
            self.story.pass_days(1, posts=posts)
            self.story.agree()

    @rule(days=st.sampled_from((15, 31, 31, 45, 95, 200)), choice=pick)
    def jump(self, days: int, choice: int) -> None:
        """Let weeks pass, in which everybody does his work, as a rule."""
        posts = choice % 9 != 0
        for _ in range(0, days, 10):
            self.story.pass_days(10, posts=posts)
            if choice % 4 != 1:
                do_clerks_work(self.story, is_paying=choice % 7 != 1)

    @rule(choice=pick)
    def work(self, choice: int) -> None:
        do_clerks_work(self.story, is_paying=choice % 4 != 0)


def do_clerks_work(story: Story, *, is_paying: bool) -> None:
    """Sign each batch that waits, and let the bank answer everything."""
    book = story.book
    for pool in book.pools:
        for number, period in [*enumerate(pool.periods), *pool.batches.items()]:
            if period.status == "computed" and not book.is_stopped:
                story.agree()
                call = BatchSign(plan=PLAN_NAME, pool=pool.number, period=number, batch_root=period.root)
                signers = [name for name in ("platform", period.cosigner) if name not in period.signed]
                story.sign(call, signers[: 2 - len(period.signed)])
    for name, record in list(book.instructions.items()):
        if record.state == "ready":
            answer_instruction(story, name, is_settled=is_paying)
    if is_paying:
        for member in book.members.values():
            if member.status == "moving" and member.move is not None:
                bring_transfer(story, member.code, member.move.to_pool, member.move.amount)


def answer_instruction(story: Story, name: bytes, *, is_settled: bool) -> None:
    """Let the bank answer an instruction today."""
    record = story.book.instructions[name]
    item = InstructionAckItem(
        instruction=name,
        is_settled=is_settled,
        amount=record.amount,
        booking_day=story.book.day,
        ref_token=name_hash("answer", name.hex(), record.attempt),
        reason=0 if is_settled else 4,
    )
    story.call("bank", InstructionAck(account=story.book.pools[record.pool].custody.name, items=(item,)))


def bring_transfer(story: Story, code: int, pool: int, amount: int) -> None:
    """Let the money of somebody who changes pool arrive."""
    book = story.book
    item = DepositCreditItem(
        ref_token=name_hash("transfer", code, book.day),
        amount=amount,
        booking_day=book.day,
        value_day=book.day,
        payer_token=name_hash("own account"),
        deposit_code=code,
    )
    story.call("bank", DepositCredit(account=book.pools[pool].custody.name, items=(item,)))


class StopRules(Choices):
    """Pauses and the end."""

    @rule(choice=pick)
    def pause(self, choice: int) -> None:
        call = Pause(plan=PLAN_NAME if choice % 29 else "other", reason_hash=name_hash("reason", choice % 2))
        self.call(self.pick_signer(choice, ("bank", *AUDITORS)[choice // 3 % 3]), call)

    @rule(choice=pick)
    def resume(self, choice: int) -> None:
        day = self.book.pause[0] if self.book.pause is not None else self.book.day
        call = Resume(plan=PLAN_NAME, paused_day=day - (choice % 19 == 0), reason_hash=name_hash("reason", 0))
        if self.book.status != "paused" and choice % 7:
            self.call("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason", 1)))
        self.sign(choice // 9, call, ("platform", AUDITORS[choice % 2], "bank"))

    @rule(choice=pick)
    def wind_down(self, choice: int) -> None:
        call = WindDown(plan=PLAN_NAME, reason_hash=name_hash("end", choice % 2))
        if choice % 11 == 0:
            self.sign(choice // 11, call, ("bank", "platform", AUDITORS[choice % 2]))
        else:
            # One signature: together with others of the same reason it may be the last.
            self.call(self.pick_signer(choice, ("platform", "platform", "bank", AUDITORS[0])[choice // 3 % 4]), call)


class VersionRules(Choices):
    """Versions of the rules."""

    @rule(choice=pick)
    def publish(self, choice: int) -> None:
        is_new_pool = len(self.book.pools) < 2 and choice % 4 == 0
        pool = len(self.book.pools) if is_new_pool else choice // 4 % len(self.book.pools)
        if choice % 37 == 0:
            pool = len(self.book.pools) + 1
        known = self.book.pools[min(pool, len(self.book.pools) - 1)]
        rules = change_rules(self.book, known.version, choice // 7)
        account = SECOND_ACCOUNT if is_new_pool != (choice % 31 == 0) else None
        call = RulesPublish(
            plan=PLAN_NAME,
            version=len(self.book.versions) - (choice % 23 == 0),
            pool=pool,
            rules=rules,
            text_hash=name_hash("text", choice % 5),
            account=account if choice % 41 else "care-main",
        )
        signers = ("platform", AUDITORS[choice % 2], *(("bank",) if is_new_pool else ()))
        self.sign(choice // 9, call, signers)

    @rule(choice=pick)
    def renew(self, choice: int) -> None:
        """Let rules that fit a pool come into force, and somebody sign the newest that there are, in either pool."""
        book = self.book
        if choice % 3 == 0 or len(book.versions) < 3:
            known = self.pick_pool(choice // 3)
            is_new_pool = len(book.pools) < 2
            rules = change_well(book, known.version, choice // 7)
            call = RulesPublish(
                plan=PLAN_NAME,
                version=len(book.versions),
                pool=len(book.pools) if is_new_pool else known.number,
                rules=rules,
                text_hash=name_hash("text", choice % 5),
                account=SECOND_ACCOUNT if is_new_pool else None,
            )
            self.story.sign(call, ("platform", AUDITORS[choice % 2], *(("bank",) if is_new_pool else ())))
            self.story.pass_days(31)
        for number in range(choice // 5 % 3):
            member_id = self.pick_member(choice // 7 + number, "sharing", "waiting")
            version = book.pools[choice // 11 % len(book.pools)].version
            text = hash_terms(book.versions[version].terms)
            call_of_member = MemberAcceptRules(member=member_id, version=version, rules_hash=text)
            self.call(self.pick_signer(choice // 13 + number, self.get_key(member_id)), call_of_member)


def change_well(book: Book, version: int, choice: int) -> PlanTerms:
    """Return rules that fit their pool, and that are as a rule better for whoever signed the old ones."""
    terms = book.versions[version].terms
    pool, pinned = terms.pool, terms.pinned
    ways: tuple[tuple[PoolTerms, PinnedTerms], ...] = (
        (pool, replace(pinned, claim_window_days=pinned.claim_window_days + 1)),
        (replace(pool, fee_bp=max(0, pool.fee_bp - 1)), pinned),
        (replace(pool, grace_periods=pool.grace_periods + 1), pinned),
        (pool, replace(pinned, waiting_days=pinned.waiting_days + 1)),
        (pool, replace(pinned, claim_window_days=max(1, pinned.claim_window_days - 1))),
    )
    new_pool, new_pinned = ways[choice % len(ways)]
    return replace(terms, pool=new_pool, pinned=new_pinned)


def change_rules(book: Book, version: int, choice: int) -> PlanTerms:
    """Return rules with a term or two changed: better, worse, or what does not fit the pool."""
    terms = book.versions[version].terms
    pool, pinned = terms.pool, terms.pinned
    clauses = pinned.clauses
    reworded = replace(clauses[0], text_en=clauses[0].text_en + " (as ever)")
    changes = (
        {"waiting_days": pinned.waiting_days + 2},
        {"waiting_days": max(0, pinned.waiting_days - 2)},
        {"claim_window_days": pinned.claim_window_days + 10},
        {"claim_window_days": max(1, pinned.claim_window_days - 10)},
        {"clauses": (reworded, *clauses[1:])},
        {"age_limit_years": max(30, pinned.age_limit_years - 1)},
        {"benefits": (replace(pinned.benefits[0], mild_fen=max(1, pinned.benefits[0].mild_fen - 1)),)},
        {"benefits": (replace(pinned.benefits[0], severe_fen=pinned.benefits[0].severe_fen + 1),)},
        {"age_min_days": max(0, pinned.age_min_days + (choice // 11 % 3 - 1))},
    )
    pool_changes = (
        {"fee_bp": max(0, pool.fee_bp - 100)},
        {"fee_bp": pool.fee_bp + 1},
        {"grace_periods": pool.grace_periods + 1},
        {"cap_per_case_fen": max(1, (pool.cap_per_case_fen or 1_000) * 3 // 4)},
        {"cap_per_year_fen": None},
        {"deposit_max_fen": pool.deposit_max_fen + 1_000},
    )
    pinned = replace(pinned, **changes[choice // 3 % len(changes)])
    if choice % 3 == 0:
        pool = replace(pool, **pool_changes[choice // 5 % len(pool_changes)])
    return replace(terms, pool=pool, pinned=pinned)
