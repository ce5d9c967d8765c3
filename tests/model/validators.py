"""Who votes on blocks: candidates, additions, removals, reveals, and versions of the protocol (consensus 7, 8)."""

from collections import Counter

from chain.contract.governance_calls import (
    AddValidator,
    Rejoin,
    RemoveValidator,
    RenewReveals,
    UpgradeProtocol,
    ValidatorReady,
)
from chain.validators import ValidatorSet
from tests.model.book import Book
from tests.model.house import GOVERNING, NO_KEY, House, Validator, find_key_problems

CANDIDATES_MAX, VALIDATORS_MIN = 4, 4
CANDIDATE_DAYS = 30
RECENT_MAX = 100
SetChange = AddValidator | RemoveValidator | RenewReveals
NodeCall = ValidatorReady | Rejoin


def found(house: House, validators: ValidatorSet, anchors: list[bytes]) -> None:
    """Begin with the set of genesis."""
    for one, anchor in zip(validators, anchors, strict=True):
        house.validators[one.key] = Validator(one.organisation, one.checkpoint_key, one.tls_pin, one.address, anchor)
        house.node_keys[one.key] = one.checkpoint_key


def find_operator(house: House, key: bytes) -> str | None:
    """Return who runs a validator or candidate."""
    one = house.candidates.get(key) or house.validators.get(key)
    return None if one is None else one.operator


def has_validator(house: House, name: str) -> bool:
    """Tell whether somebody runs a validator, or has one that waits."""
    return any(one.operator == name for one in [*house.validators.values(), *house.candidates.values()])


# --- what is possible ---


def find_set_problems(house: House, payload: SetChange) -> set[str]:
    """Return why a change of the set, or of reveals, is not possible now."""
    match payload:
        case AddValidator():
            return find_add_problems(house, payload)
        case RemoveValidator(key=key):
            return find_remove_problems(house, key)
        case RenewReveals(key=key, reveal_anchor=anchor):
            problems = set() if key in house.validators else {"validator_unknown"}
            return problems | ({"value_out_of_range"} if anchor == NO_KEY else set())


def find_add_problems(house: House, call: AddValidator) -> set[str]:
    """Return what forbids a validator to become a candidate."""
    office = house.offices.get(call.organisation)
    if office is None or office.has_left:
        return {"organisation_unknown"}
    problems = find_key_problems(house, call.key, call.checkpoint_key)
    if office.role not in GOVERNING:
        problems.add("wrong_role")
    if NO_KEY in (call.tls_pin, call.reveal_anchor):
        problems.add("value_out_of_range")
    if len(house.candidates) >= CANDIDATES_MAX:
        problems.add("validators_full")
    for one in [*house.validators.values(), *house.candidates.values()]:
        if one.pin == call.tls_pin or one.address == f"{call.host}:{call.port}":
            problems.add("validator_exists")
    before = [one.operator for one in house.validators.values()]
    return problems | find_group_problems(house, before, [*before, call.organisation])


def find_remove_problems(house: House, key: bytes) -> set[str]:
    """Return what forbids to remove a validator; a candidate may always go."""
    if key in house.candidates:
        return set()
    if key not in house.validators:
        return {"validator_unknown"}
    before = [one.operator for one in house.validators.values()]
    left = [one.operator for other, one in house.validators.items() if other != key]
    problems = {"validators_minimum"} if len(left) < VALIDATORS_MIN else set()
    return problems | find_group_problems(house, before, left)


def find_group_problems(house: House, before: list[str], after: list[str]) -> set[str]:
    """Refuse a set of which one owner gets the votes that two quorums share, unless one had them already."""
    has_master = rules_alone(house, after) and not rules_alone(house, before)
    return {"validators_concentrated"} if has_master else set()


def rules_alone(house: House, operators: list[str]) -> bool:
    """Tell whether one owner has the votes with which two histories could be signed."""
    count = len(operators)
    quorum = (count + (count - 1) // 3) // 2 + 1
    return max(Counter(house.offices[name].group for name in operators).values()) >= max(2, 2 * quorum - count)


def may_change(book: Book) -> bool:
    """Tell whether the set has not changed in this block."""
    return book.house.set_height != book.docket.height


# --- effects ---


def change_set(book: Book, payload: SetChange, today: int) -> None:
    """Do what was decided."""
    house = book.house
    match payload:
        case AddValidator(key=key, checkpoint_key=checkpoint):
            one = Validator(
                payload.organisation,
                checkpoint,
                payload.tls_pin,
                f"{payload.host}:{payload.port}",
                payload.reveal_anchor,
                expires=today + CANDIDATE_DAYS,
            )
            house.candidates[key] = one
            house.keys |= {key, checkpoint}
            house.node_keys[key] = checkpoint
        case RemoveValidator(key=key):
            if house.candidates.pop(key, None) is None:
                del house.validators[key]
                house.set_height = book.docket.height
        case RenewReveals(key=key, reveal_anchor=anchor):
            house.validators[key].link = anchor


def drop_late(house: House, today: int) -> None:
    """Drop candidates that were not ready in time."""
    house.candidates = {key: one for key, one in house.candidates.items() if one.is_ready or today < one.expires}


def end_events(book: Book, parent_hash: bytes) -> None:
    """Add a candidate that is ready, one in a block, and remember the last block while another one waits."""
    house = book.house
    for key, one in list(house.candidates.items()):
        if not one.is_ready or not may_change(book):
            continue
        del house.candidates[key]
        before = [other.operator for other in house.validators.values()]
        if not find_group_problems(house, before, [*before, one.operator]):
            house.validators[key] = one
            house.set_height = book.docket.height
    if all(one.is_ready for one in house.candidates.values()):
        house.recent.clear()
    else:
        house.recent[book.docket.height - 1] = parent_hash
        house.recent.pop(book.docket.height - 1 - RECENT_MAX, None)


def note_reveal(house: House, key: bytes, link: bytes, height: int) -> None:
    """Note who proposed a block."""
    house.validators[key].link, house.validators[key].revealed = link, height
    house.last_proposer = key


def count_proposers(house: House, since: int) -> int:
    """Return how many of those who vote have revealed after a block."""
    return sum(one.revealed > since for one in house.validators.values())


# --- calls of a node ---


def run_call(book: Book, signer: bytes, call: NodeCall) -> set[str]:
    """Run a call that a node signs itself."""
    return validator_ready(book, signer, call) if isinstance(call, ValidatorReady) else rejoin(book, signer, call)


def validator_ready(book: Book, signer: bytes, call: ValidatorReady) -> set[str]:
    """Show that a candidate follows the chain, by a block since its acceptance, of the last hundred."""
    one = book.house.candidates.get(signer)
    if one is None:
        return {"candidate_unknown"}
    if one.is_ready:
        return {"already"}
    if book.house.recent.get(call.height) != call.block_hash:
        return {"block_not_recent"}
    one.is_ready = True
    return set()


def rejoin(book: Book, signer: bytes, call: Rejoin) -> set[str]:
    """End a quarantine."""
    if signer not in book.house.validators:
        return {"validator_unknown"}
    if call.height >= book.docket.height:
        return {"value_out_of_range"}
    height, _, times = book.house.rejoins.get(signer, (-1, 0, 0))
    if call.height <= height:
        return {"already"} if call.height == height else {"conflict"}
    book.house.rejoins[signer] = (call.height, book.docket.height, times + 1)
    return set()


# --- versions of the protocol ---


def puts_off(book: Book, call: UpgradeProtocol) -> bool:
    """Tell whether this only delays a version that does not run yet."""
    newest, height = book.house.protocol[-1]
    return call.version == newest and book.docket.height < height < call.height


def find_upgrade_problems(book: Book, call: UpgradeProtocol) -> set[str]:
    """Return what forbids to schedule a version."""
    if puts_off(book, call):
        return set()
    newest, height = book.house.protocol[-1]
    problems = set() if call.version == newest + 1 else {"protocol_version_invalid"}
    return problems | ({"protocol_height_passed"} if call.height <= max(book.docket.height + 1, height) else set())


def upgrade(book: Book, call: UpgradeProtocol) -> None:
    """Schedule a version, or put it off."""
    if puts_off(book, call):
        book.house.protocol.pop()
    book.house.protocol.append((call.version, call.height))
