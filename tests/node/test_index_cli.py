"""The command `index`: bank, auditors and escrow with real files; no number leaves the bank's (contract 6)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chain.contract.member_calls import IndexIssue, IndexReissue
from node.cli_keys import EXIT_CONFIG
from node.cli_tx import read_call
from node.index_cli import index_app
from node.index_files import NumberRow, encode_number

NUMBERS = ("11010519491231002X", "440524188001010014", "E00000001")
app = typer.Typer()
app.add_typer(index_app, name="index")
runner = CliRunner()


def run(*arguments: str | int | Path, code: int = 0) -> str:
    result = runner.invoke(app, ["index", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result.output


def write_rows(path: Path, *rows: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.chmod(0o600)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def member(number: int) -> str:
    return f"{number:064x}"


class Parties:
    """A bank and three holders with their keys, in folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for dealer in ("one", "two"):
            run("keygen-shares", "--dir", folder / dealer)
        points = [self.join(holder) for holder in (1, 2, 3)]
        assert points[0] == points[1] == points[2]
        self.bank_point = run("keygen", folder / "bank.key").split()[-1]
        rows = [
            {"id": member(1), "number": NUMBERS[0]},
            {"id": member(2), "number": NUMBERS[1], "document": "resident"},
            {"id": member(3), "number": NUMBERS[2], "document": "passport:XXA"},
        ]
        write_rows(folder / "numbers.jsonl", *rows)

    @property
    def dealings(self) -> tuple[str | Path, ...]:
        return ("--dealing", self.folder / "one/dealing.json", "--dealing", self.folder / "two/dealing.json")

    def join(self, holder: int) -> str:
        subshares = [
            part
            for dealer in ("one", "two")
            for part in ("--subshare", self.folder / f"{dealer}/subshare-{holder}.key")
        ]
        return run("keygen-join", self.folder / f"share-{holder}.key", "--holder", holder, *self.dealings, *subshares)

    def blind(self, name: str = "a", key: str = "bank.key", code: int = 0) -> str:
        return run(
            "blind", "--key", self.folder / key, self.folder / "numbers.jsonl",
            self.folder / f"records-{name}", self.folder / f"requests-{name}", code=code,
        )  # fmt: skip

    def evaluate(self, holder: int, name: str = "a", code: int = 0) -> str:
        share, output = self.folder / f"share-{holder}.key", self.folder / f"evaluated-{holder}-{name}"
        return run("evaluate", "--share", share, self.folder / f"requests-{name}", output, code=code)

    def combine(self, *holders: int, name: str = "a", output: str = "indexes", epoch: int = 1, code: int = 0) -> str:
        evaluations = [self.folder / f"evaluated-{holder}-{name}" for holder in holders]
        return run(
            "combine", *self.dealings, "--plan", "care", "--epoch", epoch,
            self.folder / f"requests-{name}", *evaluations, self.folder / output, code=code,
        )  # fmt: skip


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


def finish(parties: Parties, *holders: int, output: str = "bank-indexes") -> None:
    run(
        "finish", *parties.dealings, "--plan", "care", "--epoch", 1, "--images", parties.folder / "images",
        parties.folder / "records-a", *(parties.folder / f"evaluated-{holder}-a" for holder in holders),
        parties.folder / output,
    )  # fmt: skip


def test_bank_and_auditors_come_to_the_same_indexes_by_any_two_holders(parties: Parties) -> None:
    assert parties.blind() == "blinded 3\n"
    for holder in (1, 2, 3):
        assert parties.evaluate(holder) == f"evaluated 3 as holder {holder}\n"
    parties.combine(1, 2, output="by-12")
    parties.combine(3, 1, output="by-31")
    finish(parties, 2, 3)
    rows = read_rows(parties.folder / "by-12")
    assert rows == read_rows(parties.folder / "by-31") == read_rows(parties.folder / "bank-indexes")
    assert [row["id"] for row in rows] == [member(1), member(2), member(3)]
    assert len({row["index"] for row in rows}) == 3
    parties.combine(1, 2, output="next", epoch=2)
    assert all(old["index"] != new["index"] for old, new in zip(rows, read_rows(parties.folder / "next"), strict=True))


def test_no_number_and_no_key_is_in_any_output_or_file_that_leaves_the_bank(parties: Parties) -> None:
    printed = parties.blind() + parties.evaluate(1) + parties.evaluate(2) + parties.combine(1, 2)
    finish(parties, 1, 2)
    files = [path for path in parties.folder.iterdir() if path.is_file() and path.name != "numbers.jsonl"]
    assert len(files) == 11
    texts = {path.name: path.read_text() for path in files}
    for number in NUMBERS:
        assert number not in printed
        assert not any(number in text for text in texts.values())
    secrets = [json.loads(text)["scalar"] for name, text in texts.items() if name.endswith(".key")]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in printed
        assert not any(secret in text for name, text in texts.items() if not name.endswith(".key"))
    # The proof over T1 lets its holder try out numbers: it stays with the bank.
    assert all(sorted(row) == ["id", "t1"] for row in read_rows(parties.folder / "requests-a"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_an_evaluation_with_another_share_row_or_holder_is_refused_with_its_line(parties: Parties) -> None:
    parties.blind()
    for holder in (1, 2):
        parties.evaluate(holder)
    good = read_rows(parties.folder / "evaluated-2-a")
    changed = parties.folder / "evaluated-9-a"
    cases: list[tuple[Sequence[Mapping[str, object]], str]] = [
        ([*good[:2], {**good[2], "partial": good[0]["partial"]}], ":3: the images do not have one factor"),
        ([*good[:2], {**good[2], "holder": 3}], ":3: the images do not have one factor"),
        ([*good[:2], {**good[2], "partial": "01" + "00" * 31}], ":3: the partial evaluation is no point"),
        ([good[0], good[2], good[1]], ":2: is not the row of line 2"),
        ([*good[:2]], ":3: is not the row of line 3"),
        ([*good, {**good[2], "id": member(4)}], "has more rows"),
        ([good[0], good[0], good[1]], ":2: has the id of line 1"),
    ]
    for rows, reason in cases:
        write_rows(changed, *rows)
        assert reason in parties.combine(1, 9, code=EXIT_CONFIG)
        assert not (parties.folder / "indexes").exists()
        assert not (parties.folder / "indexes.part").exists()
    assert "from holder 1, like the other" in parties.combine(1, 1, code=EXIT_CONFIG)


def test_a_request_that_is_no_point_is_refused_and_nothing_is_evaluated(parties: Parties) -> None:
    for bad in ("00" * 32, "01" + "00" * 31, "ff" * 32):
        write_rows(parties.folder / "requests-a", {"id": member(1), "t1": bad})
        assert "requests-a:1: t1 is no point" in parties.evaluate(1, code=EXIT_CONFIG)
    assert not (parties.folder / "evaluated-1-a").exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": member(9), "number": "110105194912310021"}, "check digit"),
        ({"id": member(9), "number": "1101051949123100"}, "18 places"),
        ({"id": member(9), "number": "E-1", "document": "passport"}, "Expected `str` matching"),
        ({"id": member(9), "number": "E_1", "document": "passport:XXA"}, "letters and digits"),
        ({"id": "11010519491231002X", "number": "11010519491231002X"}, "Expected `str` matching"),
        ({"id": member(1), "number": "11010519491231002X"}, "has the id of line 1"),
        ({"id": member(9)}, "missing required field"),
    ],
)
def test_a_wrong_number_is_refused_by_line_and_never_repeated(
    parties: Parties, row: dict[str, object], reason: str
) -> None:
    write_rows(parties.folder / "numbers.jsonl", *read_rows(parties.folder / "numbers.jsonl"), row)
    output = parties.blind(code=EXIT_CONFIG)
    assert f"numbers.jsonl:4: {reason}"[:12] in output
    assert reason in output
    assert "19491231" not in output
    assert not (parties.folder / "requests-a").exists()
    assert not (parties.folder / "records-a").exists()


def test_lines_that_are_no_json_too_long_or_open_to_others_are_refused(parties: Parties) -> None:
    path = parties.folder / "numbers.jsonl"
    path.write_text("11010519491231002X\n{")
    assert "Expected `object`" in parties.blind(code=EXIT_CONFIG)
    path.write_text('{"id" "11010519491231002X"}\n')
    output = parties.blind(code=EXIT_CONFIG)
    assert "is no JSON object" in output
    assert "11010519491231002X" not in output
    path.write_text('{"id": "' + " " * 5_000 + '"}\n')
    assert "longer than" in parties.blind(code=EXIT_CONFIG)
    path.chmod(0o644)
    assert "read by others" in parties.blind(code=EXIT_CONFIG)
    path.unlink()
    assert "cannot be read" in parties.blind(code=EXIT_CONFIG)


def test_spellings_of_one_number_are_one_person() -> None:
    same = ("11010519491231002X", "11010519491231002x", " 110105 19491231 002x", "１１０１０５１９４９１２３１００２Ｘ")
    assert {encode_number(NumberRow(id=member(1), number=number)) for number in same} == {
        b"resident:11010519491231002X"
    }


def test_a_rotated_bank_key_is_accepted_by_its_proofs_and_equals_a_new_blinding(parties: Parties) -> None:
    folder = parties.folder
    parties.blind()
    for holder in (1, 2):
        parties.evaluate(holder)
    finish(parties, 1, 2)
    new_point = run("keygen", folder / "new.key").split()[-1]
    run(
        "rotate", "--old-key", folder / "bank.key", "--new-key", folder / "new.key",
        "--new-images", folder / "new-images", folder / "images", folder / "rotations",
    )  # fmt: skip

    def accept(output: str, old: str, new: str, code: int = 0) -> str:
        return run(
            "accept-rotation", "--old-point", old, "--new-point", new, "--plan", "care", "--epoch", 1,
            "--new-epoch", 2, folder / "rotations", folder / "bank-indexes", folder / output, code=code,
        )  # fmt: skip

    assert accept("rotated", parties.bank_point, new_point) == "accepted 3\n"
    parties.blind(name="b", key="new.key")
    for holder in (1, 2):
        parties.evaluate(holder, name="b")
    parties.combine(1, 2, name="b", output="anew", epoch=2)
    assert read_rows(folder / "rotated") == read_rows(folder / "anew")
    assert "one factor" in accept("x", new_point, parties.bank_point, code=EXIT_CONFIG)
    assert "not hex" in accept("x", "zz", new_point, code=EXIT_CONFIG)
    rows = read_rows(folder / "bank-indexes")
    write_rows(folder / "bank-indexes", *[{**row, "index": rows[0]["index"]} for row in rows])
    assert ":2: is not the image of its index" in accept("x", parties.bank_point, new_point, code=EXIT_CONFIG)
    assert not (folder / "x").exists()


def test_shares_are_joined_from_matching_dealings_only(parties: Parties) -> None:
    folder = parties.folder
    dealing, one, two = folder / "one/dealing.json", folder / "one/subshare-1.key", folder / "two/subshare-1.key"

    def join(*arguments: str | Path, holder: int = 1) -> str:
        return run("keygen-join", folder / "new-share.key", "--holder", holder, *arguments, code=EXIT_CONFIG)

    assert "dealer 1 is not on its polynomial" in join("--dealing", dealing, "--subshare", two)
    assert "is for holder 1" in join("--dealing", dealing, "--subshare", one, holder=2)
    assert "given for 1 dealings" in join("--dealing", dealing, "--subshare", one, "--subshare", two)
    twice = ("--dealing", dealing, "--dealing", dealing, "--subshare", one, "--subshare", one)
    assert "given twice" in join(*twice)
    assert "holds a blind-key" in join("--dealing", dealing, "--subshare", folder / "bank.key")
    other = json.loads((folder / "two/dealing.json").read_text())
    stored = json.loads(dealing.read_text())
    dealing.write_text(json.dumps({**stored, "proof": other["proof"]}))
    assert "one factor" in join("--dealing", dealing, "--subshare", one)
    dealing.write_text("{}")
    assert "is no dealing" in join("--dealing", dealing, "--subshare", one)
    assert not (folder / "new-share.key").exists()


def test_a_key_file_of_another_kind_open_to_others_or_changed_is_refused(parties: Parties) -> None:
    folder = parties.folder
    assert "holds a blind-share, not a blind-key" in parties.blind(key="share-1.key", code=EXIT_CONFIG)
    stored = json.loads((folder / "bank.key").read_text())
    changed = folder / "changed.key"
    write_rows(changed, {**stored, "scalar": "01" + "00" * 31})
    assert "not the one of the key" in parties.blind(key="changed.key", code=EXIT_CONFIG)
    write_rows(changed, {**stored, "scalar": "00" * 32})
    assert "no scalar" in parties.blind(key="changed.key", code=EXIT_CONFIG)
    changed.write_text("{}")
    assert "no key file" in parties.blind(key="changed.key", code=EXIT_CONFIG)
    (folder / "bank.key").chmod(0o644)
    assert "0600" in parties.blind(code=EXIT_CONFIG)
    assert "exists already" in run("keygen", folder / "bank.key", code=EXIT_CONFIG)


def test_indexes_become_calls_of_five_hundred_items(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"id": member(number), "index": f"{number:064x}"} for number in range(1, 1_002)]
    write_rows(tmp_path / "indexes", *rows)
    run("calls", "--kind", "issue", "--epoch", 3, tmp_path / "indexes", tmp_path / "issue")
    issues = [read_call(line) for line in (tmp_path / "issue").read_text().splitlines()]
    assert all(isinstance(call, IndexIssue) for call in issues)
    items = [call.items for call in issues if isinstance(call, IndexIssue)]
    assert [len(batch) for batch in items] == [500, 500, 1]
    assert items[2][0].member.hex() == member(1_001)
    assert {item.epoch for batch in items for item in batch} == {3}
    run("calls", "--kind", "reissue", "--epoch", 4, tmp_path / "indexes", tmp_path / "reissue")
    first = read_call((tmp_path / "reissue").read_text().splitlines()[0])
    assert isinstance(first, IndexReissue)
    assert (first.epoch, first.items[499].person_index.hex()) == (4, member(500))


@pytest.mark.parametrize(
    "command",
    ["keygen", "keygen-shares", "keygen-join", "blind", "finish", "evaluate", "combine", "calls", "rotate",
     "accept-rotation"],
)  # fmt: skip
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    assert f"Example: gongji index {command}" in " ".join(run(command, "--help").split())
