"""Dispatch and what becomes of a transaction as a whole."""

import typing

import msgspec
import pytest

from chain.catalogue import get_entry_by_number
from chain.contract.calls import Call
from chain.contract.claim_calls import ClaimFile
from chain.contract.governance_calls import ProposalOpen, RemoveOrganisation
from chain.contract.member_calls import MemberApply, MemberLeave
from chain.contract.money_calls import DepositCredit
from chain.contract.plan_calls import BatchSign
from chain.contract.rules import apply_call, compute_batch_outcome
from chain.errors import InvariantViolation, Refusal
from chain.state import Overlay
from chain.types import ZERO_HASH
from tests.chain.contract.acts import refuse
from tests.chain.contract.claim_world import build_record, list_pending
from tests.chain.contract.world import World, build_terms, name_hash

CALLS = typing.get_args(Call)


def build_call(call_type: type[msgspec.Struct]) -> Call:
    """Return a call of this type that names nothing that exists."""
    fields: dict[str, object] = {}
    for field in msgspec.structs.fields(call_type):
        if field.name == "rules":
            fields["rules"] = build_terms()
        if field.name == "payload":
            fields["payload"] = RemoveOrganisation(name="nobody")
        if field.name == "items":
            item_type = typing.get_args(typing.get_args(field.type)[0])[0]
            if isinstance(item_type, type) and issubclass(item_type, msgspec.Struct):
                named = {"last_cover_year": 2060} if "last_cover_year" in item_type.__struct_fields__ else {}
                fields["items"] = (build_record(item_type, **named),)
            else:
                fields["items"] = (ZERO_HASH,)
    return typing.cast("Call", build_record(call_type, **fields))


@pytest.mark.parametrize("call_type", CALLS, ids=lambda call_type: call_type.__name__)
@pytest.mark.parametrize("signer", ["platform", "bank", "audit-one", "audit-two", "firm-a", "clinic", "stranger"])
def test_a_call_that_names_nothing_known_is_refused_and_changes_nothing(
    call_type: type[msgspec.Struct], signer: str
) -> None:
    world = World()
    before = list_pending(world.state)
    outcome = world.call(signer, build_call(call_type))
    assert outcome.number != 0
    assert get_entry_by_number(outcome.number).code not in ("fault", "success")
    assert list_pending(world.state) == before
    assert world.last_events == []


def test_a_refusal_rolls_back_what_came_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    member = world.join("a", 5_000)

    def refuse_late(state: Overlay, context: object, call: object) -> tuple[int, ...]:
        apply_call(state, context, call)  # type: ignore[arg-type]
        raise Refusal("conflict")

    monkeypatch.setattr("chain.contract.rules.apply_call", refuse_late)
    assert refuse(world, world.member(member).key, MemberLeave(member=member)) == "conflict"


def test_any_other_exception_propagates_so_that_the_transaction_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> tuple[int, ...]:
        raise KeyError("a bug")

    world = World()
    monkeypatch.setattr("chain.contract.rules.apply_call", explode)
    with pytest.raises(KeyError):
        world.call("bank", MemberLeave(member=name_hash("m")))


def test_a_violated_invariant_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def violate(*_: object) -> tuple[int, ...]:
        raise InvariantViolation("a bug")

    world = World()
    monkeypatch.setattr("chain.contract.rules.apply_call", violate)
    outcome = world.call("bank", MemberLeave(member=name_hash("m")))
    assert (outcome.number, outcome.items) == (1, ())


@pytest.mark.parametrize(
    ("items", "number"),
    [((), 0), ((0,), 0), ((7, 0, 100), 0), ((7, 100), 7), ((7, 7), 7), ((100, 101), 10)],
)
def test_a_batch_succeeds_if_any_item_does(items: tuple[int, ...], number: int) -> None:
    assert compute_batch_outcome(items) == number


def test_every_call_of_the_protocol_is_dispatched() -> None:
    # One of each area: the parametrised tests above walk all of them.
    assert {MemberApply, DepositCredit, ClaimFile, BatchSign, ProposalOpen} <= set(CALLS)
    assert len(CALLS) >= 65
