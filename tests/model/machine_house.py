"""Steps of the machine around the consortium: proposals, votes, stolen keys."""

from random import Random

from hypothesis.stateful import rule

from chain.contract.governance_calls import (
    AddOrganisation,
    ChangeKey,
    EndPlan,
    OrgKeyRevoke,
    Payload,
    ProposalOpen,
    ProposalVote,
    PublishRules,
    RemoveOrganisation,
    ResumePlan,
    SetParameter,
    StopPlan,
)
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.governance import PARAMETER, list_office
from tests.model.house import GOVERNING, NO_KEY
from tests.model.machine_base import pick
from tests.model.machine_claims import CHOICES, file_rightly, walk_all
from tests.model.machine_plan import VersionRules
from tests.model.story import Story

AUDITOR = ("audit-three", 2, "g-three")
NEW = (
    ("firm-e", 3, "g-e"),
    ("firm-f", 3, "g-f"),
    ("firm-g", 3, "g-firm-a"),
    AUDITOR,
    ("clinic-b", 4, "g-clinic"),
    ("bank-b", 1, "g-bank-b"),
)
"""(name, role, group) of those who would like to come in."""


def build_payload(story: Story, choice: int) -> Payload:
    """Return something to vote on."""
    offices = story.book.house.offices
    names = [*offices, "nobody"]
    some = names[choice // 3 % len(names)]
    name, role, group = NEW[choice // 5 % len(NEW)]
    has_recovery = (role < 3) == (choice % 31 != 30)
    key = (name_hash("key", name), NO_KEY, name_hash("key", "bank"), name_hash("recovery", "bank"))[
        0 if choice % 13 else choice // 13 % 4
    ]
    add = AddOrganisation(
        name=name if choice % 17 else "firm-a",
        role=role,
        group=group if choice % 19 else "g-platform",
        key=key,
        recovery_key=name_hash("recovery", name) if has_recovery else NO_KEY,
    )
    payloads: tuple[Payload, ...] = (
        add,
        add,
        RemoveOrganisation(name=some),
        RemoveOrganisation(name=some),
        ChangeKey(organisation=some, new_key=name_hash("new key", some, choice % 7)),
        SetParameter(name=PARAMETER if choice % 9 else "tenure", value=(100, 60_000, 99, 60_001, 500)[choice // 3 % 5]),
        PublishRules(plan=PLAN_NAME, version=choice % 3, is_stopped=choice % 2 == 0),
        StopPlan(plan=PLAN_NAME if choice % 11 else "other"),
        ResumePlan(plan=PLAN_NAME),
    )
    if choice % 23 == 0:
        return EndPlan(plan=PLAN_NAME)
    return payloads[choice // 7 % len(payloads)]


def pick_office(story: Story, choice: int, *roles: str) -> str | bytes:
    """Return somebody in office, now and then anybody."""
    names = list_office(story.book.house, *roles)
    if choice % 23 == 22:
        return name_hash("stranger")
    everybody = list(story.book.house.offices)
    return names[choice % len(names)] if choice % 7 else everybody[choice // 7 % len(everybody)]


def put_to_vote(story: Story, opener: str | bytes, payload: Payload, chance: Random) -> None:
    """Propose something, and let most vote."""
    outcome = story.call(opener, ProposalOpen(payload=payload, reason_hash=name_hash("reason", chance.randrange(3))))
    if outcome.number == 0 and chance.randrange(5):
        name = bytes(story.world.last_tx)
        for voter in list_office(story.book.house, *GOVERNING)[chance.randrange(2) :]:
            story.call(voter, ProposalVote(proposal=name, is_yes=chance.randrange(13) > 0))


class Publisher(VersionRules):
    """Somebody who publishes rules."""

    def __init__(self, story: Story) -> None:
        self.story = story


class HouseRules:
    """What the machine does in the house."""

    story: Story

    @rule(choice=pick)
    def propose(self, choice: int) -> None:
        """Propose something."""
        story, chance = self.story, Random(choice)
        payload = build_payload(story, chance.randrange(CHOICES))
        opener = pick_office(story, chance.randrange(CHOICES), *GOVERNING)
        is_known = isinstance(payload, RemoveOrganisation) and payload.name in story.book.house.offices
        if isinstance(payload, RemoveOrganisation) and is_known and chance.randrange(3) == 0:
            opener = payload.name
        put_to_vote(story, opener, payload, chance)

    @rule(choice=pick)
    def stop_and_go(self, choice: int) -> None:
        """Stop the plan, or rules that are disclosed, and let them go on, each by vote."""
        story, chance = self.story, Random(choice)
        payloads: tuple[Payload, ...] = (StopPlan(plan=PLAN_NAME), ResumePlan(plan=PLAN_NAME))
        if chance.randrange(2):
            Publisher(story).publish(choice=chance.randrange(CHOICES))
            version = len(story.book.versions) - 1
            payloads = tuple(PublishRules(plan=PLAN_NAME, version=version, is_stopped=stop) for stop in (True, False))
        for payload in payloads:
            put_to_vote(story, pick_office(story, chance.randrange(CHOICES), *GOVERNING), payload, chance)
            for _ in range(chance.randrange(3)):
                story.next_block()
        story.pass_days(chance.randrange(4))

    @rule(choice=pick)
    def exchange(self, choice: int) -> None:
        """Take in a firm and let another one go, which has just been drawn for a claim; or an auditor, who goes too."""
        story, chance = self.story, Random(choice)
        name, role, group = chance.choice((NEW[0], NEW[1], AUDITOR))
        leaver = name if role == AUDITOR[1] else chance.choice(list_office(story.book.house, "assessor"))
        recovery = name_hash("recovery", name) if role == AUDITOR[1] else NO_KEY
        add = AddOrganisation(name=name, role=role, group=group, key=name_hash("key", name), recovery_key=recovery)
        put_to_vote(story, "bank", add, chance)
        story.pass_days(7)
        put_to_vote(story, "bank", RemoveOrganisation(name=leaver), chance)
        story.pass_days(chance.randrange(4, 7))
        for _ in range(2):
            file_rightly(story, chance.randrange(CHOICES))
        walk_all(story, chance, 2)

    @rule(choice=pick)
    def flood(self, choice: int) -> None:
        """Ask for one thing after the other, whether or not one may."""
        chance, house = Random(choice), self.story.book.house
        opener = chance.choice([*list_office(house, *GOVERNING), *list_office(house, "assessor")])
        for number in range(9):
            value = SetParameter(name=PARAMETER, value=200 + number)
            key = ChangeKey(organisation=opener, new_key=name_hash("new key", opener, number))
            payload = key if number % 4 == 0 or opener not in list_office(house, *GOVERNING) else value
            self.story.call(opener, ProposalOpen(payload=payload, reason_hash=name_hash("reason", number)))

    @rule(choice=pick)
    def vote(self, choice: int) -> None:
        """Vote on something, once or twice."""
        chance, known = Random(choice), list(self.story.book.house.proposals)
        name = chance.choice(known) if known and chance.randrange(11) else name_hash("no proposal")
        voter = pick_office(self.story, chance.randrange(CHOICES), *GOVERNING)
        for _ in range(chance.randrange(1, 3)):
            self.story.call(voter, ProposalVote(proposal=name, is_yes=chance.randrange(4) > 0))

    @rule(choice=pick)
    def revoke(self, choice: int) -> None:
        """Call a key stolen, as a rule by the recovery key."""
        chance, house = Random(choice), self.story.book.house
        name = chance.choice([*list_office(house, *GOVERNING), *house.offices, "nobody"])
        key = house.offices[name].recovery if name in house.offices and chance.randrange(5) else name_hash("stranger")
        new_key = name_hash("again", name, chance.randrange(5)) if chance.randrange(7) else name_hash("key", "bank")
        self.story.call(key, OrgKeyRevoke(organisation=name, new_key=new_key))
