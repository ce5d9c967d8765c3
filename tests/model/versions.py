"""Versions of the rules: which fit a pool, which replace older ones, who has signed which (contract 3.0; ADR 0015)."""

from msgspec.structs import replace

from chain.contract.member_calls import MemberAcceptRules
from chain.contract.plan_calls import RulesPublish
from chain.contract.terms import PinnedTerms, PlanTerms, hash_terms
from tests.model import moves, settle
from tests.model.book import Book, Custody, Pool, Version, to_date
from tests.model.halves import cosign
from tests.model.owners import find_owner_problems
from tests.model.pins import get_pin, pin
from tests.model.records import Timer

DISCLOSURE_DAYS = 30
AGES = range(151)


# --- what a machine can compare ---


def get_benefit(pinned: PinnedTerms, age: int, is_mild: bool) -> int | None:
    """Return what a version pays at an age."""
    for band in pinned.benefits:
        if band.age_from_years <= age <= band.age_to_years:
            return band.mild_fen if is_mild else band.severe_fen
    return None


def is_within_ceiling(new: PlanTerms, old: PlanTerms) -> bool:
    """Tell whether a version pays nobody more, at any age, than the pool of another one may."""
    ceiling = replace(old.pinned, benefits=old.pool.benefit_ceiling)
    for age in AGES:
        for is_mild in (False, True):
            benefit = get_benefit(new.pinned, age, is_mild)
            if benefit is not None and benefit > (get_benefit(ceiling, age, is_mild) or 0):
                return False
    return True


def find_misfit(new: PlanTerms, pool: PlanTerms, first: PlanTerms) -> set[str]:
    """Return why a version may not enter a pool: nobody in it pays more, or for more, than he signed."""
    problems = set()
    a, b = new.pool, pool.pool
    equal = {
        "rules_unfit_calendar": ("notice_days_of_month", "charge_days_of_month", "notice_full_days_min"),
        "rules_unfit_deposits": ("deposit_min_fen", "deposit_max_fen"),
        "rules_unfit_unpaid": ("unpaid", "carry_periods_max"),
        "rules_unfit_ceiling": ("benefit_ceiling",),
        "rules_unfit_terms": ("waiting_members_share", "members_min", "launch_days", "residue_to", "jury_size"),
    }
    for code, names in equal.items():
        if any(getattr(a, name) != getattr(b, name) for name in names):
            problems.add(code)
    if a.utc_offset_minutes != b.utc_offset_minutes:
        problems.add("rules_unfit_calendar")
    if new.currency != pool.currency:
        problems.add("rules_unfit_terms")
    if a.fee_bp > b.fee_bp:
        problems.add("rules_unfit_fee")
    for name in ("cap_per_case_fen", "cap_per_period_fen", "cap_per_year_fen"):
        before, after = getattr(b, name), getattr(a, name)
        if before is not None and (after is None or after > before):
            problems.add("rules_unfit_caps")
    if a.grace_periods < b.grace_periods:
        problems.add("rules_unfit_grace")
    if not is_within_ceiling(new, pool):
        problems.add("rules_unfit_benefit")
    mine, theirs = new.pinned, first.pinned
    if mine.age_min_days < theirs.age_min_days or mine.age_limit_years > theirs.age_limit_years:
        problems.add("rules_unfit_ages")
    if {item.name for item in theirs.exclusions} - {item.name for item in mine.exclusions}:
        problems.add("rules_unfit_exclusions")
    if mine.waiting_days < theirs.waiting_days:
        problems.add("rules_unfit_waiting")
    return problems


def is_at_least_as_good(new: PinnedTerms, old: PinnedTerms) -> bool:
    """Tell whether nothing that a member signed becomes worse, for anybody of any age, word for word."""
    for age in AGES:
        for is_mild in (False, True):
            before = get_benefit(old, age, is_mild)
            if before is not None and (get_benefit(new, age, is_mild) or 0) < before:
                return False
    if new.waiting_days > old.waiting_days or new.claim_window_days < old.claim_window_days:
        return False
    if new.age_min_days > old.age_min_days or new.age_limit_years < old.age_limit_years:
        return False
    if {item.name for item in new.exclusions} - {item.name for item in old.exclusions}:
        return False
    is_unbound = all(clause in old.clauses for clause in new.clauses if clause.kind in (1, 2, 3))
    is_kept = all(clause in new.clauses for clause in old.clauses if clause.kind == 4)
    before_words = {clause for clause in old.clauses if clause.kind == 0}
    return is_unbound and is_kept and before_words == {clause for clause in new.clauses if clause.kind == 0}


# --- publishing ---


def rules_publish(book: Book, signer: bytes, call: RulesPublish) -> set[str]:
    """Disclose a version; one that opens a pool is signed by the bank too, for its account."""
    if book.role_of(signer) not in ("platform", "auditor", "custodian"):
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    problems = set()
    if book.is_winding:
        problems.add("plan_not_active")
    if call.version != len(book.versions):
        problems.add("version_number")
    if call.rules.pool.deposit_max_fen < call.rules.pool.deposit_min_fen or not is_within_ceiling(
        call.rules, call.rules
    ):
        problems.add("rules_invalid")
    is_new_pool = call.pool == len(book.pools)
    if is_new_pool:
        problems |= find_new_pool_problems(book, call)
    elif call.pool > len(book.pools):
        return problems | {"pool_unknown"}
    else:
        if call.account is not None:
            problems.add("pool_account")
        pool = book.pools[call.pool]
        disclosed = [item.terms for item in book.versions if (item.pool, item.status) == (call.pool, "disclosed")]
        newest = (disclosed or [book.versions[pool.version].terms])[-1]
        first = book.versions[book.versions[pool.version].first].terms
        problems |= find_misfit(call.rules, newest, first)
    if problems:
        return problems
    parties = ("platform", "auditor", "custodian") if is_new_pool else ("platform", "auditor")
    problems, signed = cosign(book, signer, call, *parties)
    if signed is not None:
        number = call.version
        first_number = number if is_new_pool else book.versions[book.pools[call.pool].version].first
        book.versions.append(Version(call.rules, call.pool, first_number, account=call.account))
        start_disclosure(book, number)
    return problems


def find_new_pool_problems(book: Book, call: RulesPublish) -> set[str]:
    """Return what forbids a version to open the next pool."""
    problems = set()
    if call.account is None:
        problems.add("pool_account")
    elif book.find_custody(call.account) is not None:
        problems.add("account_in_use")
    if any((item.pool, item.status) == (call.pool, "disclosed") for item in book.versions):
        problems.add("pool_pending")
    return problems


def start_disclosure(book: Book, number: int) -> None:
    """Let the days of a version begin."""
    version = book.versions[number]
    version.status, version.disclosed_day = "disclosed", book.day
    book.add_timer("version", DISCLOSURE_DAYS, number.to_bytes(8, "big"), note=book.day)


def activate(book: Book, timer: Timer) -> None:
    """Make a version active whose days are over, if it still fits; else it is stopped."""
    number = int.from_bytes(timer.subject, "big")
    version = book.versions[number]
    if version.status != "disclosed" or version.disclosed_day != timer.note:
        return
    if book.is_winding:
        version.status = "stopped"
        return
    if version.account is not None:
        is_free = version.pool == len(book.pools) and book.find_custody(version.account) is None
        version.status = "active" if is_free else "stopped"
        if is_free:
            book.pools.append(build_pool(book, number, version.account))
        return
    pool = book.pools[version.pool]
    if find_misfit(version.terms, book.versions[pool.version].terms, book.versions[version.first].terms):
        version.status = "stopped"
        return
    version.status = "active"
    pool.version = number
    for older_number, older in enumerate(book.versions):
        if older.pool != version.pool or older_number == number or older.status not in ("active", "closed"):
            continue
        older.status = "closed"
        if older.superseded_by is None and is_at_least_as_good(version.terms.pinned, older.terms.pinned):
            older.superseded_by, older.superseded_day = number, book.day


def build_pool(book: Book, version: int, account: str) -> Pool:
    """Return an empty pool that opens today."""
    number = len(book.pools)
    custody = Custody(name=account, pool=number, closed_day=book.day - 1)
    pool = Pool(number=number, version=version, start_day=book.day, year=to_date(book.day).year, custody=custody)
    settle.open_period(pool, book.versions[version].terms.pool, book.day)
    return pool


# --- signing another one ---


def member_accept_rules(book: Book, signer: bytes, call: MemberAcceptRules) -> set[str]:
    """Pin another version from tomorrow; one of another pool moves him there."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    if call.version >= len(book.versions):
        return {"rules_version_unknown"}
    version = book.versions[call.version]
    if hash_terms(version.terms) != call.rules_hash:
        problems.add("rules_unknown")
    if book.is_winding:
        problems.add("plan_not_active")
    if member.move is not None:
        problems.add("move_under_way")
    if member.is_gone or member.status == "leaving":
        problems.add("member_state")
    if version.status != "active":
        problems.add("version_state")
    if get_pin(book, member, book.day + 1) == (call.version, version.pool):
        problems.add("already")
    if version.pool != member.pool:
        return moves.ask(book, call.member, call.version, problems)
    if problems:
        return problems
    pin(member, book.day + 1, call.version, member.pool)
    if member.status == "waiting":
        member.wait_until(max(book.day + 1, member.entry_day + version.terms.pinned.waiting_days))
    return problems
