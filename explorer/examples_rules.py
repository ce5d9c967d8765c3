"""Examples of the OpenAPI document about rules, made of the very records that are sent."""

from msgspec.structs import replace

from explorer.answers_rules import (
    ClauseAnswer,
    ClauseDifferenceAnswer,
    ContractAnswer,
    DifferenceAnswer,
    ExclusionAnswer,
    FieldDifferenceAnswer,
    RulesAnswer,
    RulesPage,
    SourceFileAnswer,
)
from explorer.examples_chain import HASH, PAGE
from explorer.examples_plan import BENEFIT, POOL_TERMS

_RIGHT = ClauseAnswer(
    number="2.1", kind="right", zh="成员可随时退出，不收费用。", en="A member may leave at any time without a fee."
)
_EXCLUSION = ClauseAnswer(number="5.4", kind="exclusion", zh="战争造成的伤病。", en="What follows from war.")
RULES = RulesPage(
    items=[
        RulesAnswer(
            version=1,
            pool=0,
            opens_account=None,
            status="active",
            stopped_because=None,
            rules_hash=HASH,
            text_hash=HASH,
            published_by=["platform", "audit-one"],
            disclosed="2027-06-01",
            active_from="2027-07-01",
            superseded_by=None,
            superseded_from=None,
            members_pinned=140,
            members_upgraded=1_060,
            name="Critical illness",
            currency="CNY",
            pool_terms=replace(POOL_TERMS, fee_bp=700, residue_to="charity"),
            waiting_members_share=True,
            unpaid="carry",
            carry_periods_max=2,
            jury_size=11,
            benefit_ceiling=[BENEFIT],
            waiting_days=90,
            claim_window_days=180,
            age_min_days=30,
            age_limit_years=60,
            benefits=[BENEFIT],
            clauses=[_RIGHT, _EXCLUSION],
            exclusions=[ExclusionAnswer(name="war", clause="5.4")],
            difference=DifferenceAnswer(
                compared_with=0,
                is_at_least_as_good=True,
                fields=[FieldDifferenceAnswer(field="pool.fee_bp", before=800, after=700)],
                clauses=[ClauseDifferenceAnswer(number="2.1", change="added", before=None, after=_RIGHT)],
            ),
        )
    ],
    page=PAGE,
)
CONTRACT = ContractAnswer(
    protocol_version=1,
    software_version="0.1.0",
    source_hash=HASH,
    files=[SourceFileAnswer(path="chain/contract/settlement_math.py", sha256=HASH)],
)
