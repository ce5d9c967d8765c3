"""The attacks of contract 7 on payees, bills, objections and rules, each by signed transactions on a ledger.

Each docstring names the rule that refuses the attack, or the public number that shows it.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import AssessorAccept, CertificateAttach, ClaimConfirm, ClaimPayee, ObjectionFile
from chain.contract.claim_events import ClaimFlagged
from chain.contract.claim_objection import OBJECTIONS_PER_YEAR_MAX, RULING_DAYS
from chain.contract.claim_review_events import ObjectionEnded, ObjectionFiled
from chain.contract.claim_review_tables import OBJECTION_DISMISSED
from chain.contract.custody_tables import INSTRUCTION
from chain.contract.member_calls import AccountChange, MemberAcceptRules, MemberRekeyRequest, MemberRekeyVeto
from chain.contract.money_calls import FeeWithdraw, SingleRelease
from chain.contract.payout import compute_batch_root
from chain.contract.plan_calls import BatchSign, RulesPublish
from chain.contract.terms import PlanTerms, hash_terms
from chain.contract.version_tables import VERSION_MEMBERS
from chain.state import Overlay
from tests.chain.contract.attack_chain import AttackChain, open_chain, start
from tests.chain.contract.attack_ledger import PLAN_NAME, build_terms, hash_of, person_key

MILD_FEN = 50_000


def confirm(chain: AttackChain, claims: list[bytes], period: int) -> tuple[str, ...]:
    """Let the auditor of a period confirm claims; return the outcome of each."""
    auditor = chain.period(period).confirmer
    assert auditor is not None
    (answer,) = chain.send_all((auditor, ClaimConfirm(items=tuple(claims))))
    return answer.items


def notice(chain: AttackChain, claims: list[bytes]) -> int:
    """Go on until claims stand in notice and may be confirmed; return the period."""
    chain.until("noticed", claims[0])
    chain.advance_to(chain.claim(claims[0]).due_day)
    return chain.pool.settlements


# --- a payout to an account in another name ---


def test_a_payout_goes_to_no_account_that_the_bank_has_not_bound_to_the_person(tmp_path: Path) -> None:
    """Contract 5 *account_change*, *account_verify*: only the bank's word moves an account, asked for by the member's
    key, and of the same person: `conflict`, `index_mismatch`, `holder_invalid`."""
    with open_chain(tmp_path) as chain:
        victim, thief = start(chain)[:2]
        other = replace(chain.build_verification([victim]).items[0], account_token=hash_of("token", thief))
        verify = chain.build_verification([victim])
        assert chain.send("custodian", replace(verify, items=(other,))) == "conflict"
        wish = AccountChange(member=chain.members[victim], account_commitment=hash_of("commitment"))
        assert chain.send(thief, wish) == "not_owner"
        assert chain.send(victim, wish) == "success"
        # Even where the thief has the member's key, the bank must say that the account is of the same person.
        of_thief = replace(other, person_index=hash_of("person", thief))
        assert chain.send("custodian", replace(verify, items=(of_thief,))) == "index_mismatch"
        for kind in (1, 2):
            held = replace(other, holder_kind=kind)
            assert chain.send("custodian", replace(verify, items=(held,))) == "holder_invalid"
        assert chain.send("platform", replace(verify, items=(other,))) == "wrong_role"
        assert chain.member(victim).account_token == hash_of("token", victim)


def test_platform_and_auditor_take_no_membership_from_somebody_who_reads_his_messages(tmp_path: Path) -> None:
    """Contract 5 *member_rekey_request*: 14 days in which the old key vetoes; the account is the person's as before."""
    with open_chain(tmp_path) as chain:
        victim = start(chain)[0]
        call = MemberRekeyRequest(member=chain.members[victim], new_key=person_key("thief").public_key)
        chain.must(("platform", call), ("auditor-1", call), ("thief", call))
        chain.advance(13)
        assert chain.send("thief", MemberRekeyVeto(member=call.member)) == "not_owner"
        assert chain.send(victim, MemberRekeyVeto(member=call.member)) == "success"
        chain.advance(3)
        assert chain.member(victim).key == person_key(victim).public_key


def test_no_signature_on_a_batch_changes_who_is_paid_what(tmp_path: Path) -> None:
    """Contract 5 *batch_sign*: the contract computes the list; `batch_root_mismatch` for any other, whose root names
    the account; the bank's word on another amount is `amount_mismatch`."""
    with open_chain(tmp_path) as chain:
        people = start(chain)
        patient, platform_friend = people[:2]
        (claim,) = chain.approve([patient])
        to_guardian = ClaimPayee(member=chain.members[patient], claim=claim, payee_kind=1)
        assert chain.send(patient, to_guardian) == "value_out_of_range"
        assert chain.send(platform_friend, to_guardian) == "not_owner"
        period = notice(chain, [claim])
        assert confirm(chain, [claim], period) == ("success",)
        chain.until("settled", claim)
        computed = chain.period(period)
        (instruction,) = computed.instructions
        record = chain.require(INSTRUCTION, instruction)
        assert record.account_token == hash_of("token", patient)

        forged = Overlay(chain.chain.ledger)
        forged.put(INSTRUCTION, replace(record, account_token=hash_of("token", platform_friend)), instruction)
        root = compute_batch_root(forged, (instruction,))
        call = BatchSign(plan=PLAN_NAME, pool=0, period=period, batch_root=root)
        signers = ("platform", computed.cosigner or "")
        assert [chain.send(name, call) for name in signers] == ["batch_root_mismatch"] * 2
        assert chain.send("custodian", call) == "wrong_role"

        call = replace(call, batch_root=computed.batch_root)
        assert chain.send("platform", call) == "success"
        assert chain.send("platform", call) == "already"
        assert chain.answer(instruction) == "instruction_state"
        assert chain.send(computed.cosigner or "", call) == "success"
        assert chain.answer(instruction, amount=record.amount + 1) == "amount_mismatch"
        assert chain.send("custodian", SingleRelease(instruction=instruction)) == "plan_not_frozen"
        assert chain.answer(instruction) == "success"
        assert chain.answer(instruction, ref_token=hash_of("twice")) == "conflict"
        assert chain.status(claim) == "paid"
        fee = FeeWithdraw(plan=PLAN_NAME, pool=0, amount=record.fee + 1, account_token=hash_of("platform"))
        assert chain.send("platform", fee) == "fee_too_high"


# --- one bill used twice ---


def test_one_bill_pays_one_claim_of_one_member(tmp_path: Path) -> None:
    """ADR 0019, contract 5 *claim_file*: a used tag flags both claims (`ClaimFlagged`), is consumed at CONFIRMED, and
    the other is `bill_consumed`, then REJECTED; a certificate over other bills is `bills_not_certified`."""
    bill = (hash_of("bill 4711"),)
    with open_chain(tmp_path) as chain:
        first, second, third = start(chain)[:3]
        claims = chain.approve([first, second], bills=bill)
        assert chain.count_events(ClaimFlagged) == 2
        assert [chain.claim(claim).is_flagged for claim in claims] == [True, True]
        period = notice(chain, claims)
        assert confirm(chain, claims, period) == ("success", "bill_consumed")
        late = chain.file(third, bills=bill)
        chain.draw()
        chain.report(late, dict.fromkeys(chain.organisations, 1))
        assert chain.certify(late) == "success"
        assert chain.send("platform", chain.build_decision(late)) == "bill_consumed"
        chain.until("rejected", claims[1])
        assert [chain.status(claim) for claim in claims] == ["settled", "rejected"]
        assert [record.claim for _, record in chain.chain.scan(INSTRUCTION, arity=1)] == [claims[0]]


def test_a_bill_is_not_hidden_from_the_certificate(tmp_path: Path) -> None:
    """ADR 0019: who certifies signs the root over the claim's tags; another root is `bills_not_certified`."""
    with open_chain(tmp_path) as chain:
        patient = start(chain)[0]
        claim = chain.file(patient, bills=(hash_of("bill 1"),))
        both = compute_bill_root((hash_of("bill 1"), hash_of("bill 2")))
        call = CertificateAttach(claim=claim, source=0, document_hash=hash_of("record"), bill_root=both)
        assert chain.send("hospital", call) == "bills_not_certified"


# --- a member who objects to every claim ---


def test_a_member_who_objects_to_every_claim_delays_none_beyond_its_notice(tmp_path: Path) -> None:
    """ADR 0020: three a year (`objections_used`), in the full days of the notice only (`deadline_passed`), and silence
    dismisses after two days; every claim is confirmed in its own period."""
    with open_chain(tmp_path, build_covered_terms()) as chain:
        people = start(chain)
        enemy = people[-1]
        claims = chain.approve(people[:5])
        chain.until("noticed", claims[0])
        calls = [
            ObjectionFile(member=chain.members[enemy], claim=claim, evidence_hash=hash_of("evidence", number))
            for number, claim in enumerate(claims)
        ]
        answers = [chain.send(enemy, call) for call in calls]
        assert answers == ["success"] * OBJECTIONS_PER_YEAR_MAX + ["objections_used"] * 2
        assert chain.count_events(ObjectionFiled) == OBJECTIONS_PER_YEAR_MAX
        period = chain.pool.settlements
        chain.advance(RULING_DAYS)
        ended = [event for event in chain.events if isinstance(event, ObjectionEnded)]
        assert [event.status for event in ended] == [OBJECTION_DISMISSED] * OBJECTIONS_PER_YEAR_MAX
        chain.advance_to(chain.claim(claims[0]).due_day)
        late = replace(calls[0], member=chain.members[people[-2]])
        assert chain.send(people[-2], late) == "deadline_passed"
        assert confirm(chain, claims, period) == ("success",) * 5
        chain.until("settled", claims[0])
        assert [chain.status(claim) for claim in claims] == ["settled"] * 5


def build_covered_terms() -> PlanTerms:
    """Return rules without a waiting period: whoever objects must be covered."""
    terms = build_terms()
    return replace(terms, pinned=replace(terms.pinned, waiting_days=0))


# --- a rule changed for an old member ---


def change(terms: PlanTerms, **changes: object) -> PlanTerms:
    """Return other rules: pinned fields by their name, pool fields as pool_<name>."""
    pool = {name.removeprefix("pool_"): value for name, value in changes.items() if name.startswith("pool_")}
    pinned = {name: value for name, value in changes.items() if not name.startswith("pool_")}
    return replace(terms, name="new", pool=replace(terms.pool, **pool), pinned=replace(terms.pinned, **pinned))


def publish(chain: AttackChain, rules: PlanTerms) -> str:
    call = RulesPublish(plan=PLAN_NAME, version=1, pool=0, rules=rules, text_hash=hash_of("text"), account=None)
    code = chain.send("platform", call)
    return code if code != "success" else chain.send("auditor-1", call)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pool_fee_bp": 801}, "rules_unfit_fee"),
        ({"pool_cap_per_period_fen": None}, "success"),
        ({"pool_grace_periods": 1}, "rules_unfit_grace"),
        ({"pool_deposit_min_fen": 2_000}, "rules_unfit_deposits"),
        ({"pool_residue_to": "platform"}, "rules_unfit_terms"),
        ({"waiting_days": 89}, "rules_unfit_waiting"),
        ({"age_limit_years": 61}, "rules_unfit_ages"),
    ],
)
def test_no_version_enters_a_pool_in_which_somebody_would_pay_more_or_for_more(
    tmp_path: Path, changes: dict[str, object], code: str
) -> None:
    """Contract 3.0 `fits_pool`: one code for each group of fields, computed from the rules that were signed."""
    with open_chain(tmp_path) as chain:
        assert publish(chain, change(chain.terms, **changes)) == code


def test_a_worse_rule_holds_for_nobody_who_has_not_signed_it(tmp_path: Path) -> None:
    """Contract 2 *Rules*, 3.0: pinned per member; a version that is not at least as good moves nobody, and the claim
    of an old member is decided and paid by the table and clauses that he signed."""
    with open_chain(tmp_path) as chain:
        old, patient = start(chain)[:2]
        poorer = tuple(replace(benefit, mild_fen=1_000) for benefit in chain.terms.pinned.benefits)
        clauses = tuple(clause for clause in chain.terms.pinned.clauses if clause.number != "4.1")
        rules = change(chain.terms, benefits=poorer, clauses=clauses, waiting_days=180)
        assert publish(chain, rules) == "success"
        chain.advance(31)
        assert chain.pool.version == 1
        before = chain.require(VERSION_MEMBERS, PLAN_NAME, 0).pinned
        assert (chain.member(old).version, before) == (0, 12)
        accept = MemberAcceptRules(member=chain.members[old], version=1, rules_hash=hash_terms(rules))
        assert chain.send("platform", accept) == "not_owner"
        assert chain.send(patient, accept) == "not_owner"
        (claim,) = chain.approve([patient])
        record = chain.claim(claim)
        assert (record.version, record.amount, record.clauses) == (0, MILD_FEN, ("4.1",))
        chain.terms = rules
        chain.join(["newcomer"])
        chain.advance(1)
        claim = chain.file("newcomer")
        chain.draw()
        firm = chain.list_firms(claim)[0]
        chain.must((firm, AssessorAccept(claim=claim)))
        assert chain.claim(claim).version == 1
        assert chain.member("newcomer").version == 1
