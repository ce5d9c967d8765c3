"""The command `bank` against a node's interface over HTTP, on a real ledger."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
import uvicorn
from typer.testing import CliRunner, Result

from chain.contract.custody_tables import ACCOUNT, INSTRUCTION, INSTRUCTION_FAILED, INSTRUCTION_SETTLED
from chain.contract.deposit_code import format_deposit_code
from chain.contract.member_calls import MemberWithdraw
from chain.contract.money_tables import OTHER_CASH
from chain.contract.tables import POOL
from chain.crypto import sha256
from chain.errors import ConfigError
from chain.transaction import get_call_name
from explorer.access import AccessKey, AccessKeys
from explorer.app import build_app
from explorer.settings import ExplorerSettings
from node.bank.desk import CONFIG_NAME, create_desk
from node.bank.desk import Desk as BankDesk
from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import Party
from node.bank.orders import PayOrder, Resolved
from node.bank.pain001 import Transfer
from node.bank_cli import write_payments
from node.cli import app as command_line
from node.cli_tx import read_call
from node.keys import KeyKind, save_key
from node.submit_api import SubmitResult, build_submit_router
from tests.explorer.world import Condition, World
from tests.node.bank.messages import build_entry, build_notification, build_statement
from tests.node.test_submit_api import Desk

DAY_MS = 86_400_000
NUMBER = "6217000012345678"
ACCESS_KEY = "a" * 64
CONFIG = f"""
[[account]]
name = "demo-account"
plan = "demo"
pool = 0
number = "{NUMBER}"
holder = "Demo"
agent = "BANKCNBJ"
"""


class EagerDesk(Desk):
    """Makes a block of whatever it is handed."""

    async def submit_batch(self, raws: Sequence[bytes], wait_ms: int) -> list[SubmitResult]:
        results = []
        for raw in raws:
            results.append(await self.submit(raw, wait_ms or 1))
        return results


class Counter:
    """A bank clerk before a terminal: one world, one node's interface, one folder."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory / "db")
        applications = [self.world.apply(number) for number in range(2)]
        self.world.members = [application.tx_id for application in applications]
        self.world.add(*applications)
        self.world.add(*self.world.verify(self.world.members))
        self.directory = directory
        self.desk = directory / "desk"
        create_desk(self.desk)
        (self.desk / CONFIG_NAME).write_text(CONFIG, encoding="utf-8")
        self.key = directory / "bank.key"
        save_key(self.key, self.world.keys["custodian"], kind=KeyKind.SIGNING, owner="custodian")
        (directory / "access").write_text(ACCESS_KEY + "\n", encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        keys = AccessKeys({sha256(ACCESS_KEY.encode()): AccessKey(name="bank", scopes=frozenset({"payments"}))})
        settings = ExplorerSettings(software_version="0", cursor_key=bytes(32), hosts=("127.0.0.1",), access=keys)
        routers = (build_submit_router(EagerDesk(self.world), settings.limits),)
        web = build_app(self.world.reader, Condition(), settings=settings, submit_routers=routers)
        config = uvicorn.Config(web, host="127.0.0.1", port=self.port, log_config=None, lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join()
        self.world.close()

    def run(self, *words: str, online: bool = True) -> Result:
        url = ["--url", f"http://127.0.0.1:{self.port}"] if online else []
        return CliRunner().invoke(command_line, ["bank", *words, *url])

    def save(self, name: str, content: bytes) -> str:
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def submit(self, command: str, path: str, *more: str) -> Result:
        return self.run(command, path, "--dir", str(self.desk), "--submit", "--key", str(self.key), *more)

    def pool_cash(self) -> int:
        return self.world.chain.require(POOL, "demo", 0).cash


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    counter = Counter(tmp_path_factory.mktemp("bank"))
    yield counter
    counter.close()


def name_details(instruction: bytes) -> str:
    return f"<TxDtls><Refs><EndToEndId>{build_end_to_end_id(instruction)}</EndToEndId></Refs></TxDtls>"


def code_details(code: int) -> str:
    party = "<RltdPties><DbtrAcct><Id><Othr><Id>622</Id></Othr></Id></DbtrAcct></RltdPties>"
    return f"<TxDtls>{party}<RmtInf><Ustrd>{format_deposit_code(code)}</Ustrd></RmtInf></TxDtls>"


def test_a_month_at_the_counter(counter: Counter) -> None:
    """Import a day, export payments, take the answers, import the next day; everything twice."""
    world = counter.world
    deposits = (
        build_entry("50.00", ref="A", day="2025-12-30", details=code_details(1)),
        build_entry("0.12", ref="I", day="2025-12-30", code=("ACMT", "MCOP", "INTR"), details=""),
        build_entry("3.00", ref="U", day="2025-12-30", details="<TxDtls/>"),
    )
    first = counter.save("d1.xml", build_statement(*deposits, closing="53.12", day="2025-12-30", account=NUMBER))

    shown = counter.run("import", first, "--dir", str(counter.desk))
    assert shown.exit_code == 0, shown.output
    calls = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [get_call_name(read_call(line)) for line in shown.stdout.splitlines()] == [
        "deposit_credit",
        "cash_other",
        "statement_post",
    ]
    assert calls[0]["items"][0]["amount"] == {"amount": "5000", "currency": "CNY", "scale": 2}
    assert [item["deposit_code"] for item in calls[0]["items"]] == [1, None]
    assert counter.pool_cash() == 0

    early = counter.submit("import", first)
    assert early.exit_code == 1
    assert "statement_post: day_in_future" in early.stdout
    world.add(step_ms=DAY_MS)
    sent = counter.submit("import", first)
    assert sent.exit_code == 0, sent.output
    assert "deposit_credit: 2 already" in sent.stdout
    assert "statement_post: success, matched" in sent.stdout
    assert counter.pool_cash() == 5_312
    again = counter.submit("import", first)
    assert again.exit_code == 0
    assert "statement_post: already" in again.stdout
    assert counter.pool_cash() == 5_312

    # --- what is to be paid ---
    for amount in (300, 200):
        call = MemberWithdraw(member=world.members[0], amount=amount)
        world.add(world.sign(call, world.member_key(0)))
    ready = [record.parts[0] for record, _ in world.reader.open_snapshot().scan(INSTRUCTION, arity=1)]
    paid, rejected = sorted(
        (bytes(part) for part in ready if isinstance(part, bytes)), key=lambda item: -find(world, item)
    )
    token = world.chain.require(INSTRUCTION, paid).account_token
    assert token is not None
    output = counter.directory / "pay.xml"
    export = ("export", str(output), "--dir", str(counter.desk))
    closed = counter.run(*export)
    assert closed.exit_code == 1
    assert "access key" in closed.stderr
    scoped = (*export, "--access-key", str(counter.directory / "access"))
    unknown = counter.run(*scoped)
    assert unknown.exit_code == 1
    assert "load it with `bank payees`" in unknown.stderr
    assert "nothing to pay" in unknown.stdout
    note_payee(counter, token)
    done = counter.run(*scoped)
    assert done.exit_code == 0, done.output
    assert "2 payments, 5.00 CNY" in done.stdout
    assert output.stat().st_mode & 0o077 == 0
    assert {build_end_to_end_id(item).encode() in output.read_bytes() for item in (paid, rejected)} == {True}
    twice = counter.run("export", str(counter.directory / "pay2.xml"), *scoped[2:])
    assert "nothing to pay" in twice.stdout
    assert not (counter.directory / "pay2.xml").exists()
    assert counter.run(*scoped).exit_code == 2
    repeated = counter.run("export", str(counter.directory / "pay3.xml"), *scoped[2:], "--again")
    assert "2 payments" in repeated.stdout

    # --- the answers ---
    report = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><CreDtTm>2025-12-31T10:00:00</CreDtTm></GrpHdr><OrgnlPmtInfAndSts><TxInfAndSts>
<OrgnlEndToEndId>{build_end_to_end_id(rejected)}</OrgnlEndToEndId><TxSts>RJCT</TxSts>
<StsRsnInf><Rsn><Cd>AC06</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"""
    path = counter.save("answers.xml", report.encode())
    preview = counter.run("answers", path, "--dir", str(counter.desk))
    assert json.loads(preview.stdout)["items"][0]["is_settled"] is False
    for expected in ("1 success", "1 already"):
        answered = counter.submit("answers", path)
        assert answered.exit_code == 0, answered.output
        assert f"instruction_ack: {expected}" in answered.stdout
    record = world.chain.require(INSTRUCTION, rejected)
    assert (record.state, record.reason) == (INSTRUCTION_FAILED, 3)

    # --- the next day, with something that people have to decide ---
    movements = (
        build_entry("3.00", ref="P", indicator="DBIT", day="2025-12-31", details=name_details(paid)),
        build_entry("0.09", ref="C", indicator="DBIT", day="2025-12-31", code=("ACMT", "MDOP", "CHRG"), details=""),
    )
    second = counter.save(
        "d2.xml", build_statement(*movements, opening="53.12", closing="50.03", day="2025-12-31", account=NUMBER)
    )
    world.add(step_ms=DAY_MS)
    stopped = counter.submit("import", second)
    assert stopped.exit_code == 1
    assert "foreign debit 0.09 C" in stopped.stderr
    assert "the statement was not posted" in stopped.stderr
    assert world.chain.require(INSTRUCTION, paid).state == INSTRUCTION_SETTLED
    posted = counter.submit("import", second, "--post-mismatch")
    assert posted.exit_code == 0
    assert "MISMATCH" in posted.stdout
    account = world.chain.require(ACCOUNT, "demo-account")
    assert (account.is_matched, account.closing, account.expected) == (False, 5_003, 5_012)


def find(world: World, instruction: bytes) -> int:
    return world.chain.require(INSTRUCTION, instruction).amount


def note_payee(counter: Counter, token: bytes) -> None:
    """Let the register know the account behind a token that the tests' world made up."""
    from node.bank.desk import Desk as BankDesk  # noqa: PLC0415
    from node.bank.entries import Party  # noqa: PLC0415

    BankDesk(counter.desk).register.put_payees([(token, Party(name="A", account="622", agent=""))])


def test_verified_accounts_get_their_tokens(counter: Counter) -> None:
    path = counter.save("payees.csv", "account,name,agent\n6222 0210,张三,ICBKCNBJ\n6333,B,\n".encode())
    result = counter.run("payees", path, "--dir", str(counter.desk), online=False)
    assert result.exit_code == 0, result.output
    rows = [line.split(",") for line in result.stdout.splitlines()]
    assert rows[0] == ["account", "token"]
    assert [row[0] for row in rows[1:]] == ["6222 0210", "6333"]
    assert all(len(row[1]) == 64 for row in rows[1:])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "first line must be"),
        (b"number,name\n", "first line must be"),
        (b"account,name,agent\n1,,\n", "payees.csv:2"),
        (b"account,name,agent\n1,A\n", "payees.csv:2"),
        (b"account,name,agent\n1,A\x01,\n", "cannot be printed"),
        (b"account,name,agent\n\xff,A,\n", "UTF-8"),
    ],
)
def test_a_wrong_list_of_accounts_is_refused(counter: Counter, content: bytes, said: str) -> None:
    path = counter.save("payees.csv", content)
    result = counter.run("payees", path, "--dir", str(counter.desk), online=False)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_wrong_file_sends_nothing_and_says_where_it_is_wrong(counter: Counter) -> None:
    before = counter.world.chain.require(ACCOUNT, "demo-account")
    good = build_statement(build_entry(), account=NUMBER)
    for content, said in (
        (good.replace(b'<Ntry><Amt Ccy="CNY">1.00', b'<Ntry><Amt Ccy="CNY">1.005'), "at most two decimals"),
        (build_statement(build_entry(), account="1"), "no account has the number 1"),
        (b"<!DOCTYPE a>" + good, "DOCTYPE"),
    ):
        result = counter.submit("import", counter.save("wrong.xml", content))
        assert result.exit_code == 2
        assert said in result.stderr
    assert counter.world.chain.require(ACCOUNT, "demo-account") == before
    assert not [row for row in counter.world.chain.scan(OTHER_CASH, arity=3) if row[1].amount == 100]


def test_answers_of_another_account_than_the_one_that_was_given_are_refused(counter: Counter) -> None:
    path = counter.save("camt054.xml", build_notification(build_entry("1.00", ref="N"), account=NUMBER))
    answers = ("answers", path, "--dir", str(counter.desk), "--account")
    result = counter.run(*answers, "other-account")
    assert result.exit_code == 2
    assert "--account: is other-account, and camt054.xml is of demo-account" in result.stderr
    assert result.stdout == ""
    named = counter.run(*answers, "demo-account")
    assert named.exit_code == 0, named.output
    assert '"demo-account"' in named.stdout


def test_sending_needs_a_key_and_a_folder(counter: Counter) -> None:
    path = counter.save("ok.xml", build_statement(build_entry(), account=NUMBER))
    result = counter.run("import", path, "--dir", str(counter.desk), "--submit")
    assert result.exit_code == 2
    assert "--key" in result.stderr
    missing = counter.run("import", path, "--dir", str(counter.directory / "nowhere"))
    assert missing.exit_code == 2
    assert "bank.toml" in missing.stderr
    made = counter.run("init", str(counter.directory / "fresh"), online=False)
    assert made.exit_code == 0
    assert counter.run("init", str(counter.directory / "fresh"), online=False).exit_code == 2
    assert msgspec.toml.decode((counter.directory / "fresh" / CONFIG_NAME).read_bytes())["account"]


def test_two_exports_at_once_order_a_payment_once(tmp_path: Path) -> None:
    create_desk(tmp_path / "desk")
    desks = [BankDesk(tmp_path / "desk") for _ in range(2)]
    order = PayOrder(
        instruction=sha256(b"i"), kind="refund", amount=5, attempt=0, is_held=False, account_token=bytes(32),
        return_of=None, member=None,
    )  # fmt: skip
    payee = Party(name="A", account="622", agent="")
    transfer = Transfer(end_to_end_id=build_end_to_end_id(order.instruction), amount=5, payee=payee, remittance="r")
    found = [Resolved(order, transfer)]  # both have asked the node before either of them has written
    files = [tmp_path / "one.xml", tmp_path / "two.xml"]
    write_payments(desks[0], desks[0].accounts[0], found, output=files[0], today="2026-01-29", is_again=False)
    with pytest.raises(ConfigError, match="was exported meanwhile"):
        write_payments(desks[1], desks[1].accounts[0], found, output=files[1], today="2026-01-29", is_again=False)
    assert [path.name for path in sorted(tmp_path.glob("*.xml*"))] == ["one.xml"]
    write_payments(desks[1], desks[1].accounts[0], found, output=files[1], today="2026-01-29", is_again=True)
    assert files[1].exists()
    for desk in desks:
        desk.register.close()
