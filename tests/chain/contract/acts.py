"""Acts that tests of the contract share: refusals that change nothing, calls that succeed, instructions by event."""

from chain.catalogue import get_entry_by_number
from chain.contract.calls import Call
from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_FAILED, INSTRUCTION_READY
from chain.contract.events import Event
from chain.contract.member_calls import AccountVerify, AccountVerifyItem
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.world import World, name_hash


def refuse(world: World, signer: str | bytes, call: Call) -> str:
    """Return the code with which a call is refused, whole or in its only item; it must leave nothing behind."""
    before = list_pending(world.state)
    outcome = world.call(signer, call)
    assert list_pending(world.state) == before, "a refused call changed the state"
    assert not world.last_events, "a refused call left an event"
    number = outcome.items[0] if len(outcome.items) == 1 else outcome.number
    assert number != 0, "the call was not refused"
    return get_entry_by_number(number).code


def do(world: World, signer: str | bytes, call: Call) -> list[Event]:
    """Make a call that must succeed, each of its items too; return its events."""
    outcome = world.call(signer, call)
    assert outcome.number == 0 and not any(outcome.items), get_entry_by_number(outcome.number).code
    return world.last_events


def member_key(name: str) -> bytes:
    """Return the key with which `World.apply` signs for a name."""
    return name_hash("member", name)


def build_verify(world: World, member: bytes, name: str, **changes: object) -> AccountVerify:
    """Build the bank's word on a member who was verified before: another account of the same person."""
    fields: dict[str, object] = {
        "member": member,
        "person_index": name_hash("person", name),
        "account_token": name_hash("token", name, "new"),
        "holder_kind": 0,
        "key_challenge_hash": name_hash("challenge", name),
        "last_cover_year": world.member(member).last_cover_year,
    }
    return AccountVerify(items=(AccountVerifyItem(**(fields | changes)),))  # type: ignore[arg-type]


def list_failed_aid(world: World) -> list[bytes]:
    """Return the aid instructions that failed, by the events that named them."""
    return [item for item in list_instructions(world) if _is_aid(world, item, INSTRUCTION_FAILED)]


def list_ready_aid(world: World) -> list[bytes]:
    """Return the aid instructions that wait for the bank."""
    return [item for item in list_instructions(world) if _is_aid(world, item, INSTRUCTION_READY)]


def _is_aid(world: World, instruction: bytes, state: int) -> bool:
    record = world.instruction(instruction)
    return (record.kind, record.state) == (INSTRUCTION_AID, state)


def list_instructions(world: World) -> list[bytes]:
    """Return all instructions that an event named, in the order of their making."""
    found: dict[bytes, None] = {}
    for event in world.events:
        instruction = getattr(event, "instruction", None)
        if isinstance(instruction, bytes):
            found[instruction] = None
    return list(found)
