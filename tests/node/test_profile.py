"""Encrypted profiles: each group reads its own fields, and one field is proven without the others (contract 6)."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.errors import ConfigError, DecodeError, ProofError
from chain.types import Hash
from node.profile import (
    EVERYBODY,
    Field,
    Group,
    derive_group_key,
    generate_secret,
    open_profile,
    seal_profile,
    verify_disclosure,
)
from node.wire import BLOB_BYTES_MAX

SECRET = bytes(range(32))
FIELDS = (
    Field("name", "Ann", (Group.BANK, Group.PLATFORM)),
    Field("province", "Sichuan", EVERYBODY),
    Field("smokes", "no"),
    Field("heart_disease", "never", (Group.AUDITORS,)),
)


def read(group: Group) -> dict[str, str]:
    profile = seal_profile(SECRET, FIELDS)
    found = open_profile(
        profile.blob, group=group, key=derive_group_key(SECRET, group), root=profile.field_commitments_root
    )
    return {item.field.name: item.field.value for item in found}


def test_each_group_reads_the_fields_that_it_is_entitled_to_and_no_other() -> None:
    assert read(Group.BANK) == {"name": "Ann", "province": "Sichuan"}
    assert read(Group.PLATFORM) == {"name": "Ann", "province": "Sichuan", "smokes": "no"}
    assert read(Group.AUDITORS) == {"heart_disease": "never", "province": "Sichuan", "smokes": "no"}


def test_no_key_opens_another_groups_section_nor_another_members() -> None:
    profile = seal_profile(SECRET, FIELDS)
    root = profile.field_commitments_root
    for group in EVERYBODY:
        for other in EVERYBODY:
            if group is not other:
                with pytest.raises(ProofError, match="does not open"):
                    open_profile(profile.blob, group=group, key=derive_group_key(SECRET, other), root=root)
    for key in (SECRET, derive_group_key(generate_secret(), Group.BANK), b"short"):
        with pytest.raises(ProofError, match="does not open"):
            open_profile(profile.blob, group=Group.BANK, key=key, root=root)


def test_a_group_that_may_read_nothing_has_no_section() -> None:
    profile = seal_profile(SECRET, [Field("smokes", "no")])
    with pytest.raises(ProofError, match="no section"):
        open_profile(profile.blob, group=Group.BANK, key=bytes(32), root=profile.field_commitments_root)


def test_the_blob_shows_no_value_and_two_seals_of_one_profile_share_only_the_root() -> None:
    first, second = seal_profile(SECRET, FIELDS), seal_profile(SECRET, FIELDS)
    assert not any(field.value.encode() in first.blob for field in FIELDS)
    assert first.blob_hash != second.blob_hash
    assert first.field_commitments_root == second.field_commitments_root


def test_a_field_is_proven_alone_and_any_change_of_it_is_refused() -> None:
    profile = seal_profile(SECRET, FIELDS)
    root = profile.field_commitments_root
    key = derive_group_key(SECRET, Group.AUDITORS)
    shown = next(
        item
        for item in open_profile(profile.blob, group=Group.AUDITORS, key=key, root=root)
        if item.field.name == "smokes"
    )
    verify_disclosure(shown, root=root)
    wrong = (
        replace(shown, field=replace(shown.field, value="yes")),
        replace(shown, field=replace(shown.field, name="drinks")),
        replace(shown, field=replace(shown.field, salt=bytes(32))),
        replace(shown, position=0),
        replace(shown, count=3),
        replace(shown, path=shown.path[:-1]),
        replace(shown, path=(*shown.path, bytes(32))),
    )
    for disclosure in wrong:
        with pytest.raises(ProofError):
            verify_disclosure(disclosure, root=root)
    with pytest.raises(ProofError):
        verify_disclosure(shown, root=Hash(bytes(32)))


def test_a_disclosed_salt_does_not_open_the_commitment_of_another_field() -> None:
    profile = seal_profile(SECRET, FIELDS)
    key = derive_group_key(SECRET, Group.PLATFORM)
    salts = [
        item.field.salt
        for item in open_profile(profile.blob, group=Group.PLATFORM, key=key, root=profile.field_commitments_root)
    ]
    assert len({*salts}) == len(salts)
    assert SECRET not in salts


def test_a_changed_byte_anywhere_in_the_blob_is_noticed() -> None:
    profile = seal_profile(SECRET, [Field("smokes", "no", (Group.BANK,))])
    key, root = derive_group_key(SECRET, Group.BANK), profile.field_commitments_root
    for position in range(len(profile.blob)):
        changed = bytearray(profile.blob)
        changed[position] ^= 1
        with pytest.raises((ProofError, DecodeError)):
            open_profile(bytes(changed), group=Group.BANK, key=key, root=root)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], "fields"),
        ([Field(f"f{number}", "x") for number in range(65)], "fields"),
        ([Field("a", "1"), Field("a", "2")], "twice"),
        ([Field("a", "1", ())], "nobody"),
        ([Field("A", "1")], "matching"),
        ([Field("a", "x" * 4_097)], "length"),
        ([Field("a", "\ud800")], "Unicode"),
        ([Field(f"f{number}", "x" * 4_000) for number in range(5)], "bytes"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused_with_the_reason(fields: list[Field], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        seal_profile(SECRET, fields)


def test_a_secret_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="31 bytes"):
        seal_profile(SECRET[:31], FIELDS)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True),
        st.tuples(st.text(max_size=60), st.sets(st.sampled_from(EVERYBODY), min_size=1)),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_is_sealed_is_read_back_by_those_entitled(values: dict[str, tuple[str, set[Group]]]) -> None:
    profile = seal_profile(SECRET, [Field(name, text, tuple(groups)) for name, (text, groups) in values.items()])
    assert len(profile.blob) <= BLOB_BYTES_MAX
    for group in EVERYBODY:
        expected = {name: text for name, (text, groups) in values.items() if group in groups}
        if expected:
            key = derive_group_key(SECRET, group)
            found = open_profile(profile.blob, group=group, key=key, root=profile.field_commitments_root)
            assert {item.field.name: item.field.value for item in found} == expected


def test_the_blob_is_msgpack_of_its_format_and_groups() -> None:
    decoded = msgspec.msgpack.decode(seal_profile(SECRET, FIELDS).blob)
    assert decoded[0] == 1
    assert [section[0] for section in decoded[1]] == ["platform", "auditors", "bank"]
