"""Answers about rule versions, from one snapshot (`answers_rules.py` holds their form).

What two versions have to do with each other is computed by the contract's own functions (rules_compare.py), so that
the explorer never judges differently from the chain.
"""

from chain.contract.clauses import Clause
from chain.contract.rules_compare import (
    get_kind_name,
    is_at_least_as_good,
    list_clause_differences,
    list_field_differences,
)
from chain.contract.tables import VERSION, PlanRecord, VersionRecord
from chain.contract.terms import Benefit, PlanTerms
from chain.contract.version_tables import (
    VERSION_MEMBERS,
    VERSION_STATE,
    VERSION_STATUS_NAMES,
    VersionStateRecord,
)
from explorer.answers_rules import (
    ClauseAnswer,
    ClauseDifferenceAnswer,
    DifferenceAnswer,
    ExclusionAnswer,
    FieldDifferenceAnswer,
    RulesAnswer,
)
from explorer.reader import ChainSnapshot
from explorer.represent import UNPAID_NAMES, build_money, format_set_day, get_code, get_name
from explorer.views_chain import require
from explorer.views_plan import build_benefits, build_pool_terms


class RulesReader:
    """Reads the versions of one plan once for all rows of one answer."""

    def __init__(self, snapshot: ChainSnapshot, plan: str, record: PlanRecord) -> None:
        self._snapshot = snapshot
        self._plan = plan
        self._states = [require(snapshot, VERSION_STATE, plan, number) for number in range(record.versions)]

    def build(self, number: int, version: VersionRecord) -> RulesAnswer:
        """Return one version with its difference to the one before."""
        state, terms = self._states[number], version.terms
        return RulesAnswer(
            version=number,
            pool=state.pool,
            opens_account=state.account,
            status=get_name(VERSION_STATUS_NAMES, state.status),
            stopped_because=get_code(state.reason) if state.reason else None,
            rules_hash=version.terms_hash.hex(),
            text_hash=None if state.text_hash is None else state.text_hash.hex(),
            published_by=list(state.published_by),
            disclosed=format_set_day(state.disclosed_day),
            active_from=format_set_day(version.active_day),
            superseded_by=state.superseded_by,
            superseded_from=format_set_day(state.superseded_day),
            members_pinned=self._count(number),
            members_upgraded=sum(self._count(other) for other in self._list_superseded(number)),
            name=terms.name,
            currency=terms.currency,
            pool_terms=build_pool_terms(terms),
            waiting_members_share=terms.pool.waiting_members_share,
            unpaid=UNPAID_NAMES[terms.pool.unpaid],
            carry_periods_max=terms.pool.carry_periods_max,
            jury_size=terms.pool.jury_size,
            benefit_ceiling=build_benefits(terms.pool.benefit_ceiling),
            waiting_days=terms.pinned.waiting_days,
            claim_window_days=terms.pinned.claim_window_days,
            age_min_days=terms.pinned.age_min_days,
            age_limit_years=terms.pinned.age_limit_years,
            benefits=build_benefits(terms.pinned.benefits),
            clauses=[build_clause(clause) for clause in terms.pinned.clauses],
            exclusions=[ExclusionAnswer(name=item.name, clause=item.clause) for item in terms.pinned.exclusions],
            difference=self._build_difference(number, state, terms),
        )

    def _count(self, number: int) -> int:
        record = self._snapshot.read(VERSION_MEMBERS, self._plan, number)
        return 0 if record is None else record.pinned

    def _list_superseded(self, number: int) -> list[int]:
        """Return the versions whose members have this one now."""
        return [other for other in range(len(self._states)) if other != number and self._follow(other) == number]

    def _follow(self, number: int) -> int:
        for _ in self._states:
            successor = self._states[number].superseded_by
            if successor is None:
                return number
            number = successor
        return number

    def _build_difference(self, number: int, state: VersionStateRecord, terms: PlanTerms) -> DifferenceAnswer | None:
        if number == 0:
            return None
        same_pool = [other for other in range(number) if self._states[other].pool == state.pool]
        before = same_pool[-1] if same_pool else number - 1
        old = require(self._snapshot, VERSION, self._plan, before).terms
        return DifferenceAnswer(
            compared_with=before,
            is_at_least_as_good=is_at_least_as_good(terms.pinned, old.pinned),
            fields=[
                FieldDifferenceAnswer(
                    field=item.field,
                    before=represent_term(item.field, item.before),
                    after=represent_term(item.field, item.after),
                )
                for item in list_field_differences(terms, old)
            ],
            clauses=[
                ClauseDifferenceAnswer(
                    number=item.number,
                    change=item.change,
                    before=None if item.before is None else build_clause(item.before),
                    after=None if item.after is None else build_clause(item.after),
                )
                for item in list_clause_differences(terms.pinned, old.pinned)
            ],
        )


def build_clause(clause: Clause) -> ClauseAnswer:
    """Return a clause in both languages."""
    return ClauseAnswer(number=clause.number, kind=get_kind_name(clause), zh=clause.text_zh, en=clause.text_en)


def represent_term(field: str, value: object) -> object:
    """Return one term as JSON: money by the unit in its name, tables as rows, words for numbered choices."""
    if isinstance(value, tuple):
        benefits = tuple(item for item in value if isinstance(item, Benefit))
        if benefits:
            return build_benefits(benefits)
        return [getattr(item, "name", item) for item in value]
    if isinstance(value, int) and field.endswith("_fen"):
        return build_money(value)
    if isinstance(value, int) and field == "pool.unpaid":
        return UNPAID_NAMES[value]
    return value
