"""What the actors know of each other outside of the chain: applications on a desk, transfers at the bank,
diagnoses.

The chain sees none of it; in life these are counters, post and bank rails.
"""

from msgspec import Struct, field

from node.demo.agreements import Agreements
from node.demo.orders import NOT_EXECUTED
from node.demo.population import Case, Person


class Application(Struct):
    """One applicant before the institutions."""

    member: bytes
    """Pseudonym: the tx_id of its member_apply."""
    person: Person
    is_verified: bool = False
    """The bank bound key and account to the person."""
    is_indexed: bool = False
    """The auditor issued the same blind index."""
    is_decided: bool = False
    """The platform admitted or refused."""


class Transfer(Struct, frozen=True):
    """Money that arrived on the custody account."""

    reference: bytes
    """The bank's keyed token of it: unique for ever."""
    payer: bytes
    amount: int
    """Fen."""
    deposit_code: int | None
    """From the remittance text."""


class Customer(Struct, frozen=True):
    """What the bank knows of a member whose account it verified."""

    person: Person
    holder_kind: int
    last_cover_year: int


class Diagnosis(Struct, frozen=True):
    """The truth about one claim, as an investigation will find it."""

    case: Case
    diagnosed_day: int
    """Plan day."""
    bill_tags: tuple[bytes, ...]
    """Keyed tags of the bills, as the claim names them: whoever certifies it compares them with the bills."""


class Registry(Struct):
    """All of it."""

    applications: dict[bytes, Application] = {}
    """By pseudonym, undecided ones."""
    transfers: list[Transfer] = []
    """Not yet booked."""
    diagnoses: dict[bytes, Diagnosis] = {}
    """By claim."""
    customers: dict[bytes, Customer] = {}
    """By pseudonym, verified ones."""
    strangers: list[tuple[int, Transfer]] = []
    """Booked transfers that name nobody, with their booking day."""
    closed_accounts: list[bytes] = []
    """Claims whose payee was told by the bank that his account is closed."""
    wished_accounts: dict[bytes, bytes] = {}
    """Token of the account that a member asked for on the chain, by pseudonym."""
    objections: dict[bytes, bool] = {}
    """Whether the evidence of an objection holds, by its id."""
    letters: dict[int, int] = {}
    """What the bank writes to auditors: closing balance by the last day of each statement, fen."""
    agreements: Agreements = field(default_factory=Agreements)
    """Calls that several sign."""
    rules_change_day: int = 0
    """Plan day on which a published version takes new members, 0 without one."""
    paid_in: int = 0
    """Fen that people sent to the bank."""
    interest: int = 0
    """Fen of interest that the bank booked."""
    dropped: dict[str, int] = {}
    """Applications that the chain would not take further, by code."""

    def take_item(self, application: Application, code: str) -> bool:
        """Tell whether an act on an application is done; drop the application where the contract will never do it."""
        if code in {"success", "already"}:
            return True
        if code not in NOT_EXECUTED:
            self.applications.pop(application.member, None)
            self.dropped[code] = self.dropped.get(code, 0) + 1
        return False
