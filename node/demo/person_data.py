"""What the demo's people are behind their pseudonyms: an ID number, its blind index, an encrypted profile.

The numbers are invented (no region has the code 990101), everything done with them is real: bank and two of the three
holders of the auditors' key compute the index (chain/blind_index.py), and each group of institutions could open its
section of a profile with the key that it was given (node/profile.py). All keys follow from the demo's seed.
"""

import hashlib
from functools import lru_cache

from chain.blind_index import (
    HOLDERS,
    THRESHOLD,
    Point,
    Purpose,
    Scalar,
    combine,
    compute_person_index,
    deal,
    hash_to_point,
    join_shares,
    multiply,
    reduce_scalar,
)
from node.demo.population import Person, derive_token
from node.index_files import NumberRow, compute_check_digit, encode_number
from node.profile import EVERYBODY, Field, Group, SealedProfile, seal_profile

EPOCH = 0
"""The demo opens no epoch of its own."""
REGION = "990101"
BIRTH_YEAR = 2026


def build_number(person: Person) -> str:
    """Return a number of 18 places with its check digit, different for each person of a demo."""
    day = 1 + person.number % 28
    birth = f"{BIRTH_YEAR - person.age - 1:04d}{1 + person.number // 28 % 12:02d}{day:02d}"
    number = f"{REGION}{birth}{person.number // 336 % 1000:03d}"
    return number + compute_check_digit(number)


def _derive_scalar(seed: int, name: str) -> Scalar:
    return reduce_scalar(hashlib.sha512(f"gongji demo/{seed}/{name}".encode()).digest())


@lru_cache(maxsize=8)
def _share_key(seed: int) -> dict[int, Scalar]:
    """Return the holders' shares of the auditors' key, dealt by both auditors."""
    dealt = [
        deal([_derive_scalar(seed, f"dealer {number} {power}") for power in range(THRESHOLD)]) for number in (1, 2)
    ]
    dealings = [dealing for dealing, _ in dealt]
    return {holder: join_shares(dealings, [own[holder] for _, own in dealt], holder=holder) for holder in HOLDERS}


@lru_cache(maxsize=65_536)
def build_person_index(seed: int, plan: str, person: Person) -> bytes:
    """Return the blind index of a person as bank and auditors compute it together and neither alone (contract 6)."""
    row = NumberRow(id=derive_token("id", seed, person.number).hex(), number=build_number(person))
    t1 = multiply(_derive_scalar(seed, "bank"), hash_to_point(Purpose.PERSON, encode_number(row)))
    partials: dict[int, Point] = {holder: multiply(_share_key(seed)[holder], t1) for holder in HOLDERS[:THRESHOLD]}
    return compute_person_index(combine(partials), plan=plan, epoch=EPOCH)


def build_profile(seed: int, person: Person) -> SealedProfile:
    """Return the encrypted profile with which a person applies."""
    identity = (Group.BANK, Group.PLATFORM)
    fields = [
        Field("id_number", build_number(person), (Group.BANK,)),
        Field("name", f"Person {person.number}", identity),
        Field("sex", "female" if person.is_female else "male", EVERYBODY),
        Field("age", str(person.age), EVERYBODY),
        Field("answer_cancer", "never"),
        Field("answer_heart", "never"),
        Field("answer_hospital_2y", "no"),
        Field("answer_smoking", "yes" if person.number % 5 == 0 else "no"),
    ]
    return seal_profile(derive_token("profile secret", seed, person.number), fields)
