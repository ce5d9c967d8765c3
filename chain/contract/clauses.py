"""Clauses of the rules: readable text with a number that decisions cite, and machine names of what is excluded.

Text binds members and institutions alike, but only numbers, kinds and equality of text are compared by the contract:
what a sentence means is for people (contract 3.0, rules_compare.py).
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

KIND_DEFINITION, KIND_CONDITION, KIND_EXCLUSION, KIND_DUTY, KIND_RIGHT = range(5)
CLAUSE_KIND_NAMES: Final = ("definition", "condition", "exclusion", "duty", "right")
CLAUSE_NUMBER_BYTES_MAX: Final = 16

ClauseNumber = Annotated[
    str, Meta(min_length=1, max_length=CLAUSE_NUMBER_BYTES_MAX, pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})*\Z")
]
"""Chapter and place, e.g. 4.1."""
ClauseText = Annotated[str, Meta(min_length=1, max_length=1_000)]


class Clause(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One clause in both languages; its text is part of the hash that a member signs."""

    number: ClauseNumber
    kind: Annotated[int, Meta(ge=0, lt=len(CLAUSE_KIND_NAMES))]
    """See CLAUSE_KIND_NAMES. Conditions, exclusions and duties bind the member, rights favour him; a definition may cut
    both ways."""
    text_zh: ClauseText
    text_en: ClauseText


class Exclusion(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Something that is not covered."""

    name: Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9-]+\Z")]
    """Machine name; the same name means the same in every version of a plan."""
    clause: ClauseNumber
    """The clause that states it."""
