"""Messages of a bank for the tests: small, and wrong in one place where asked."""

from pathlib import Path

import pytest

from chain.errors import ConfigError
from node.bank.document import Node, parse_message
from tests.conftest import REPOSITORY

SAMPLES: Path = REPOSITORY / "docs" / "samples" / "bank"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
DAY = 20_482
"""2026-01-29."""


def build_entry(
    amount: str = "1.00",
    *,
    ref: str = "R1",
    indicator: str = "CRDT",
    day: str = "2026-01-29",
    code: tuple[str, str, str] = ("PMNT", "RCDT", "DMCT"),
    details: str = "<TxDtls><RmtInf><Ustrd>GJ13</Ustrd></RmtInf></TxDtls>",
    more: str = "",
) -> str:
    """Return one Ntry."""
    domain, family, member = code
    return f"""
<Ntry><Amt Ccy="CNY">{amount}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{more}<Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{ref}</AcctSvcrRef>
<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{member}</SubFmlyCd></Fmly></Domn></BkTxCd>
<NtryDtls>{details}</NtryDtls></Ntry>"""


def build_statement(
    *entries: str,
    opening: str = "0.00",
    closing: str = "1.00",
    account: str = "6217000012345678",
    day: str = "2026-01-29",
    more: str = "",
) -> bytes:
    """Return a camt.053 message of one day."""
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{amount}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>\n"
        for code, amount in (("OPBD", opening), ("CLBD", closing))
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S1</Id>{more}
<Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>
{balances}{"".join(entries)}
</Stmt></BkToCstmrStmt></Document>""".encode()


def build_notification(*entries: str, account: str) -> bytes:
    """Return a camt.054 message."""
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn>
<Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>{"".join(entries)}
</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>""".encode()


def parse(content: bytes, *kinds: str) -> Node:
    """Return the message of a file with these bytes."""
    return parse_message(content, kinds or ("camt.053",), file="bank.xml")[1]


def assert_refused(content: bytes, *parts: str, kinds: tuple[str, ...] = ("camt.053",)) -> None:
    """Check that bytes are no message at all, and that the error says these things."""
    with pytest.raises(ConfigError) as caught:
        parse_message(content, kinds, file="bank.xml")
    for part in parts:
        assert part in str(caught.value), caught.value
