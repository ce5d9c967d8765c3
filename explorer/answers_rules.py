"""The JSON of rule versions and of the contract's source. Data only."""

from msgspec import Struct

from explorer.answers_plan import BenefitAnswer, PoolTermsAnswer
from explorer.pagination import Page


class ClauseAnswer(Struct, frozen=True):
    """One clause in both languages."""

    number: str
    """What decisions and reports cite."""
    kind: str
    """definition, condition, exclusion, duty or right."""
    zh: str
    en: str


class ExclusionAnswer(Struct, frozen=True):
    """Something that is not covered."""

    name: str
    """Machine name, the same in every version."""
    clause: str
    """Number of the clause that states it."""


class FieldDifferenceAnswer(Struct, frozen=True):
    """A term that differs from the version before."""

    field: str
    """pool.<name> for what all members of a pool share, pinned.<name> for what each keeps from his version."""
    before: object
    after: object
    """Money as money, lists as lists, null for no cap."""


class ClauseDifferenceAnswer(Struct, frozen=True):
    """A clause that differs from the version before."""

    number: str
    change: str
    """added, removed or changed."""
    before: ClauseAnswer | None
    after: ClauseAnswer | None


class DifferenceAnswer(Struct, frozen=True):
    """What a version changes."""

    compared_with: int
    """The version before it in its pool; for one that opens a pool, the version before it in the plan."""
    is_at_least_as_good: bool
    """Computed by the contract: no pinned term is worse for anybody. In one pool, members are then moved by themselves
    on the day of its activation; otherwise each moves by own signature only."""
    fields: list[FieldDifferenceAnswer]
    clauses: list[ClauseDifferenceAnswer]


class RulesAnswer(Struct, frozen=True):
    """One version of a plan's rules, with all that a member signs."""

    version: int
    pool: int
    """Pool that it entered or opened."""
    opens_account: str | None
    """Custody account of the pool that it opened; null where it entered one."""
    status: str
    """disclosed, active, closed (a newer one takes the new members) or stopped."""
    stopped_because: str | None
    """Catalogue code of why it was stopped on the day of its activation; null otherwise."""
    rules_hash: str
    """SHA-256 of these rules: what a member signs on joining or accepting."""
    text_hash: str | None
    """SHA-256 of the full text as published; null for the rules of genesis."""
    published_by: list[str]
    """Who signed it; empty for the rules of genesis."""
    disclosed: str | None
    """Day on which its disclosure began; null for the rules of genesis."""
    active_from: str | None
    superseded_by: int | None
    """Version that everybody who pinned this one has instead, because it is at least as good."""
    superseded_from: str | None
    members_pinned: int
    """Applicants and members who signed this version."""
    members_upgraded: int
    """Those who signed one that this version superseded."""
    name: str
    currency: str
    pool_terms: PoolTermsAnswer
    waiting_members_share: bool
    unpaid: str
    """What becomes of aid that a charge does not cover: carry or end."""
    carry_periods_max: int
    jury_size: int
    benefit_ceiling: list[BenefitAnswer]
    """Most that any version of the pool may pay."""
    waiting_days: int
    claim_window_days: int
    age_min_days: int
    age_limit_years: int
    benefits: list[BenefitAnswer]
    clauses: list[ClauseAnswer]
    exclusions: list[ExclusionAnswer]
    difference: DifferenceAnswer | None
    """Null for the first version."""


class RulesPage(Struct, frozen=True):
    """Versions of a plan by number."""

    items: list[RulesAnswer]
    page: Page


class SourceFileAnswer(Struct, frozen=True):
    """One file of the contract."""

    path: str
    """Below the top of the repository."""
    sha256: str


class ContractAnswer(Struct, frozen=True):
    """The contract that this node runs."""

    protocol_version: int
    """Of the next block."""
    software_version: str
    source_hash: str
    """SHA-256 of the lines "<sha256>  <path>", each with a line feed, by path in byte order: what
    `find chain/contract -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum` prints in a release."""
    files: list[SourceFileAnswer]
