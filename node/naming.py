"""Between the node and its core: peers by number on the one side, by index in the set of the height on the other.

The set moves with commits, numbers stay. So an event is translated when it is handled, not when it comes, and effects
by the set of the state that caused them.
"""

from msgspec.structs import replace

from consensus.effects import CatchUp, Effects, Fault, FetchBlock, Note, Send
from consensus.events import Event, PeerDown, PeerUp, Received, RequestOverdue
from consensus.messages import Status
from consensus.state import State
from node.peers import PeerTable

GUEST_GAP_MS = 100
"""A guest's STATUS is answered; one that comes sooner after the last is passed over."""


class Naming:
    """Translate for one runtime; knows who is connected."""

    def __init__(self, peers: PeerTable) -> None:
        self._peers = peers
        self._connected: dict[int, None] = {}
        self._heard_ms: dict[int, int] = {}
        """When a guest's STATUS was passed on last."""

    def to_core(self, event: Event, state: State) -> Event | None:
        """Return an event as the core of this state understands it; None for one that is not worth its time."""
        match event:
            case Received(peer=number):
                index = self._peers.find_index(number, state.validators)
                if index >= state.n and isinstance(event.message, Status):
                    heard_ms = self._heard_ms.get(number, event.now_ms - GUEST_GAP_MS)
                    if event.now_ms - heard_ms < GUEST_GAP_MS:
                        return None
                    self._heard_ms[number] = event.now_ms
                return event if index == number else replace(event, peer=index)
            case PeerUp(peer=number):
                self._connected[number] = None
                return replace(event, peer=self._peers.find_index(number, state.validators))
            case PeerDown(peer=number):
                self._connected.pop(number, None)
                self._heard_ms.pop(number, None)
                return replace(event, peer=self._peers.find_index(number, state.validators))
            case RequestOverdue(leader=number):
                return replace(event, leader=self._peers.find_index(number, state.validators))
            case _:
                return event

    def find_unknown(self, state: State) -> list[int]:
        """Return the connected peers of whose connection the core does not know since the set has changed."""
        unknown = []
        for number in sorted(self._connected):
            index = self._peers.find_index(number, state.validators)
            if index >= state.n or not state.peers[index].is_connected:
                unknown.append(number)
        return unknown

    def to_numbers(self, effects: Effects, state: State) -> Effects:
        """Return effects with numbers in the place of indexes."""
        named = effects
        if effects.send:
            named = replace(named, send=tuple(self._name_send(send, state) for send in effects.send))
        if effects.commit is not None:
            holders = self._peers.find_numbers(effects.commit.holders, state.validators)
            named = replace(named, commit=replace(effects.commit, holders=holders))
        if effects.check:
            named = replace(
                named,
                check=tuple(
                    replace(check, holders=self._peers.find_numbers(check.holders, state.validators))
                    for check in effects.check
                ),
            )
        if effects.sync:
            named = replace(named, sync=tuple(self._name_sync(task, state) for task in effects.sync))
        if effects.faults:
            named = replace(named, faults=tuple(self._name_fault(fault, state) for fault in effects.faults))
        return named

    def _name_send(self, send: Send, state: State) -> Send:
        if send.to is None:
            return send
        number = self._peers.find_number(send.to, state.validators)
        return send if number == send.to else replace(send, to=number)

    def _name_sync(self, task: FetchBlock | CatchUp, state: State) -> FetchBlock | CatchUp:
        match task:
            case FetchBlock(holders=holders):
                return replace(task, holders=self._peers.find_numbers(holders, state.validators))
            case CatchUp(peer=index):
                return replace(task, peer=self._peers.find_number(index, state.validators))

    def _name_fault(self, fault: Fault, state: State) -> Fault:
        if isinstance(fault, Note) and fault.peer is not None:
            return replace(fault, peer=self._peers.find_number(fault.peer, state.validators))
        return fault
