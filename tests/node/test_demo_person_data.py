"""The demo's people: valid numbers, one index for each, profiles that their groups can open (contract 6)."""

from chain.contract.terms import Benefit
from node.demo.person_data import build_number, build_person_index, build_profile
from node.demo.population import derive_token, draw_population
from node.index_files import NumberRow, encode_number
from node.profile import Group, derive_group_key, open_profile

BENEFITS = (Benefit(age_from_years=0, age_to_years=59, severe_fen=300_000, mild_fen=50_000),)
PEOPLE = draw_population(seed=1, count=400, days=30, benefits=BENEFITS)


def test_every_person_has_a_valid_number_of_its_own() -> None:
    numbers = [build_number(person) for person in PEOPLE]
    assert len({*numbers}) == len(numbers)
    for number in numbers:
        encode_number(NumberRow(id="00" * 32, number=number))


def test_the_index_is_the_persons_in_one_plan_and_another_in_another() -> None:
    first, second = PEOPLE[:2]
    index = build_person_index(1, "care", first)
    assert build_person_index(1, "care", first) == index
    others = [build_person_index(*parts) for parts in ((1, "care", second), (1, "other", first), (2, "care", first))]
    assert index not in others


def test_a_profile_opens_for_its_groups_under_the_root_that_is_signed() -> None:
    person = PEOPLE[0]
    profile = build_profile(1, person)
    secret = derive_token("profile secret", 1, person.number)
    for group, has_number in ((Group.BANK, True), (Group.AUDITORS, False)):
        key = derive_group_key(secret, group)
        found = open_profile(profile.blob, group=group, key=key, root=profile.field_commitments_root)
        assert ("id_number" in {item.field.name for item in found}) is has_number
    assert build_number(person).encode() not in profile.blob
