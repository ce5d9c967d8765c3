"""Batches that need several signatures: tried when the first party signs, carried out when the last one does."""

from collections.abc import Callable, Sequence

from chain.catalogue import SUCCESS, get_entry_by_number
from chain.contract.call_base import CallPart
from chain.contract.context import Context, apply_items
from chain.contract.halves import Party, cosign
from chain.errors import Refusal
from chain.state import Overlay


def cosign_items(
    state: Overlay,
    context: Context,
    *,
    plan: str,
    call: CallPart,
    parties: Sequence[Party],
    count: int,
    apply_one: Callable[[int], int],
) -> tuple[int, ...]:
    """Apply the items of a batch once every party has signed it; return their outcomes, none before.

    A half of which no item would succeed now is refused: with the items' common cause, else with items_refused.
    """
    if cosign(state, context, plan=plan, call=call, parties=parties) is not None:
        return apply_items(state, context, count, apply_one)
    mark, events = state.savepoint(), len(context.events)
    outcomes = apply_items(state, context, count, apply_one)
    state.rollback(mark)
    del context.events[events:]
    if SUCCESS not in outcomes:
        is_one_cause = min(outcomes) == max(outcomes)
        raise Refusal(get_entry_by_number(outcomes[0]).code if is_one_cause else "items_refused")
    return ()
