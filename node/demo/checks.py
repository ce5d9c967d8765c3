"""The demo's verdict: what must be true of the chain after the year, recomputed from public answers.

Each check gives a name, what was compared, and whether it holds. `gongji devnet --demo --exit` ends with 0
only if all do."""

from msgspec import Struct

from chain.contract.settlement_math import Caps, CostItem, compute_charge
from chain.trie import Sums
from node.demo.books import Books
from node.demo.figures import PublishedPeriod, load_published_periods
from node.demo.recompute import find_mistakes, find_unproven
from node.demo.report import Report

CLAIMS_DAYS_MIN, SUSPENSIONS_DAYS_MIN = 130, 240
"""How long a demo must be to show its first illness claims paid (the waiting period takes 90 days) and members who run
out: what is charged in the first weeks after is less than the smallest deposit."""


RARE_ACTS = (
    ("lost keys were recovered and replaced", 110, ("member_rekey_recover", "member_rekey_request")),
    ("money without a name found its member", 90, ("deposit_match",)),
    ("a recalled deposit went back", 150, ("deposit_reverse",)),
    ("interest was booked, balances confirmed, fees paid", 200, ("cash_other", "balance_confirm", "fee_withdraw")),
    ("a payment that failed reached another account", 200, ("account_change",)),
    ("a new version of the rules was published and signed", 190, ("rules_publish", "member_accept_rules")),
    ("objections were ruled on", 240, ("objection_file", "objection_rule")),
    ("a death was reported", 230, ("death_report",)),
    ("an appeal went before a jury", 300, ("appeal_file",)),
)
"""(what must have happened, from how many days on, calls of which each must have succeeded)."""


class Check(Struct, frozen=True):
    """One statement about the chain."""

    name: str
    detail: str
    """The figures compared."""
    is_met: bool


def run_checks(report: Report, books: Books, *, sent_in: int, codes: dict[str, int], days: int) -> list[Check]:
    """Return every check of a finished demo.

    `books` are the bank's own, `sent_in` is what people sent to it in fen, `codes` how transactions ended.
    """
    checks = [
        _check_books(report),
        _check_bank(report, books, sent_in),
        _check_members(report),
        _check_charges(report),
        _check_payouts(report),
        _check_roots(report),
        _check_settlements(report),
        _check_proofs(report),
        *(check_published_period(period) for period in load_published_periods()),
        _check_health(report, codes),
    ]
    return checks + _check_story(report, days)


def _check_books(report: Report) -> Check:
    pool = report.pool
    terms = (
        pool.member_money,
        pool.plain,
        pool.carry,
        pool.aid_payable,
        pool.fee_held,
        pool.fee_payable,
        pool.outgoing,
        pool.unmatched,
    )
    return Check(
        name="every fen of the pool belongs to somebody",
        detail=f"cash {format_fen(pool.cash)} = {' + '.join(format_fen(term) for term in terms)}",
        is_met=pool.cash == sum(terms) and min(terms) >= 0,
    )


def _check_bank(report: Report, books: Books, sent_in: int) -> Check:
    return Check(
        name="the bank's own books say the same",
        detail=(
            f"sent in {format_fen(sent_in)} + interest {format_fen(report.credits.interest)}, "
            f"booked in {format_fen(books.in_total)}, "
            f"out {format_fen(books.out_total)}, on the account {format_fen(books.balance)}, "
            f"on the chain {format_fen(report.pool.cash)}; receipts say {format_fen(report.credits.credited)} in"
        ),
        is_met=books.balance == report.pool.cash
        and sent_in == report.credits.credited == books.in_total - report.credits.interest,
    )


def _check_members(report: Report) -> Check:
    listed = sum(member.balance for member in report.members)
    receipts = report.credits
    # What failed is back in the member's balance, and goes out as another instruction.
    refunded = sum(item.amount for item in report.payouts if item.kind == "refund" and item.state != "failed")
    charged = sum(settlement.collected for settlement in report.settlements)
    credited = receipts.taken + receipts.matched - receipts.recalled_from_members
    computed = credited - refunded - charged - receipts.arrears
    return Check(
        name="members' balances follow from receipts",
        detail=(
            f"credited {format_fen(credited)} - refunded {format_fen(refunded)} - charged {format_fen(charged)}"
            f" - arrears {format_fen(receipts.arrears)} = {format_fen(computed)}; listed {format_fen(listed)}"
        ),
        is_met=computed == listed == report.pool.member_money + report.pool.plain,
    )


def _check_charges(report: Report) -> Check:
    charged = sum(settlement.collected for settlement in report.settlements)
    spent = sum(item.granted + item.fee for settlement in report.settlements for item in settlement.items)
    interest = report.credits.interest
    left, right = charged + report.credits.arrears + interest, spent + report.pool.carry
    return Check(
        name="what was charged was granted or is carried",
        detail=(
            f"charged {format_fen(charged)} + arrears {format_fen(report.credits.arrears)}"
            f" + interest {format_fen(interest)} = granted {format_fen(spent)} + carry {format_fen(report.pool.carry)}"
        ),
        is_met=left == right and charged == report.pool.collected and spent == report.pool.spent,
    )


def _check_payouts(report: Report) -> Check:
    granted = sum(item.granted for settlement in report.settlements for item in settlement.items)
    ordered = sum(item.amount for item in report.payouts if item.is_claim)
    open_aid = sum(item.amount for item in report.payouts if item.is_claim and item.state != "settled")
    return Check(
        name="what was granted was instructed, and paid or is payable",
        detail=(
            f"granted {format_fen(granted)}, instructed {format_fen(ordered)}, "
            f"not yet paid {format_fen(open_aid)}, payable {format_fen(report.pool.aid_payable)}"
        ),
        is_met=granted == ordered and open_aid == report.pool.aid_payable,
    )


def _check_roots(report: Report) -> Check:
    words = {(root.block_hash, root.state_root, root.log_root) for root in report.roots}
    return Check(
        name="all nodes hold the same chain",
        detail=f"{len(report.roots)} nodes at height {report.height}: {len(words)} different answers",
        is_met=len(words) == 1 and len(report.roots) > 0,
    )


def _check_settlements(report: Report) -> Check:
    mistakes = [text for record in report.settlements for text in find_mistakes(record, report.caps)]
    mistakes += [
        f"settlement {after.number} does not follow its predecessor"
        for before, after in zip(report.settlements, report.settlements[1:], strict=False)
        if after.index_before != before.index_before + before.per or after.number != before.number + 1
    ]
    return Check(
        name="each settlement is recomputed from its record",
        detail=mistakes[0] if mistakes else f"{len(report.settlements)} settlements, no difference",
        is_met=not mistakes and len(report.settlements) == report.pool.settlements,
    )


def _check_proofs(report: Report) -> Check:
    unproven = [text for record in report.settlements for text in find_unproven(record)]
    count = sum(len(record.proofs) for record in report.settlements)
    return Check(
        name="the count of every settlement is proven",
        detail=unproven[0] if unproven else f"{count} range proofs over the tree of members, no difference",
        is_met=not unproven,
    )


def _check_health(report: Report, codes: dict[str, int]) -> Check:
    return Check(
        name="no rule of the contract was broken",
        detail=f"plan {report.plan_status}; transactions by outcome: {format_counts(codes)}",
        is_met=report.plan_status == "active" and "fault" not in codes,
    )


def _check_story(report: Report, days: int) -> list[Check]:
    statuses: dict[str, int] = {}
    for member in report.members:
        statuses[member.status] = statuses.get(member.status, 0) + 1
    story = (
        ("claims were paid", report.claims.get("paid", 0), CLAIMS_DAYS_MIN),
        ("members left with refunds", statuses.get("left", 0), CLAIMS_DAYS_MIN),
        (
            "members ran out and were suspended",
            sum(record.units_part for record in report.settlements),
            SUSPENSIONS_DAYS_MIN,
        ),
        ("members topped up in the grace periods", report.credits.reinstated, SUSPENSIONS_DAYS_MIN),
    )
    checks = [
        Check(name=name, detail=str(count), is_met=count > 0) for name, count, days_min in story if days >= days_min
    ]
    return checks + _check_rare_acts(report, days)


def _check_rare_acts(report: Report, days: int) -> list[Check]:
    """Return one check for each rare life cycle that the demo was long enough to show; counts are of signatures."""
    checks = []
    for name, days_min, calls in RARE_ACTS:
        counts = {call: report.calls[call] for call in calls}
        # Nothing can be appealed, and nobody's account fails, where the seed drew no such claim.
        needed = report.claims.get("rejected", 0) > 0 if "appeal_file" in calls else True
        if days >= days_min:
            is_met = min(counts.values()) > 0 or not needed
            if "appeal_file" in calls:
                # A jury that did not vote in time gives its place to another, and that to an auditor and a firm.
                is_met = is_met and not report.claims.get("appealed")
                counts |= {call: report.calls[call] for call in ("ballot_commit", "ballot_reveal", "appeal_rule")}
            checks.append(Check(name=name, detail=format_counts(counts), is_met=is_met))
    return checks


def check_published_period(period: PublishedPeriod) -> Check:
    """Run the contract's own settlement function on a published period: N sharers of weight 1 with enough
    money."""
    top = 10**6
    members = Sums(count=period.sharers, weight=period.sharers, weight_x=period.sharers * top, rem=0)
    nobody = Sums(count=0, weight=0, weight_x=0, rem=0)

    def sums_from(index: int) -> Sums:
        return members if index <= top else nobody

    charge = compute_charge(
        sums_from=sums_from,
        items=[CostItem(amount=period.cost_fen, fee_bp=0, is_carried=False)],
        carry=0,
        index=0,
        year_index=0,
        caps=Caps(per_case=None, per_period=None, per_year=None),
    )
    return Check(
        name=f"the published period {period.period} comes out",
        detail=(
            f"{period.cost_fen} fen over {period.sharers} gives {charge.per} fen a head, carry {charge.carry}; "
            f"published {period.per_head_fen}, solved back {period.carry_fen}"
        ),
        is_met=(charge.per, charge.carry) == (period.per_head_fen, period.carry_fen),
    )


def format_fen(amount: int) -> str:
    """Return an amount in yuan with two digits, thousands separated."""
    return f"{amount // 100:,}.{amount % 100:02}"


def format_counts(counts: dict[str, int]) -> str:
    """Return counts by name, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"
