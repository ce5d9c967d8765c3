"""Tasks about members' keys and accounts, and about appeals: who is asked, until when, and what silence does."""

import httpx

from chain.contract.claim_calls import AppealFile, AppealRule, ClaimFile
from chain.contract.context import DAY_MS
from chain.contract.member_calls import AccountChange, MemberRekeyRequest, MemberRekeyVeto
from chain.crypto import SigningKey, sha256
from tests.explorer.routes import read_tasks
from tests.explorer.world import World

NEW = SigningKey(sha256(b"new key"))


async def test_a_pending_rekey_asks_the_old_key_for_its_veto(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    member = world.members[3]
    call = MemberRekeyRequest(member=member, new_key=NEW.public_key)
    world.add(*(world.sign(call, key) for key in (world.keys["platform"], world.keys["auditor-1"], NEW)))
    (task,) = await read_tasks(client, "member_rekey_veto")
    assert (task["roles"], task["subject"]) == (["member"], member.hex())
    assert task["on_silence"] == "the new key replaces the old one"
    world.add(world.sign(MemberRekeyVeto(member=member), world.member_key(3)))
    assert not await read_tasks(client, "member_rekey_veto")


async def test_a_wish_for_another_account_asks_the_bank(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    member = world.members[3]
    call = AccountChange(member=member, account_commitment=sha256(b"account"))
    world.add(world.sign(call, world.member_key(3)))
    (task,) = await read_tasks(client, "account_verify")
    assert (task["roles"], task["subject"]) == (["custodian"], member.hex())


async def test_an_appeal_asks_the_member_and_then_the_panel(own: tuple[World, httpx.AsyncClient]) -> None:
    world, client = own
    member, key = world.members[4], world.member_key(4)
    filed = world.sign(
        ClaimFile(
            member=member,
            cause=0,
            diagnosed_day=world.today - 400,
            evidence_root=sha256(b"evidence"),
            bill_tags=(),
            asked_row=0,
            payee_kind=0,
        ),
        key,
    )
    world.add(filed)
    (task,) = await read_tasks(client, "appeal_file")
    assert (task["roles"], task["subject"]) == (["member"], filed.tx_id.hex())
    appeal = world.sign(AppealFile(member=member, subject=1, claim=filed.tx_id, grounds_hash=sha256(b"grounds")), key)
    world.add(appeal)
    assert not await read_tasks(client, "appeal_file")
    # Two changes of the leader: by then f + 1 proposers have revealed since the filing.
    for _ in range(2 * world.chain.genesis.parameters.tenure):
        world.add()
    for _ in range(2):
        world.add(world.post_statement(), step_ms=DAY_MS)
    (task,) = await read_tasks(client, "appeal_rule")
    assert (task["roles"], task["subject"]) == (["auditor", "assessor"], appeal.tx_id.hex())
    assert str(task["organisations"]).count("auditor-2") == 1
    world.add(world.sign(AppealRule(case=appeal.tx_id, is_upheld=False), world.keys["auditor-2"]))
    (task,) = await read_tasks(client, "appeal_rule")
    assert "auditor-2" not in str(task["organisations"])
