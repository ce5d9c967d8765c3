"""Governing by vote: who is in, with which key, and orders to a plan (contract 5 *proposal_open*; ADR 0021).

Who votes on blocks is in validators.py, the move of an account in custody.py.
"""

import msgspec

from chain.contract.governance_calls import (
    AddOrganisation,
    AddValidator,
    ChangeKey,
    EndPlan,
    MoveCustody,
    OrgKeyRevoke,
    Payload,
    ProposalOpen,
    ProposalVote,
    PublishRules,
    RemoveOrganisation,
    RemoveValidator,
    RenewReveals,
    ResumePlan,
    SetParameter,
    StopPlan,
    UpgradeProtocol,
)
from chain.contract.parameter_changes import RANGES
from chain.genesis import ROLE_NAMES, Parameters
from tests.model import assessors, custody, reaudit, stops, validators, versions, wind
from tests.model.book import Book
from tests.model.house import GOVERNING, NO_KEY, House, Office, Proposal, find_key_problems
from tests.model.records import Timer

WATCHING = ("custodian", "auditor")
LIVE_MAX, OWN_MAX, OTHERS_MAX = 64, 8, 16
PARAMETER = "future_max_ms"
"""The one that is changed here: no other hangs on it."""
PlanOrder = MoveCustody | EndPlan | StopPlan | ResumePlan | PublishRules


def list_office(house: House, *roles: str) -> list[str]:
    """Return who is in office in some roles, in their order."""
    return [name for role in roles for name, one in house.offices.items() if one.role == role and not one.has_left]


def found(book: Book, recovery: dict[str, bytes], others: set[bytes]) -> None:
    """Begin with whom genesis names; `others` are keys of validators."""
    for key, (name, role) in book.organisations.items():
        book.house.offices[name] = Office(role, f"g-{name}", key, recovery.get(name, NO_KEY))
    book.house.keys = others | set(book.organisations) | set(recovery.values())
    book.house.parameters = {PARAMETER: msgspec.structs.asdict(Parameters())[PARAMETER]}
    show(book)


def show(book: Book) -> None:
    """Let the plan see who is in office, with the present keys, in the order of joining."""
    offices = book.house.offices
    book.organisations = {one.key: (name, one.role) for name, one in offices.items() if not one.has_left}
    book.docket.groups = {name: one.group for name, one in offices.items()}


# --- what is possible ---


def find_concerned(house: House, payload: Payload) -> str | None:
    """Return whom it is about, and who therefore has no vote."""
    match payload:
        case AddOrganisation(role=role) if ROLE_NAMES[role] in ("platform", "custodian"):
            return list_office(house, ROLE_NAMES[role])[0]
        case RemoveOrganisation(name=name):
            return name
        case ChangeKey(organisation=organisation) | AddValidator(organisation=organisation):
            return organisation
        case RemoveValidator(key=key) | RenewReveals(key=key):
            return validators.find_operator(house, key)
        case _:
            return None


def find_problems(book: Book, payload: Payload) -> set[str]:
    """Return why something is not possible now."""
    match payload:
        case AddOrganisation():
            return find_add_problems(book.house, payload)
        case RemoveOrganisation(name=name):
            return find_remove_problems(book.house, name)
        case ChangeKey(organisation=name, new_key=key):
            known = book.house.offices.get(name)
            problems = find_key_problems(book.house, key)
            return problems | {"organisation_unknown"} if known is None or known.has_left else problems
        case SetParameter(name=name, value=value):
            if name not in RANGES:
                return {"parameter_fixed"}
            low, high = RANGES[name]
            problems = set() if low <= value <= high else {"parameter_unsafe"}
            return problems | ({"already"} if book.house.parameters[name] == value else set())
        case MoveCustody() | EndPlan() | StopPlan() | ResumePlan() | PublishRules():
            return find_order_problems(book, payload)
        case AddValidator() | RemoveValidator() | RenewReveals():
            return validators.find_set_problems(book.house, payload)
        case UpgradeProtocol():
            return validators.find_upgrade_problems(book, payload)


def find_add_problems(house: House, payload: AddOrganisation) -> set[str]:
    """Return what forbids to take somebody in."""
    role, problems = ROLE_NAMES[payload.role], set()
    if payload.name in house.offices:
        problems.add("organisation_name_used")
    if (role in GOVERNING) == (payload.recovery_key == NO_KEY):
        problems.add("value_out_of_range")
    keys = [payload.key] if payload.recovery_key == NO_KEY else [payload.key, payload.recovery_key]
    problems |= find_key_problems(house, *keys)
    replaced = find_concerned(house, payload)
    for name, one in house.offices.items():
        is_sister = role == one.role == "hospital"
        if one.group == payload.group and not one.has_left and name != replaced and not is_sister:
            problems.add("group_conflict")
    if replaced is not None and validators.has_validator(house, replaced):
        problems.add("validators_first")
    return problems


def find_remove_problems(house: House, name: str) -> set[str]:
    """Return what forbids to let somebody go."""
    one = house.offices.get(name)
    if one is None or one.has_left:
        return {"organisation_unknown"}
    left = [other for other in list_office(house, one.role) if other != name]
    least = {"platform": 99, "custodian": 99, "auditor": 2, "assessor": 4, "hospital": 0}[one.role]
    count = len({house.offices[other].group for other in left}) if one.role == "assessor" else len(left)
    problems = {"roster_minimum"} if count < least else set()
    return problems | {"validators_first"} if validators.has_validator(house, name) else problems


def find_order_problems(book: Book, order: PlanOrder) -> set[str]:
    """Return what forbids an order to a plan."""
    if order.plan != "care":
        return {"plan_unknown"}
    if book.status == "ended":
        return {"plan_not_active"}
    match order:
        case MoveCustody():
            return custody.find_problems(book, order)
        case EndPlan():
            return {"already"} if book.is_winding else set()
        case StopPlan():
            return {"already"} if book.status == "paused" else set()
        case ResumePlan():
            return set() if book.status == "paused" else {"plan_not_paused"}
        case PublishRules(version=version, is_stopped=is_stopped):
            if version >= len(book.versions):
                return {"rules_version_unknown"}
            wanted = "disclosed" if is_stopped else "stopped"
            return set() if book.versions[version].status == wanted else {"version_state"}


# --- who decides ---


def get_policy(book: Book, one: Proposal) -> tuple[tuple[str, ...], int, int]:
    """Return (roles that count, yes that are needed, days from acceptance to effect)."""
    is_own = one.proposer == one.concerned
    role = book.house.offices[one.concerned].role if one.concerned in book.house.offices else ""
    others, watchers = len(list_counted(book, one, GOVERNING)), len(list_counted(book, one, WATCHING))
    all_others, all_but_one = max(3, others), max(3, others - 1)
    match one.payload:
        case AddOrganisation(role=added) if ROLE_NAMES[added] in ("platform", "custodian"):
            return GOVERNING, all_others, 30
        case AddOrganisation(role=added) if ROLE_NAMES[added] == "auditor":
            return GOVERNING, all_but_one, 7
        case RemoveOrganisation() | RenewReveals() if is_own:
            return GOVERNING, 2, 7
        case RemoveOrganisation() if role in GOVERNING:
            return GOVERNING, all_others, 7
        case AddOrganisation() | RemoveOrganisation():
            return WATCHING, max(3, watchers), 7
        case ChangeKey() | RemoveValidator():
            return GOVERNING, 2 if is_own else all_others, 1
        case AddValidator():
            return GOVERNING, max(2, others - 1), 7
        case UpgradeProtocol() as upgrade:
            return GOVERNING, all_but_one, 1 if validators.puts_off(book, upgrade) else 30
        case MoveCustody():
            return WATCHING, max(3, watchers), 3
        case PublishRules(is_stopped=True):
            return WATCHING, 2, 0
        case StopPlan() | ResumePlan() | PublishRules():
            return GOVERNING, all_but_one, 0
        case _:
            return GOVERNING, all_but_one, 7


def list_counted(book: Book, one: Proposal, roles: tuple[str, ...]) -> list[str]:
    """Return whose vote counts: voters of some roles who are still in office."""
    return [name for name in one.voters if name in list_office(book.house, *roles)]


def decide(book: Book, name: bytes, today: int) -> None:
    """Accept or reject where the votes suffice for either."""
    one = book.house.proposals[name]
    roles, needed, delay = get_policy(book, one)
    counted = list_counted(book, one, roles)
    yes = sum(one.votes[who][0] for who in counted if who in one.votes)
    pending = sum(who not in one.votes for who in counted)
    if yes >= needed:
        one.status, one.due = "accepted", today + delay
    elif yes + pending < needed:
        one.status = "rejected"


# --- calls ---


def proposal_open(book: Book, signer: bytes, tx_id: bytes, call: ProposalOpen) -> set[str]:
    """Put something to the vote; that is the opener's yes."""
    house = book.house
    name, role = book.organisations.get(signer, ("", ""))
    concerned = find_concerned(house, call.payload)
    if not role:
        return {"wrong_role"}
    if role not in GOVERNING and name != concerned:
        return {"wrong_role", "validator_unknown"} if concerned is None else {"wrong_role"}
    if concerned is None and isinstance(call.payload, RemoveValidator | RenewReveals):
        return {"validator_unknown"}
    problems = find_problems(book, call.payload)
    if isinstance(call.payload, AddValidator | RenewReveals) and name != concerned:
        problems.add("not_owner")
    if any(one.payload == call.payload for one in house.live.values()):
        problems.add("proposal_exists")
    own = sum(one.proposer == name for one in house.live.values())
    others = sum(house.offices[one.proposer].role not in GOVERNING for one in house.live.values())
    is_full = own >= OWN_MAX if role in GOVERNING else own >= 1 or others >= OTHERS_MAX
    if is_full or len(house.live) >= LIVE_MAX:
        problems.add("proposals_full")
    if problems:
        return problems
    group = house.offices[concerned].group if concerned in house.offices else ""
    voters = [who for who in list_office(house, *GOVERNING) if house.offices[who].group != group]
    days = 7 if isinstance(call.payload, StopPlan | ResumePlan) else 30
    one = Proposal(call.payload, name, concerned, voters, expires=book.day + days, due=book.day + days)
    if name in voters:
        one.votes[name] = (True, signer)
    house.proposals[tx_id] = one
    return problems


def proposal_vote(book: Book, signer: bytes, call: ProposalVote) -> set[str]:
    """Vote, once."""
    if signer not in book.organisations:
        return {"wrong_role"}
    one = book.house.proposals.get(call.proposal)
    if one is None:
        return {"proposal_unknown"}
    name = book.organisations[signer][0]
    if name not in one.voters:
        return {"no_vote"}
    if name in one.votes:
        return {"already"} if one.votes[name][0] == call.is_yes else {"conflict"}
    if one.status != "open":
        return {"proposal_state"}
    one.votes[name] = (call.is_yes, signer)
    decide(book, call.proposal, book.day)
    return set()


def org_key_revoke(book: Book, signer: bytes, call: OrgKeyRevoke) -> set[str]:
    """Replace a stolen key by the recovery key: its votes are struck out, what it asked for itself is rejected."""
    office = book.house.offices.get(call.organisation)
    if office is None or office.has_left:
        return {"organisation_unknown"}
    if signer != office.recovery or office.recovery == NO_KEY:
        return {"not_owner"}
    problems = find_key_problems(book.house, call.new_key)
    if problems:
        return problems
    stolen = office.key
    book.house.revoked.add(stolen)
    change_key(book, call.organisation, call.new_key)
    for name, one in book.house.live.items():
        is_own = one.proposer == call.organisation or isinstance(one.payload, ChangeKey)
        if one.concerned == call.organisation and is_own:
            one.status = "rejected"
        elif stolen in [key for _, key in one.votes.values()]:
            one.votes = {who: vote for who, vote in one.votes.items() if vote[1] != stolen}
            reopen(book, name)
    return problems


def reopen(book: Book, name: bytes) -> None:
    """Open an accepted proposal again that has lost a yes that it needs."""
    one = book.house.proposals[name]
    roles, needed, _ = get_policy(book, one)
    yes = sum(one.votes[who][0] for who in list_counted(book, one, roles) if who in one.votes)
    if one.status == "accepted" and yes < needed:
        one.status, one.due = "open", one.expires


# --- effects ---


def run_house(book: Book, today: int, parent_hash: bytes) -> None:
    """Let proposals expire and take effect that are about the house, before the plan's own day."""
    validators.drop_late(book.house, today)
    run_due(book, today, is_for_plans=False)
    validators.end_events(book, parent_hash)


def run_orders(book: Book) -> None:
    """Let proposals expire and take effect that are about the plan, behind its own day."""
    run_due(book, book.day, is_for_plans=True)


def run_due(book: Book, today: int, *, is_for_plans: bool) -> None:
    """Run what is due, by day and id."""
    due = sorted((one.due, name) for name, one in book.house.live.items() if one.due <= today)
    for _, name in due:
        one = book.house.proposals[name]
        if isinstance(one.payload, PlanOrder) != is_for_plans:
            continue
        if one.status == "open" and today >= one.expires:
            one.status = "expired"
        elif isinstance(one.payload, RemoveValidator) and not validators.may_change(book):
            continue
        elif one.status == "accepted" and today >= one.due:
            is_same = find_concerned(book.house, one.payload) == one.concerned
            one.status = "effective" if is_same and take_effect(book, one.payload, today) else "failed"
            if one.status == "effective" and isinstance(one.payload, AddOrganisation | RemoveOrganisation):
                decide_all(book, today)


def decide_all(book: Book, today: int) -> None:
    """Decide again what is open, because somebody came or went."""
    for name, one in book.house.live.items():
        if one.status == "open":
            decide(book, name, today)


def take_effect(book: Book, payload: Payload, today: int) -> bool:
    """Do what was decided, if it is still possible; tell whether it was."""
    if find_problems(book, payload):
        return False
    match payload:
        case AddOrganisation():
            office = Office(ROLE_NAMES[payload.role], payload.group, payload.key, payload.recovery_key)
            book.house.offices[payload.name] = office
            book.house.keys |= {payload.key, payload.recovery_key} - {NO_KEY}
            show(book)
        case RemoveOrganisation(name=name):
            book.house.offices[name].has_left = True
            show(book)
            book.add_timer("seats", today + 1 - book.day, name.encode())
        case ChangeKey(organisation=name, new_key=key):
            change_key(book, name, key)
        case SetParameter(name=name, value=value):
            book.house.parameters[name] = value
        case AddValidator() | RemoveValidator() | RenewReveals():
            validators.change_set(book, payload, today)
        case UpgradeProtocol():
            validators.upgrade(book, payload)
        case MoveCustody() | EndPlan() | StopPlan() | ResumePlan() | PublishRules():
            return obey(book, payload)
    return True


def obey(book: Book, order: PlanOrder) -> bool:
    """Do what was decided about the plan; tell whether that was possible."""
    match order:
        case MoveCustody():
            custody.move(book, order)
        case EndPlan():
            wind.begin(book)
        case StopPlan():
            if book.status not in ("active", "wind_down"):
                return False
            stops.begin_pause(book)
        case ResumePlan():
            if book.pause is None or book.pause[1] <= book.day + 1:
                return False
            book.pause = (book.pause[0], book.day + 1)
        case PublishRules(version=version, is_stopped=is_stopped):
            if is_stopped:
                book.versions[version].status = "stopped"
            elif book.is_winding:
                return False
            else:
                versions.start_disclosure(book, version)
    return True


def change_key(book: Book, name: str, key: bytes) -> None:
    """Give an organisation another key; the old one is dead."""
    book.house.offices[name].key = key
    book.house.keys.add(key)
    show(book)


def vacate_seats(book: Book, timer: Timer) -> None:
    """Draw again what somebody still owed who was let go; what he has opened stays."""
    name = timer.subject.decode()
    for claim_id, claim in book.claims.items():
        seat = claim.case.find_seat(name)
        if claim.status in ("assigned", "recheck") and seat is not None and seat.report is None:
            assessors.vacate(book, claim_id, name)
        elif claim.status == "paid" and name in reaudit.list_asked(claim):
            reaudit.decline(book, claim_id)
