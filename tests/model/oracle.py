"""What the lot said: the one thing that the model takes from the contract's records, and then checks."""

from chain.contract.appeal_tables import APPEAL, JUROR
from chain.contract.claim_review_tables import REAUDIT
from chain.contract.claim_tables import CLAIM
from tests.chain.contract.world import World
from tests.model.book import Book


def bind(world: World, book: Book) -> None:
    """Let a book ask a world whom the lot took."""

    def get_drawn(kind: str, name: bytes) -> list[str]:
        state = world.state
        if kind == "seats":
            return [firm.organisation for firm in state.require(CLAIM, name).firms]
        if kind == "panel":
            return [seat.organisation for seat in state.require(APPEAL, name).panel]
        look = state.get(REAUDIT, name)
        if kind == "lot":
            return [] if look is None else ["chosen"]
        return [] if look is None else list(look.firms)

    def get_jury(name: bytes, number: int) -> list[bytes]:
        found = []
        for member in book.members:
            juror = world.state.get(JUROR, member, name)
            if juror is not None and juror.round == number:
                found.append(member)
        return found

    book.docket.get_drawn = get_drawn
    book.docket.get_jury = get_jury
