"""Files that may be hostile: nothing is expanded, nothing is loaded, everything is bounded."""

import socket
from pathlib import Path

import pytest

from chain.errors import ConfigError
from node.bank import document
from node.bank.document import load_message, parse_message
from tests.node.bank.messages import NAMESPACE, assert_refused, build_entry, build_statement, parse

ENTITIES = ['<!ENTITY lol0 "lol">', *(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))]
LAUGHS = f"""<?xml version="1.0"?>
<!DOCTYPE lolz [{"".join(ENTITIES)}]>
<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>&lol9;</BkToCstmrStmt></Document>"""


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a PUBLIC "x" "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;]>',
        "<!DOCTYPE a>",
    ],
)
def test_a_document_type_is_refused_before_anything_is_parsed(declaration: str) -> None:
    content = f"<?xml version='1.0'?>\n{declaration}\n<Document xmlns='{NAMESPACE}'><x>&x;</x></Document>"
    assert_refused(content.encode(), "bank.xml:2", "DOCTYPE")


def test_a_billion_laughs_are_not_laughed() -> None:
    assert_refused(LAUGHS.encode(), "DOCTYPE")


def test_a_declaration_cannot_hide_in_another_encoding() -> None:
    hidden = LAUGHS.replace('version="1.0"', 'version="1.0" encoding="UTF-16"')
    assert_refused(hidden.encode("utf-16"), "UTF-8")
    assert_refused(hidden.encode("utf-16-le"), "UTF-8")
    assert_refused(hidden.encode("utf-32-be"), "UTF-8")
    seven = LAUGHS.replace('version="1.0"', 'version="1.0" encoding="UTF-7"').replace("<!", "+ADwAIQ-")
    assert_refused(seven.encode(), "UTF-7")
    assert_refused(b"\xef\xbb\xbf" + LAUGHS.encode(), "DOCTYPE")
    ebcdic = b'<?xml version="1.0" encoding="IBM037"?>' + LAUGHS.encode("cp037")
    assert_refused(ebcdic, "IBM037")


def test_an_entity_that_nobody_declared_is_no_xml() -> None:
    assert_refused(f"<Document xmlns='{NAMESPACE}'><x>&secret;</x></Document>".encode(), "bank.xml:1", "well-formed")


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    content = build_statement(build_entry()).replace(
        b"<Document ",
        b'<Document xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="x http://127.0.0.1:1/x" ',
    )
    include = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'
    included = content.replace(b"</Stmt>", include + b"</Stmt>")
    assert parse(included).name == "BkToCstmrStmt"


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.xml"
    path.write_bytes(build_statement(build_entry()))
    assert load_message(path, ("camt.053",))[0] == "camt.053"
    monkeypatch.setattr(document, "FILE_BYTES_MAX", path.stat().st_size - 1)
    with pytest.raises(ConfigError, match="larger than"):
        load_message(path, ("camt.053",))


def test_endless_depth_is_refused() -> None:
    deep = "<a>" * 5_000 + "</a>" * 5_000
    assert_refused(f"<Document xmlns='{NAMESPACE}'>{deep}</Document>".encode(), "well-formed")


def test_a_value_of_megabytes_is_refused_by_its_line() -> None:
    content = build_statement(build_entry(ref="R" * 3_000))
    message = parse(content)
    with pytest.raises(ConfigError, match=r"bank.xml:\d+ Document/BkToCstmrStmt/Stmt/Ntry/AcctSvcrRef.*longer"):
        _ = message.list("Stmt")[0].list("Ntry")[0].require("AcctSvcrRef").text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "well-formed"),
        (b"not xml", "well-formed"),
        (b"<Document/>", "not a Document of camt.053"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.052.001.08'><a/></Document>", "camt.052"),
        (f"<Other xmlns='{NAMESPACE}'><a/></Other>".encode(), "not a Document"),
        (f"<Document xmlns='{NAMESPACE}'/>".encode(), "holds 0 messages"),
        (f"<Document xmlns='{NAMESPACE}'><a/><b/></Document>".encode(), "holds 2 messages"),
        (build_statement(build_entry())[:-20], "well-formed"),
        (build_statement(build_entry()) + b"<more/>", "well-formed"),
    ],
)
def test_what_is_no_message_is_refused(content: bytes, said: str) -> None:
    assert_refused(content, "bank.xml", said)


def test_a_message_in_gb18030_is_read_as_banks_in_china_write_it() -> None:
    content = build_statement(build_entry(details="<TxDtls><RmtInf><Ustrd>互助 GJ13</Ustrd></RmtInf></TxDtls>"))
    for encoding in ("GB18030", "GBK"):
        told = content.decode().replace("UTF-8", encoding).encode(encoding)
        remittance = parse(told).list("Stmt")[0].list("Ntry")[0].require("NtryDtls/TxDtls/RmtInf/Ustrd")
        assert remittance.text == "互助 GJ13"


def test_every_version_of_a_kind_is_read() -> None:
    for version in ("02", "08", "13"):
        content = build_statement(build_entry()).replace(b"camt.053.001.08", f"camt.053.001.{version}".encode())
        assert parse_message(content, ("camt.053",), file="x")[0] == "camt.053"


def test_an_element_that_stands_twice_or_is_missing_or_empty_is_told_with_its_place() -> None:
    statement = parse(build_statement(build_entry())).list("Stmt")[0]
    with pytest.raises(ConfigError, match=r"Stmt.*Acct/Id/IBAN is missing"):
        statement.require("Acct/Id/IBAN")
    with pytest.raises(ConfigError, match="stands here once only"):
        statement.find("Bal/Amt")
    with pytest.raises(ConfigError, match="holds elements where a value is expected"):
        _ = statement.require("Acct").text
    empty = parse(build_statement(more="<Nm> </Nm>")).list("Stmt")[0]
    with pytest.raises(ConfigError, match="is empty"):
        _ = empty.require("Nm").text


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-29", 20_482),
        ("2026-01-29T23:59:59.123+08:00", 20_482),
        ("2026-01-29T00:00:00Z", 20_482),
        ("2026-01-29+08:00", None),
        ("29.01.2026", None),
        ("2026-02-30", None),
        ("2026-1-2", None),
        ("１９７０-01-02", None),
        ("1969-12-31", None),
    ],
)
def test_dates_are_the_banks_own_days(text: str, day: int | None) -> None:
    node = parse(build_statement(more=f"<Dt>{text}</Dt>")).list("Stmt")[0].require("Dt")
    if day is None:
        with pytest.raises(ConfigError, match="is no date"):
            node.read_date()
    else:
        assert node.read_date() == day
