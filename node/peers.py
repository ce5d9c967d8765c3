"""Who may connect, and what this node calls them: numbers that stay while the set of validators moves (ADR 0023).

    member      in set(head + 1)                                       votes
    candidate   accepted by governance, not yet in the set             follows, hands in transactions
    former      was in the set within the last blocks                  is served until it knows that it is out
    extra       named by a card in the local configuration             is asked for blocks, where genesis is too old

Everything in `node` and `p2p` names a peer by its number. The core names it by its index in the set of the height
that it decides, or by n + number where it is no member (a guest); only the runtime translates. The table follows the
committed state alone, so it is the same after a restart but for the numbers.
"""

from collections.abc import Iterable, Iterator, Sequence

from chain.contract.governance_tables import CANDIDATE, CONSORTIUM, VALIDATOR_SET
from chain.errors import ConfigError, StoreError
from chain.ledger import Ledger
from chain.types import Hash
from chain.validators import Validator, ValidatorSet, find_index, hash_validators
from node.config import parse_address
from p2p import PeerEntry

FORMER_BLOCKS = 10_000
"""How long a validator that was removed may still connect: what it lacks it can fetch in that time, and learn that it
was removed; there is nothing else that it could do."""
FORMER_MAX = 16
"""Of these the newest are kept."""
LEAVING_BLOCKS = 100
"""How long the others still take in what was handed in at a validator before it was removed: it was promised."""
EXTRA_MAX = 16


class PeerTable:
    """The peers of one node by number; the own node has one as well."""

    def __init__(self, ledger: Ledger, *, own: Validator, extra: Sequence[Validator] = ()) -> None:
        """Number the members of the present set by their index, then everybody else.

        `own` is how this node knows itself, in the set or not.
        """
        self._ledger = ledger
        self._own = own
        self._extra = tuple(extra)[:EXTRA_MAX]
        self._sets = _load_recent_sets(ledger)
        """(last height, set) of sets that held before the present one, newest first."""
        self._numbers: dict[bytes, int] = {}
        """By validator key."""
        self._validators: dict[int, Validator] = {}
        self.members: ValidatorSet = ()
        self.candidates: ValidatorSet = ()
        self.former: ValidatorSet = ()
        self.ingresses: tuple[int, ...] = ()
        """Numbers of those from whom transactions of clients are taken: members, candidates, this node, and for a
        while who was removed."""
        self.refresh()

    # --- following the state ---

    def refresh(self) -> bool:
        """Look at the committed state; return whether anybody came or went."""
        members = self._ledger.validators
        candidates = tuple(self._find_candidates())
        if members != self.members and self.members:
            self._sets.insert(0, (self._ledger.height, self.members))
        former = tuple(self._find_former(members, FORMER_BLOCKS))
        before = (self.members, self.candidates, self.former, self.ingresses)
        self.members, self.candidates, self.former = members, candidates, former
        for validator in self._list_known():
            self._number(validator)
        leaving = self._find_former(members, LEAVING_BLOCKS) if self._sets else ()
        keys = dict.fromkeys(item.key for item in (*members, *candidates, self._own, *leaving))
        self.ingresses = tuple(sorted(self._numbers[key] for key in keys))
        return before != (members, candidates, former, self.ingresses)

    def _find_candidates(self) -> Iterator[Validator]:
        consortium = self._ledger.read(CONSORTIUM.key(), CONSORTIUM.codec)
        for key in () if consortium is None else consortium.candidates:
            candidate = self._ledger.read(CANDIDATE.key(key), CANDIDATE.codec)
            if candidate is not None:
                yield candidate.validator

    def _find_former(self, members: ValidatorSet, blocks: int) -> Iterator[Validator]:
        """Yield who was in a set of the last blocks and is not in this one, who left last first."""
        height = self._ledger.height
        self._sets = [(last, former) for last, former in self._sets if last > height - FORMER_BLOCKS]
        found: dict[bytes, Validator] = {}
        for last, former in self._sets:
            for validator in former if last > height - blocks else ():
                if len(found) < FORMER_MAX and find_index(members, validator.key) is None:
                    found.setdefault(validator.key, validator)
        yield from found.values()

    def _list_known(self) -> Iterator[Validator]:
        """Yield everybody who has a number, the members first; a key twice where it is two things."""
        yield from self.members
        yield self._own
        yield from self.candidates
        yield from self._extra
        yield from self.former

    def _number(self, validator: Validator) -> None:
        number = self._numbers.get(validator.key)
        if number is None:
            number = next(free for free in range(len(self._numbers) + 1) if free not in self._validators)
            self._numbers[validator.key] = number
            self._validators[number] = validator
        elif find_index(self.members, validator.key) is not None or validator.key == self._own.key:
            self._validators[number] = next(item for item in self._list_known() if item.key == validator.key)

    def release(self) -> None:
        """Let go of the numbers of those who may not connect any more; the network must have been told before."""
        known = {validator.key: None for validator in self._list_known()}
        for key, number in list(self._numbers.items()):
            if key not in known:
                del self._numbers[key], self._validators[number]

    def get_entries(self) -> tuple[PeerEntry, ...]:
        """Return who may connect now; one whose pin another has, or whose address is none, is left out."""
        entries: dict[bytes, PeerEntry] = {}
        for validator in self._list_known():
            if validator.key == self._own.key or validator.tls_pin in entries:
                continue
            try:
                host, port = parse_address(validator.address, field="address")
            except ConfigError:
                continue
            number = self._numbers[validator.key]
            entries[validator.tls_pin] = PeerEntry(index=number, pin=validator.tls_pin, host=host, port=port)
        return tuple(entries.values())

    # --- names ---

    @property
    def home(self) -> int:
        """Return the own number."""
        return self._numbers[self._own.key]

    @property
    def may_hand_in(self) -> bool:
        """Tell whether the others take in what clients hand in here: as member or candidate."""
        own = self._own.key
        return find_index(self.members, own) is not None or find_index(self.candidates, own) is not None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of all others, the members first."""
        keys = dict.fromkeys(item.key for item in self._list_known() if item.key != self._own.key)
        return tuple(self._numbers[key] for key in keys)

    def get_validator(self, number: int) -> Validator | None:
        """Return who has a number, None for one that nobody has (any more)."""
        return self._validators.get(number)

    def get_name(self, number: int) -> str:
        """Return what logs call a peer."""
        validator = self._validators.get(number)
        return f"peer {number}" if validator is None else f"{validator.organisation} ({validator.key.hex()[:8]})"

    def find_index(self, number: int, validators: ValidatorSet) -> int:
        """Return what the core calls a peer at the height that this set votes on."""
        n = len(validators)
        validator = self._validators.get(number)
        if validator is None:
            return n + number
        if number < n and validators[number].key == validator.key:
            return number
        index = find_index(validators, validator.key)
        return n + number if index is None else index

    def find_number(self, index: int, validators: ValidatorSet) -> int:
        """Return whom the core means."""
        if index >= len(validators):
            return index - len(validators)
        return self._numbers[validators[index].key]

    def find_numbers(self, indexes: Iterable[int], validators: ValidatorSet) -> tuple[int, ...]:
        """Return whom the core means by several indexes."""
        return tuple(self.find_number(index, validators) for index in indexes)


def _load_recent_sets(ledger: Ledger) -> list[tuple[int, ValidatorSet]]:
    """Return (last height, set) of the sets that held within the last blocks before the present one, newest first.

    Read from the headers, which commit to the set of the next height, and from the state's archive of sets.
    """
    present = hash_validators(ledger.validators)
    sets: list[tuple[int, ValidatorSet]] = []
    for height in range(ledger.height, max(ledger.height - FORMER_BLOCKS, -1), -1):
        record = ledger.read_header_record(height)
        if record is None:
            raise StoreError(f"the database has no header {height}")
        found = Hash(record.header.next_validators_hash)
        if found != present:
            sets.append((height + 1, _load_set(ledger, found)))
            present = found
    return sets


def _load_set(ledger: Ledger, set_hash: Hash) -> ValidatorSet:
    if set_hash == hash_validators(ledger.genesis.validators):
        return ledger.genesis.validators
    archived = ledger.read(VALIDATOR_SET.key(set_hash), VALIDATOR_SET.codec)
    if archived is None:
        raise StoreError(f"the state has no set {set_hash.hex()}")
    return archived.validators
