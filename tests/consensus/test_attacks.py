"""What one liar may try beyond plain equivocation: false copies, old signatures, wishes, and silence on bad links."""

import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.types import INT_MAX, Hash
from consensus.describe import describe_signed
from consensus.effects import Evidence
from consensus.events import BlockContent
from consensus.messages import (
    Commit,
    Held,
    Item,
    NewView,
    OwnMessage,
    Prepare,
    Proposal,
    Shown,
    Status,
    ViewChange,
    get_kind,
)
from consensus.state import Check
from consensus.status import compute_lacking
from tests.simulator.cluster import Cluster
from tests.simulator.liar import Lie
from tests.simulator.swarm import Story
from tests.simulator.world import Faults

LIAR = 3
NOTHING = Held(has_new_view=False, has_proposal=False, view_changes=b"", prepares=b"", commits=b"")
FALSE_ITEMS: tuple[Item, ...] = ((bytes(32), bytes(64)),)


def proposal_of(cluster: Cluster, block: BlockContent, view: int, leader: int = 0) -> Proposal:
    message = cluster.proposal(leader, leader, block, view)
    assert isinstance(message, Proposal)
    return message


def settle_all(cluster: Cluster, rounds: int = 4) -> None:
    """Deliver everything, with STATUS in between."""
    for _ in range(rounds):
        for node in cluster.honest:
            node.feed_status()
        cluster.world.run_until(cluster.world.now_ms + 300)
        cluster.deliver()


# --- copies of a proposal: only the header is under a signature ---


def test_leader_cannot_swap_the_items_of_a_block_that_was_found_valid() -> None:
    """What I am bound to would be a list that nobody can execute, and I would propose it as the next leader."""
    cluster = Cluster(4, liars=(0,))
    block = cluster.block(1, 0, b"a")
    true = proposal_of(cluster, block, 0)
    cluster[1].receive(2, true)  # the liar sends its proposal to node 2 alone, which passes it on
    cluster.settle()
    assert cluster.state(1).asked.prepare == 0
    cluster[1].receive(0, replace(true, items=FALSE_ITEMS))
    cluster.settle()
    slot = cluster.state(1).proposal
    assert slot is not None
    assert slot.content.items == block.items
    for signer in (0, 2):
        cluster[1].receive(signer, cluster.vote(Prepare, signer, signer, 1, 0, block.block_hash))
    locked = cluster.state(1).locked_content
    assert locked is not None
    assert locked.items == block.items


def test_restarted_node_is_not_bound_to_a_copy_that_it_never_checked() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a", to=[0])
    first = cluster.state(0).proposal
    assert first is not None
    cluster.deliver(Proposal)
    cluster.drop()
    cluster[1].crash()
    cluster[1].boot()
    cluster.settle()
    cluster.deliver(Status)
    assert cluster.state(1).is_started
    cluster[1].receive(LIAR, replace(first.message, items=FALSE_ITEMS))
    for signer in (0, LIAR):
        cluster[1].receive(signer, cluster.vote(Prepare, signer, signer, 1, 0, first.content.block_hash))
    cluster.settle()
    state = cluster.state(1)
    assert state.asked.commit == 0
    assert state.locked_content is None or state.locked_content.items == first.content.items


def test_copy_that_is_not_checked_is_not_passed_on() -> None:
    """Whoever got it from me would take no copy of mine again in this view."""
    cluster = Cluster(4, liars=(0,))
    block = cluster.block(1, 0, b"a")
    false = replace(proposal_of(cluster, block, 0), items=FALSE_ITEMS)
    node = cluster[1]
    node.receive(LIAR, false)  # not settled: the check is under way
    slot = cluster.state(1).proposal
    assert slot is not None
    assert slot.check is Check.ASKED
    asking = replace(cluster.build_status(1, 2, wants=0), held=NOTHING)
    lacking = compute_lacking(cluster.state(1), asking)
    assert not any(isinstance(message, Proposal) for message in lacking)
    cluster.settle()
    node.receive(2, proposal_of(cluster, block, 0))
    cluster.settle()
    lacking = compute_lacking(cluster.state(1), asking)
    assert any(isinstance(message, Proposal) for message in lacking)


def test_leader_that_withholds_the_items_loses_its_view_and_costs_a_bounded_memory() -> None:
    cluster = Cluster(4, liars=(0,))
    items = cluster.submit(b"a")
    block = cluster.block(1, 0, b"a")
    for number in range(50):
        false = replace(proposal_of(cluster, block, 0), items=((bytes([number] * 32), bytes(64)),))
        cluster.inject([1, 2, 3], 0, false)
    for index in (1, 2, 3):
        assert cluster.state(index).asked.prepare == -1
        assert len(cluster.state(index).bad_relays) <= 4
        cluster.expire(index)
    settle_all(cluster)
    assert [node.head.height for node in cluster.honest] == [1, 1, 1]
    assert items[0] in cluster[1].head.content.items


def test_evidence_is_told_without_what_a_liar_chose_to_carry() -> None:
    cluster = Cluster(4, liars=(0,))
    many = tuple((bytes([number % 256] * 32), bytes(64)) for number in range(4_000))
    cluster.inject([1], 0, proposal_of(cluster, cluster.block(1, 0, b"a"), 0))
    cluster.inject([1], 0, replace(proposal_of(cluster, cluster.block(1, 0, b"b"), 0), items=many))
    found = [fault for fault in cluster[1].faults if isinstance(fault, Evidence)]
    assert len(found) == 1
    for message in (found[0].first, found[0].second):
        told = describe_signed(message)
        assert len(told) < 1_000
        assert encode(message.body).hex() in told
        assert message.signature.hex() in told


# --- old signatures ---


def test_old_signatures_of_mine_shown_in_any_way_move_nothing() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    kept: list[OwnMessage] = []
    for word in (b"a", b"b"):
        cluster.submit(word)
        kept.extend(
            mail.message for mail in cluster.world.mail if isinstance(mail.message, ViewChange | NewView | Proposal)
        )
        for node in cluster.honest:
            kept.extend(record for record in node.disk.journal if isinstance(record, OwnMessage))
        settle_all(cluster)
    assert [node.head.height for node in cluster.honest] == [2, 2, 2]
    assert len({get_kind(message) for message in kept}) >= 2
    before = [cluster.state(index) for index in range(3)]
    for message in kept:
        shown = Shown(kind=int(get_kind(message)), body=encode(message.body), signature=message.signature)
        status = replace(cluster.build_status(message.signer, LIAR, wants=0), shown=shown)
        cluster.inject([0, 1, 2], LIAR, message)
        cluster.inject([message.signer], LIAR, status)
    for index, state in enumerate(before):
        after = cluster.state(index)
        assert after.quarantine is None
        assert (after.height, after.view, after.mark) == (state.height, state.view, state.mark)


def test_message_of_another_set_under_my_index_is_not_held_against_its_sender() -> None:
    """Indexes are those of the set of the height: at another height mine may be somebody else's."""
    cluster = Cluster(4)
    for height in (2, 0, 7):
        vote = cluster.vote(Commit, 1, 0, height, 0, Hash(bytes(32)))
        cluster[0].receive(1, vote)
        assert cluster.state(0).peers[1].invalid_ms == -1
    assert cluster.state(0).quarantine is None


# --- votes and wishes ---


@pytest.mark.parametrize("kind", [Prepare, Commit])
def test_liar_that_votes_for_another_block_with_each_node_does_not_stop_the_others(
    kind: type[Prepare] | type[Commit],
) -> None:
    cluster = Cluster(4, liars=(LIAR,))
    for target in range(3):
        cluster.inject([target], LIAR, cluster.vote(kind, LIAR, LIAR, 1, 0, Hash(bytes([target] * 32))))
        cluster.inject([target], LIAR, cluster.vote(kind, LIAR, LIAR, 1, INT_MAX, Hash(bytes([target] * 32))))
    cluster.submit(b"a")
    settle_all(cluster)
    assert [node.head.height for node in cluster.honest] == [1, 1, 1]
    assert [cluster.state(index).view for index in range(3)] == [0, 0, 0]


def test_wishes_that_alternate_make_nobody_talk_or_sign() -> None:
    cluster = Cluster(4, liars=(LIAR,))
    cluster.submit(b"a", to=[0])
    cluster.drop()
    cluster.expire(0)  # one honest wish: with the liar's it makes f+1
    settle_all(cluster, rounds=1)
    view = cluster.state(0).view
    sent = cluster.world.sent
    signed = [len(cluster.world.signed.get(index, {})) for index in range(3)]
    for round_ in range(100):
        for index in range(3):
            wants = (0, INT_MAX)[round_ % 2]
            cluster[index].receive(LIAR, cluster.build_status(index, LIAR, wants=wants))
    assert [cluster.state(index).view for index in range(3)] == [view] * 3
    assert [len(cluster.world.signed.get(index, {})) for index in range(3)] == signed
    assert cluster.world.sent - sent <= 100


# --- bad links for ever ---


class LossyStory(Story):
    """After the chaos one node stays silent for ever and the links go on losing a quarter of all."""

    def _heal(self) -> None:
        super()._heal()
        self.world.faults = Faults(loss=250, delay_ms_max=100)
        silent = self.nodes[self.liars[0]]
        silent.crash()
        silent.boot = lambda: None  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", [1003, 1017, 1041])
def test_three_of_four_go_on_over_links_that_lose_a_quarter_of_all_frames(seed: int) -> None:
    outcome = LossyStory(seed, 4, lies=(Lie.MUTE_LEADER,)).run()
    assert outcome.failure is None
    assert outcome.recovery_ms < 20_000
