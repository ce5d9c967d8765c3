"""Steps of the machine around who votes on blocks: candidates, removals, reveals, versions of the protocol."""

from random import Random

from hypothesis.stateful import rule
from msgspec.structs import replace

from chain.contract.governance_calls import (
    AddValidator,
    Payload,
    Rejoin,
    RemoveValidator,
    RenewReveals,
    UpgradeProtocol,
    ValidatorReady,
)
from tests.chain.contract.governance_world import add_validator, block_hash
from tests.chain.contract.world import name_hash
from tests.model.governance import list_office
from tests.model.house import GOVERNING, NO_KEY
from tests.model.machine_base import pick
from tests.model.machine_house import pick_office, put_to_vote
from tests.model.reveals import make_anchor
from tests.model.story import Story

STAYS = name_hash("validator", "bank")
"""Never removed: the bank could then be replaced, and its name is that of whoever books here."""
WRONG: tuple[dict[str, object], ...] = (
    {"organisation": "nobody"},
    {"organisation": "firm-a"},
    {"key": name_hash("key", "bank")},
    {"checkpoint_key": STAYS},
    {"tls_pin": NO_KEY},
    {"reveal_anchor": NO_KEY},
    {"tls_pin": name_hash("pin", "bank")},
    {"host": "127.0.0.1", "port": 7_001},
)
"""What forbids to add a validator."""


def build_addition(story: Story, chance: Random, operator: str) -> AddValidator:
    """Return a wish for one more validator, as a rule a possible one."""
    number = len(story.book.house.node_keys) - chance.randrange(7) // 6
    wish = add_validator(f"node-{number}", operator=operator)
    wish = replace(wish, reveal_anchor=make_anchor(4 + chance.randrange(5)))
    return wish if chance.randrange(6) else replace(wish, **chance.choice(WRONG))


def pick_node(story: Story, chance: Random) -> bytes:
    """Return the key of a validator or candidate, now and then of nobody."""
    house = story.book.house
    known = [*house.validators, *house.candidates, *house.candidates]
    return chance.choice(known) if chance.randrange(11) else name_hash("no node", chance.randrange(3))


def build_change(story: Story, chance: Random, operator: str) -> Payload:
    """Return something about nodes to vote on."""
    house, key = story.book.house, pick_node(story, chance)
    newest, height = house.protocol[-1]
    upgrade = UpgradeProtocol(
        version=newest + chance.choice((0, 0, 1, 1, 1, 2)),
        height=max(1, chance.choice((height, story.world.height)) + chance.choice((0, 1, 2, 40, 90))),
    )
    gone = key if key != STAYS else name_hash("no node")
    anchor = make_anchor(4 + chance.randrange(5)) if chance.randrange(9) else NO_KEY
    return chance.choice(
        (
            build_addition(story, chance, operator),
            RemoveValidator(key=gone),
            RenewReveals(key=key, reveal_anchor=anchor),
            upgrade,
            upgrade,
        )
    )


def show_ready(story: Story, key: bytes, chance: Random) -> None:
    """Let a candidate show that it follows the chain."""
    height = story.world.height - chance.choice((1, 1, 1, 2, 3, 0, 100, 101))
    shown = block_hash(height) if chance.randrange(9) else name_hash("another chain")
    story.call(key, ValidatorReady(height=max(0, height), block_hash=shown))


class ValidatorRules:
    """What the machine does to the nodes."""

    story: Story

    @rule(choice=pick)
    def propose_change(self, choice: int) -> None:
        """Ask for a change of nodes, as a rule of one's own."""
        story, chance = self.story, Random(choice)
        operator = chance.choice(list_office(story.book.house, *GOVERNING))
        payload = build_change(story, chance, operator)
        key = payload.key if isinstance(payload, RemoveValidator | RenewReveals) else b""
        nodes = {**story.book.house.validators, **story.book.house.candidates}
        opener = nodes[key].operator if key in nodes else operator
        put_to_vote(story, opener if chance.randrange(6) else pick_office(story, choice, *GOVERNING), payload, chance)
        story.pass_days(31 if isinstance(payload, UpgradeProtocol) and choice % 4 else chance.choice((0, 1, 7)))

    @rule(choice=pick)
    def take_in(self, choice: int) -> None:
        """Take in a validator or two, and let one go, as a rule of those who run two."""
        story, chance, house = self.story, Random(choice), self.story.book.house
        for _ in range(chance.randrange(1, 3)):
            operator = chance.choice(list_office(house, *GOVERNING))
            put_to_vote(story, operator, build_addition(story, chance, operator), chance)
        story.pass_days(7)
        for key in list(house.candidates):
            show_ready(story, key, chance)
        nodes = [(key, one.operator) for key, one in house.validators.items() if key != STAYS]
        for key, operator in chance.sample(nodes, chance.randrange(1, 3)):
            opener = operator if operator in list_office(house, *GOVERNING) else "bank"
            put_to_vote(story, opener, RemoveValidator(key=key), chance)
        story.agree()
        for _ in range(chance.randrange(3)):
            story.next_block()
            story.agree()
        story.pass_days(chance.randrange(3))

    @rule(choice=pick)
    def speak(self, choice: int) -> None:
        """Let nodes show that they follow the chain, once or twice, or let an operator end a quarantine."""
        story, chance = self.story, Random(choice)
        key = pick_node(story, chance)
        if chance.randrange(2):
            before, _, _ = story.book.house.rejoins.get(key, (0, 0, 0))
            height = chance.choice((story.world.height - chance.randrange(4), before, before + 1, before - 1))
            story.call(key, Rejoin(height=max(0, height)))
            return
        for candidate in [*story.book.house.candidates, key][chance.randrange(2) :]:
            for _ in range(chance.randrange(1, 3)):
                show_ready(story, candidate, chance)
        if chance.randrange(2):
            story.next_block()
