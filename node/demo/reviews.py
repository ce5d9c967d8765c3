"""What auditors and firms find among the tasks of their role: second looks, panels, objections, balances."""

from chain.contract.calls import Call
from chain.contract.claim_calls import AppealRule, ObjectionRule, ReauditReport
from chain.contract.money_calls import BalanceConfirm
from node.demo.orders import ErrandName
from node.demo.population import derive_token
from node.demo.registry import Registry
from node.demo.world import World

BALANCE_DAYS = 30
"""How often an auditor asks the bank for a balance by letter."""


def list_reviews(organisation: str, world: World) -> list[tuple[ErrandName, Call]]:
    """Return the acts that wait for an organisation by name: re-audits and panels of appeals."""
    calls: list[tuple[ErrandName, Call]] = []
    for task in world.tasks:
        if organisation not in task.organisations:
            continue
        if task.kind == "reaudit_report":
            root = derive_token("re-audit", task.subject.hex())
            calls.append(
                (("re-audit", task.subject), ReauditReport(claim=task.subject, is_clean=True, report_root=root))
            )
        elif task.kind == "appeal_rule":
            calls.append((("panel", task.subject), AppealRule(case=task.subject, is_upheld=False)))
    return calls


def list_rulings(registry: Registry) -> list[tuple[ErrandName, Call]]:
    """Return the rulings on objections: admitted where the evidence holds."""
    return [
        (("ruling", objection), ObjectionRule(objection=objection, is_admitted=has_evidence))
        for objection, has_evidence in registry.objections.items()
    ]


def list_confirmations(registry: Registry, world: World, *, account: str, name: str) -> list[tuple[ErrandName, Call]]:
    """Return an auditor's word on the balance of the last closed day, once a month."""
    month = world.demo_day // BALANCE_DAYS
    if month == 0 or not registry.letters:
        return []
    day = max(registry.letters)
    letter = derive_token("letter", name, day)
    call = BalanceConfirm(account=account, day=day, closing=registry.letters[day], letter_hash=letter)
    return [(("balance", month), call)]
