"""The custodian bank: verifies accounts, books deposits, carries out instructions, posts statements."""

from datetime import date
from typing import TypeVar

from chain.contract.member_calls import AccountVerify, AccountVerifyItem
from chain.contract.money_calls import (
    DepositCredit,
    DepositCreditItem,
    InstructionAck,
    InstructionAckItem,
    StatementPost,
)
from chain.crypto import SigningKey
from node.demo.books import Books
from node.demo.orders import ErrandName, Errands, Order, Outcome
from node.demo.person_data import build_person_index
from node.demo.population import derive_token
from node.demo.registry import Application, Customer, Registry, Transfer
from node.demo.world import InstructionView, World

ITEMS_PER_ORDER = 200
"""Items in one transaction: some 30 KiB, well under its limit."""
AGE_LIMIT_YEARS = 60
ACCOUNT_CLOSED = 4
"""The bank's reason for a payment that failed."""
ORDINAL_1970 = 719_163

T = TypeVar("T")


def compute_year(day: int) -> int:
    """Return the calendar year of a plan day."""
    return date.fromordinal(day + ORDINAL_1970).year


class Bank:
    """The one who can say what happened on the account."""

    def __init__(self, key: SigningKey, *, seed: int, account: str, closed_day: int, registry: Registry) -> None:
        self.key = key
        self.books = Books(account=account, closed_day=closed_day)
        self.errands = Errands()
        self.statements = 0
        self.refusals: dict[str, int] = {}
        """Codes of credits and statements that had to be sent again."""
        self._to_book: list[tuple[int, Transfer]] = []
        self._answered_on: dict[tuple[bytes, int], int] = {}
        self._unpayable: bytes | None = None
        """The one instruction that fails at its first attempt."""
        self._seed = seed
        self._registry = registry
        self._statement: StatementPost | None = None
        self._verifying: set[bytes] = set()
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Return what the bank does now."""
        self._today = world.today
        orders = self._verify_accounts(world)
        orders += self._book_transfers(world)
        orders += self._answer_instructions(world)
        orders += self._post_statement(world)
        return orders

    @property
    def is_idle(self) -> bool:
        """Tell whether every booking is final."""
        return not self._registry.transfers and not any(book.open_bookings for book in self.books.days.values())

    # --- accounts ---

    def _verify_accounts(self, world: World) -> list[Order]:
        waiting = [
            application
            for application in self._registry.applications.values()
            if not application.is_verified and application.member not in self._verifying
        ]
        return [self._build_verification(chunk, world) for chunk in split(waiting)]

    def _build_verification(self, applications: list[Application], world: World) -> Order:
        self._verifying.update(application.member for application in applications)

        def on_outcome(outcome: Outcome) -> None:
            self._verifying.difference_update(application.member for application in applications)
            for application, code in pair_items(applications, outcome):
                application.is_verified = self._registry.take_item(application, code)
            for item, application in zip(items, applications, strict=True):
                self._registry.customers[item.member] = Customer(
                    person=application.person, holder_kind=item.holder_kind, last_cover_year=item.last_cover_year
                )

        year = compute_year(world.today)
        items = tuple(
            AccountVerifyItem(
                member=application.member,
                person_index=build_person_index(self._seed, world.plan_name, application.person),
                account_token=derive_token("account", self._seed, application.person.number),
                holder_kind=0 if application.person.guardian is None else 1,
                key_challenge_hash=derive_token("challenge", self._seed, application.person.number),
                last_cover_year=year + AGE_LIMIT_YEARS - application.person.age - 1,
            )
            for application in applications
        )
        return Order(call=AccountVerify(items=items), key=self.key, on_outcome=on_outcome)

    # --- bookings: a bank fact keeps its booking day however often it is sent, and that day stays open
    # until it is final

    def _book_transfers(self, world: World) -> list[Order]:
        for transfer in self._registry.transfers:
            self.books.open_booking(world.today)
            self._to_book.append((world.today, transfer))
        self._registry.transfers.clear()
        to_book, self._to_book = self._to_book, []
        days = sorted({day for day, _ in to_book})
        return [
            self._build_credit(chunk, day)
            for day in days
            for chunk in split([transfer for at, transfer in to_book if at == day])
        ]

    def _build_credit(self, transfers: list[Transfer], day: int) -> Order:
        def on_outcome(outcome: Outcome) -> None:
            for transfer, code in pair_items(transfers, outcome):
                if code in {"success", "already"}:
                    self.books.close_booking(day, amount_in=transfer.amount)
                    if transfer.deposit_code is None:
                        self._registry.strangers.append((day, transfer))
                else:
                    self.refusals[code] = self.refusals.get(code, 0) + 1
                    self._to_book.append((day, transfer))

        items = tuple(
            DepositCreditItem(
                ref_token=transfer.reference,
                amount=transfer.amount,
                booking_day=day,
                value_day=day,
                payer_token=transfer.payer,
                deposit_code=transfer.deposit_code,
            )
            for transfer in transfers
        )
        return Order(call=DepositCredit(account=self.books.account, items=items), key=self.key, on_outcome=on_outcome)

    def _answer_instructions(self, world: World) -> list[Order]:
        ready = [view for view in world.instructions if self.errands.begin(name_answer(view), world.today)]
        for view in ready:
            if self._unpayable is None and view.kind == "aid" and view.claim in self._registry.diagnoses:
                self._unpayable = view.instruction
            if (view.instruction, view.attempt) not in self._answered_on:
                self._answered_on[view.instruction, view.attempt] = world.today
                self.books.open_booking(world.today)
        days = {view: self._answered_on[view.instruction, view.attempt] for view in ready}
        return [
            self._build_answer(chunk, day)
            for day in sorted(set(days.values()))
            for chunk in split([view for view in ready if days[view] == day])
        ]

    def _build_answer(self, views: list[InstructionView], day: int) -> Order:
        def on_outcome(outcome: Outcome) -> None:
            for view, code in pair_items(views, outcome):
                if not self.errands.finish(name_answer(view), code, self._today):
                    continue
                is_settled = self._is_payable(view)
                self.books.close_booking(day, amount_out=view.amount if is_settled else 0)
                if not is_settled and view.claim is not None:
                    self._registry.closed_accounts.append(view.claim)

        items = tuple(
            InstructionAckItem(
                instruction=view.instruction,
                is_settled=self._is_payable(view),
                amount=view.amount,
                booking_day=day,
                ref_token=derive_token("payout", view.instruction.hex(), view.attempt),
                reason=0 if self._is_payable(view) else ACCOUNT_CLOSED,
            )
            for view in views
        )
        return Order(call=InstructionAck(account=self.books.account, items=items), key=self.key, on_outcome=on_outcome)

    def _is_payable(self, view: InstructionView) -> bool:
        """Tell whether the payee's account is there: of the first claim that is paid it was closed meanwhile."""
        return view.instruction != self._unpayable or view.attempt > 0

    # --- statements ---

    def _post_statement(self, world: World) -> list[Order]:
        if self._statement is not None:
            return []
        statement = self.books.build_statement(world.today)
        if statement is None:
            return []
        self._statement = statement

        def on_outcome(outcome: Outcome) -> None:
            self._statement = None
            if outcome.is_done:
                self.statements += 1
                self.books.close_days(statement)
                self._registry.letters[statement.to_day] = statement.closing
            else:
                self.refusals[outcome.code] = self.refusals.get(outcome.code, 0) + 1

        return [Order(call=statement, key=self.key, on_outcome=on_outcome)]


def name_answer(view: InstructionView) -> ErrandName:
    """Return the errand of answering one attempt of an instruction."""
    return f"ack {view.attempt}", view.instruction


def split(values: list[T]) -> list[list[T]]:
    """Return the values in chunks that fit into one transaction."""
    return [values[start : start + ITEMS_PER_ORDER] for start in range(0, len(values), ITEMS_PER_ORDER)]


def pair_items(values: list[T], outcome: Outcome) -> list[tuple[T, str]]:
    """Return each value of a batch with the code of its item; a batch that did not run gives all its own
    code."""
    if len(outcome.items) != len(values):
        return [(value, outcome.code) for value in values]
    return list(zip(values, outcome.items, strict=True))
