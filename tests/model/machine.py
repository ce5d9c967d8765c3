"""Any call by anybody at any time, done to the contract and to the model; both must answer and stand alike.

The steps are chosen by hypothesis, which shrinks a failing story to its shortest form. Amounts and days lean towards
the places where rules change: one fen below and above, the day before and after. Each area has its rules in a class of
its own (machine_members.py, machine_money.py, ...); a story begins in one of the situations of starts.py.
"""

from collections import Counter
from typing import ClassVar

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.model import starts_claims, starts_end
from tests.model.compare import compare_all_halves
from tests.model.machine_base import pick
from tests.model.machine_beside import BesideRules
from tests.model.machine_claims import ClaimRules
from tests.model.machine_custody import CustodyRules
from tests.model.machine_house import HouseRules
from tests.model.machine_members import AccountRules, MemberRules, PersonRules
from tests.model.machine_money import DepositRules, PaymentRules
from tests.model.machine_plan import StopRules, TimeRules, VersionRules
from tests.model.machine_statements import StatementRules
from tests.model.machine_validators import ValidatorRules
from tests.model.starts import STARTS, TERMS, begin

MIXINS = (
    MemberRules,
    AccountRules,
    PersonRules,
    DepositRules,
    PaymentRules,
    StatementRules,
    TimeRules,
    StopRules,
    VersionRules,
    ClaimRules,
    HouseRules,
    ValidatorRules,
    CustodyRules,
)
"""The rules of each area."""
CLAIM_MIXINS = (BesideRules, ClaimRules, HouseRules, ValidatorRules)
"""The rules of stories that are mostly about claims."""
MACHINES = 2 * len(TERMS)
"""Over each of TERMS everything, then over each of them claims."""
__all__ = ["MACHINES", "ContractMachine", "build_machine"]


class ContractMachine(RuleBasedStateMachine):
    """One plan, lived twice."""

    done: ClassVar[Counter[str]] = Counter()
    """How often each call succeeded, over all runs of the process."""

    terms_number: ClassVar[int] = 0
    """Which of TERMS."""

    starts: ClassVar[tuple[str, ...]] = tuple(STARTS)
    """Where a story may begin."""

    @initialize(number=pick)
    def begin(self, number: int) -> None:
        """Choose one of the starts by a number: hypothesis, asked for the start itself, would often take the same."""
        self.story = begin(self.terms_number, self.starts[number // 4_096 % len(self.starts)], number)

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "story"):
            self.story.agree()

    def teardown(self) -> None:
        if hasattr(self, "story"):
            self.story.world.commit_block()
            compare_all_halves(self.story.world, self.story.book)
            self.done.update(self.story.done)
            self.done.update(self.story.list_effects())


class ClaimsMachine(ContractMachine):
    """One plan whose members fall ill."""

    starts = (*starts_claims.NAMES, *starts_end.NAMES)


def build_machine(number: int) -> type[ContractMachine]:
    """Return one of MACHINES."""
    kind, terms = divmod(number, len(TERMS))
    parents = (*CLAIM_MIXINS, ClaimsMachine) if kind else (*MIXINS, ContractMachine)
    return type(f"ContractMachine{number}", parents, {"terms_number": terms})
