"""The people of the demo: drawn once from the published figures, the same for the same seed.

What happens to them (illness, habits, leaving) is decided here; what the chain makes of it is not.
"""

import hashlib
from enum import Enum
from random import Random

from msgspec import Struct, structs

from chain.contract.terms import Benefit
from chain.crypto import SigningKey
from node.demo.figures import AgeBand, compute_severe_share, get_incidence, load_age_bands

INCIDENCE_SCALE = 100
"""The demo's benefits are a hundredth of the published ones and its incidence a hundredfold."""
ACCIDENT_SHARE = 0.1
DOUBTFUL_SHARE = 0.05
"""Claims whose conditions the assessors will find not fulfilled."""
LATE_SHARE = 0.2
"""Of those who are no possible guardians, how many join during the year."""
DEPOSITS_YUAN = (10, 20, 30, 50, 80, 100, 150, 200)
YEAR_DAYS = 365
GUARDIAN_AGES = (25, 55)
REFUSED_EVERY, OVERPAID_EVERY = 240, 97
"""Every so many-th applicant is refused by the platform, or pays in more than the plan takes."""


class Habit(Enum):
    """What a member does about its balance."""

    STEADY = "steady"
    """Tops up before it runs out."""
    LATE = "late"
    """Tops up in the grace periods, after it was suspended."""
    DROPOUT = "dropout"
    """Lets the membership lapse."""
    RETURNER = "returner"
    """Lapses and pays in again later: a new entry with a new waiting period."""


_HABIT_WEIGHTS = ((Habit.STEADY, 62), (Habit.LATE, 20), (Habit.DROPOUT, 14), (Habit.RETURNER, 4))


class Case(Struct, frozen=True):
    """What will befall one person."""

    day: int
    """Diagnosis, in days after the start of the demo."""
    filed_after: int
    """Days from the diagnosis to the claim."""
    is_accident: bool
    row: int
    """Row of the benefit table: 2 * age band + (0 severe, 1 mild)."""
    is_genuine: bool


class Person(Struct, frozen=True):
    """One applicant."""

    number: int
    """From 0."""
    age: int
    is_female: bool
    weight: int
    deposit_fen: int
    """First deposit, and the amount of each later one."""
    habit: Habit
    join_day: int
    """0: joins at the start, else the day of the demo on which it applies."""
    leave_day: int | None
    """Day of the demo on which it leaves by its own wish."""
    guardian: int | None
    """Number of the person who signs for this child."""
    is_refused: bool
    """The platform will refuse the application."""
    case: Case | None


def draw_population(*, seed: int, count: int, days: int, benefits: tuple[Benefit, ...]) -> tuple[Person, ...]:
    """Draw `count` people for a demo of `days` days; equal arguments give equal people."""
    random = Random(f"gongji-demo-{seed}")
    ages = [_draw_age(random) for _ in range(count)]
    adults = [number for number, (_, age) in enumerate(ages) if GUARDIAN_AGES[0] <= age <= GUARDIAN_AGES[1]]
    grown = frozenset(adults)
    people = tuple(
        _draw_person(random, number, band, age, days=days, benefits=benefits, adults=adults, may_guard=number in grown)
        for number, (band, age) in enumerate(ages)
    )
    guardians = {person.guardian for person in people}
    # Who signs for a child stays: children leave first, and these families do not want to.
    return tuple(structs.replace(person, leave_day=None) if person.number in guardians else person for person in people)


def _draw_age(random: Random) -> tuple[AgeBand, int]:
    bands = load_age_bands()
    band = random.choices(bands, weights=[band.share_bp for band in bands])[0]
    return band, random.randint(band.age_from, band.age_to)


def _draw_person(
    random: Random,
    number: int,
    band: AgeBand,
    age: int,
    *,
    days: int,
    benefits: tuple[Benefit, ...],
    adults: list[int],
    may_guard: bool,
) -> Person:
    is_female = random.random() < 0.5
    weight = random.choices((1, 2, 3), weights=(92, 6, 2))[0]
    deposit = random.choice(DEPOSITS_YUAN) * 100 * weight
    if number % OVERPAID_EVERY == OVERPAID_EVERY - 1:
        deposit = 25_000 * weight
    is_child = age < 18
    # A child joins after its guardian, so it never comes late; the rest of the year brings a few more.
    is_late = not is_child and not may_guard and random.random() < LATE_SHARE
    leave_day = random.randint(30, YEAR_DAYS) if random.random() < 0.06 else None
    return Person(
        number=number,
        age=age,
        is_female=is_female,
        weight=weight,
        deposit_fen=deposit,
        habit=random.choices([habit for habit, _ in _HABIT_WEIGHTS], [share for _, share in _HABIT_WEIGHTS])[0],
        join_day=random.randint(20, max(21, days - 20)) if is_late else 0,
        leave_day=leave_day,
        guardian=random.choice(adults) if is_child and adults else None,
        is_refused=not is_child and not may_guard and number % REFUSED_EVERY == REFUSED_EVERY - 1,
        case=_draw_case(random, band, age, is_female=is_female, benefits=benefits),
    )


def _draw_case(
    random: Random, band: AgeBand, age: int, *, is_female: bool, benefits: tuple[Benefit, ...]
) -> Case | None:
    if random.random() >= get_incidence(age, is_female=is_female) * INCIDENCE_SCALE:
        return None
    place = next(i for i, benefit in enumerate(benefits) if benefit.age_from_years <= age <= benefit.age_to_years)
    benefit = benefits[place]
    severe = compute_severe_share(
        band,
        severe_yuan=benefit.severe_fen * INCIDENCE_SCALE // 100,
        mild_yuan=benefit.mild_fen * INCIDENCE_SCALE // 100,
    )
    return Case(
        day=random.randint(1, YEAR_DAYS),
        filed_after=random.randint(1, 12),
        is_accident=random.random() < ACCIDENT_SHARE,
        row=2 * place + (0 if random.random() < severe else 1),
        is_genuine=random.random() >= DOUBTFUL_SHARE,
    )


def derive_key(seed: int, *parts: str | int) -> SigningKey:
    """Return the signing key of somebody in the demo: derived from the seed, so that a demo can be
    repeated."""
    return SigningKey(derive_token("key", seed, *parts))


def derive_token(*parts: str | int) -> bytes:
    """Return 32 bytes that stand for a secret outside of the chain (an ID number, a bank reference, a
    document)."""
    text = "/".join(str(part) for part in parts)
    return hashlib.sha256(f"gongji demo/{text}".encode()).digest()
