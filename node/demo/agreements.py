"""What several parties sign: one call, of which each sends the same (contract 5, "Y+Z").

Who drafts it puts it on the table; each party that it names signs it with its next act. On the chain the parties would
find it among the tasks of their role, as a half that waits for their signature.
"""

from collections.abc import Callable

from msgspec import Struct

from chain.contract.calls import Call
from chain.crypto import SigningKey
from node.demo.orders import Errands, Order, Outcome

MISSED = frozenset({"deposit_state", "deposit_unknown"})
"""Answers that tomorrow will not change."""


class Agreement(Struct, eq=False):
    """One call on the table."""

    number: int
    call: Call
    missing: list[str]
    """Parties that have not signed."""
    on_done: Callable[[], None]
    """Told once, when the last signature is final."""
    on_missed: Callable[[], None] | None
    """Told once where it is refused because its time is over; without it the parties try again tomorrow."""


class Agreements:
    """All of them that are not complete."""

    def __init__(self) -> None:
        self._open: dict[int, Agreement] = {}
        self.drafted = 0

    def draft(
        self,
        call: Call,
        parties: tuple[str, ...],
        on_done: Callable[[], None],
        *,
        on_missed: Callable[[], None] | None = None,
    ) -> None:
        """Put a call on the table for these parties."""
        self._open[self.drafted] = Agreement(
            number=self.drafted,
            call=call,
            missing=list(dict.fromkeys(parties)),
            on_done=on_done,
            on_missed=on_missed,
        )
        self.drafted += 1

    def sign(self, party: str, key: SigningKey, errands: Errands, today: int) -> list[Order]:
        """Return the orders by which a party signs what waits for it."""
        return [
            self._build_order(agreement, party, key, errands, today)
            for agreement in self._open.values()
            if party in agreement.missing and errands.begin((f"agreement {party}", agreement.number), today)
        ]

    def _build_order(self, agreement: Agreement, party: str, key: SigningKey, errands: Errands, today: int) -> Order:
        def on_outcome(outcome: Outcome) -> None:
            is_open = agreement.number in self._open
            if not errands.finish((f"agreement {party}", agreement.number), outcome.code, today):
                if agreement.on_missed is not None and outcome.code in MISSED and is_open:
                    del self._open[agreement.number]
                    agreement.on_missed()
                return
            agreement.missing.remove(party)
            if not agreement.missing and is_open:
                del self._open[agreement.number]
                agreement.on_done()

        return Order(call=agreement.call, key=key, on_outcome=on_outcome)

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a signature."""
        return len(self._open)
