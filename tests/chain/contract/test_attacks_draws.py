"""What members can still do to a draw after its value is public: spec, section 7, item 8; on a signed ledger."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from chain.contract.appeal_tables import JUROR
from chain.contract.claim_calls import AppealFile
from chain.contract.claim_tables import BEACON
from chain.contract.member_calls import MemberWithdraw
from chain.genesis import Parameters
from chain.types import Hash
from tests.chain.contract.attack_chain import AttackChain, name_people, open_chain
from tests.chain.contract.attack_ledger import hash_of

TENURE = 8
MEMBERS = 150


def draw_jury(path: Path, late: Sequence[str]) -> tuple[Hash, tuple[str, ...]]:
    """Let one appeal wait for its jury; some members withdraw a fen each after the value of the draw is public.

    Returns the value that was public before, and the names of the jury.
    """
    with open_chain(path, parameters=Parameters(tenure=TENURE)) as chain:
        people = name_people("member", MEMBERS)
        chain.join(people)
        chain.advance(3)
        appellant = people[0]
        filing = replace(chain.build_filing(appellant), diagnosed_day=chain.today - 20)
        (filed,) = chain.must((appellant, filing))
        appeal = AppealFile(
            member=chain.members[appellant], subject=1, claim=filed.tx_id, grounds_hash=hash_of("grounds")
        )
        (case,) = chain.must((appellant, appeal))
        for _ in range(2 * TENURE):
            chain.send_all()
        while chain.chain.ledger.height % TENURE != 1:
            chain.send_all()
        value = Hash(chain.require(BEACON).turn_value)
        for name in late:
            chain.must((name, MemberWithdraw(member=chain.members[name], amount=1)))
        chain.advance(1)
        return value, _list_jury(chain, case.tx_id)


def _list_jury(chain: AttackChain, case: bytes) -> tuple[str, ...]:
    ledger = chain.chain.ledger
    return tuple(
        name for name, member in chain.members.items() if ledger.read(JUROR.key(member, case), JUROR.codec) is not None
    )


def test_members_who_move_between_the_value_and_midnight_shift_the_ranks_of_a_jury(tmp_path: Path) -> None:
    """Known and written down, not hidden: the value is the same, the order of the leaves is not."""
    quiet, others = draw_jury(tmp_path / "quiet", ()), draw_jury(tmp_path / "late", ("member-1",))
    assert quiet[0] == others[0]
    assert quiet[1] != others[1]
    assert len(quiet[1]) == len(others[1]) == 7
