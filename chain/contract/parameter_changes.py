"""Changing what all nodes share: parameters, and the protocol version of a height (contract 5; consensus 8).

A parameter of genesis may be changed where nobody's signature or proof rests on it. W (the validity window), the
tenures and the versions are fixed: what was signed or is being led now would mean something else. A change holds from
the block after the one that makes it. It must lie in a range that is narrower than that of genesis and fit all the
others, because nothing that was voted for may stop the chain (pitfalls C33): a development chain may start with
values that governance could not set, and keep them.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from chain.contract.call_base import ITEMS_MAX
from chain.contract.context import Context
from chain.contract.governance_calls import SetParameter, UpgradeProtocol
from chain.contract.governance_events import ParameterChanged, ProtocolScheduled
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.round_record import PARAMETERS, PROTOCOL, ProtocolRecord
from chain.state import Overlay

RANGES: Final[dict[str, tuple[int, int]]] = {
    "idle_interval_ms": (100, 60_000),
    "block_gap_ms": (0, 1_000),
    "block_transactions_max": (100, 8_192),
    "block_items_max": (ITEMS_MAX, 20_000),
    "block_bytes_max": (262_144, 4_000_000),
    "advance_max_ms": (86_400_000, 2_678_400_000),
    "past_max_ms": (2_000, 600_000),
    "future_max_ms": (100, 60_000),
    "view_timeout_base_ms": (500, 60_000),
    "view_timeout_cap_ms": (1_000, 600_000),
    "request_timeout_ms": (1_000, 600_000),
    "drain_max": (20, 10_000),
}
"""Lowest and highest value that governance may set, by parameter; what is not here never changes."""
GAPS_PER_TIMEOUT: Final = 4
"""A leader that paces its blocks must not be taken for a silent one."""
VERSION_MAX: Final = 255


def validate_set_parameter(state: Overlay, call: SetParameter) -> None:
    """Raise `Refusal`: parameter_fixed, already (it has this value), parameter_unsafe (range, or with the others)."""
    _compute_parameters(state, call)


def _compute_parameters(state: Overlay, call: SetParameter) -> Parameters:
    bounds = RANGES.get(call.name)
    if bounds is None:
        raise Refusal("parameter_fixed", parameter=call.name)
    before = state.require(PARAMETERS)
    if get_parameter(before, call.name) == call.value:
        raise Refusal("already")
    if not bounds[0] <= call.value <= bounds[1]:
        raise Refusal("parameter_unsafe", parameter=call.name, least=bounds[0], most=bounds[1])
    after = replace(before, **{call.name: call.value})
    contradiction = find_contradiction(after)
    if contradiction is not None and contradiction != find_contradiction(before):
        raise Refusal("parameter_unsafe", parameter=call.name, rule=contradiction)
    return after


def get_parameter(parameters: Parameters, name: str) -> int:
    """Return a parameter by its name."""
    value = msgspec.structs.asdict(parameters)[name]
    return int(value)


def find_contradiction(parameters: Parameters) -> str | None:
    """Return the first rule that these parameters break together, None where they fit."""
    if parameters.view_timeout_cap_ms < parameters.view_timeout_base_ms:
        return "view_timeout_cap_ms >= view_timeout_base_ms"
    if parameters.block_gap_ms * GAPS_PER_TIMEOUT > parameters.view_timeout_base_ms:
        return f"view_timeout_base_ms >= {GAPS_PER_TIMEOUT} * block_gap_ms"
    if parameters.request_timeout_ms < parameters.view_timeout_base_ms:
        return "request_timeout_ms >= view_timeout_base_ms"
    if parameters.past_max_ms < parameters.view_timeout_base_ms:
        return "past_max_ms >= view_timeout_base_ms"
    if parameters.advance_max_ms < parameters.idle_interval_ms:
        return "advance_max_ms >= idle_interval_ms"
    if parameters.block_items_max < parameters.block_transactions_max:
        return "block_items_max >= block_transactions_max"
    return None


def apply_set_parameter(state: Overlay, context: Context, call: SetParameter) -> None:
    """Change a parameter from the next block on, checked again on the day of the effect."""
    after = _compute_parameters(state, call)
    value_before = get_parameter(state.require(PARAMETERS), call.name)
    state.put(PARAMETERS, after)
    context.emit(ParameterChanged(parameter=call.name, value_before=value_before, value=call.value))


# --- protocol versions ---


def validate_upgrade_protocol(state: Overlay, context: Context, call: UpgradeProtocol) -> None:
    """Raise `Refusal`: protocol_version_invalid (not the next one), protocol_height_passed."""
    _compute_versions(state, context, call)


def is_postponement(state: Overlay, call: UpgradeProtocol, *, height: int) -> bool:
    """Tell whether this puts a scheduled version off that does not run yet: most nodes turned out not to know it."""
    newest, from_height = state.require(PROTOCOL).versions[-1]
    return call.version == newest and height < from_height < call.height


def _compute_versions(state: Overlay, context: Context, call: UpgradeProtocol) -> tuple[tuple[int, int], ...]:
    versions = state.require(PROTOCOL).versions
    if is_postponement(state, call, height=context.height):
        return (*versions[:-1], (call.version, call.height))
    newest, from_height = versions[-1]
    if call.version != newest + 1 or call.version > VERSION_MAX:
        raise Refusal("protocol_version_invalid", version=call.version, next=newest + 1)
    # At least one block between the decision and the first header of the new version.
    if call.height <= max(context.height + 1, from_height):
        raise Refusal("protocol_height_passed", height=call.height)
    return (*versions, (call.version, call.height))


def apply_upgrade_protocol(state: Overlay, context: Context, call: UpgradeProtocol) -> None:
    """Schedule a protocol version or put it off, checked again on the day of the effect."""
    state.put(PROTOCOL, ProtocolRecord(versions=_compute_versions(state, context, call)))
    context.emit(ProtocolScheduled(version=call.version, height=call.height))
