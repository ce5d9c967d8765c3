"""The command `index`: the blind index as bank, auditors and escrow make it, batch by batch (contract 6).

    once   each auditor   gongji index keygen-shares --dir deal-one           dealing.json, subshare-1, -2, -3
           each holder    gongji index keygen-join share.key --holder 1 --dealing ... --subshare ...
           the bank       gongji index keygen bank.key
    batch  the bank       gongji index blind --key bank.key numbers.jsonl records.jsonl requests.jsonl
           two holders    gongji index evaluate --share share.key requests.jsonl evaluations.jsonl
           the bank       gongji index finish ... records.jsonl one.jsonl two.jsonl indexes.jsonl --images images.jsonl
           an auditor     gongji index combine ... requests.jsonl one.jsonl two.jsonl indexes.jsonl
    rotate the bank       gongji index rotate --old-key ... --new-key ... images.jsonl rotations.jsonl
           an auditor     gongji index accept-rotation --old-point ... --new-point ... rotations.jsonl indexes.jsonl

Every proof is checked before anything is written. No ID number, key or share is ever printed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, assert_never

import typer

from chain.blind_index import (
    HOLDERS,
    THRESHOLD,
    Dealing,
    Point,
    Purpose,
    combine,
    compute_bill_tag,
    compute_joint_point,
    compute_payer_token,
    compute_person_index,
    compute_public_point,
    compute_share_point,
    deal,
    evaluate,
    hash_to_point,
    join_shares,
    read_point,
    rotate,
    verify_evaluation,
    verify_rotation,
)
from chain.contract.call_base import ITEMS_MAX
from chain.contract.member_calls import IndexIssue, IndexIssueItem, IndexReissue, IndexReissueItem
from chain.errors import ConfigError, ProofError
from node.cli_keys import EXIT_CONFIG, report_errors
from node.cli_tx import render_call
from node.files import create_directory
from node.index_files import (
    EvaluationRow,
    ImageRow,
    IndexRow,
    NumberRow,
    RecordRow,
    RequestRow,
    RotationRow,
    draw_scalar,
    encode_number,
    load_dealing,
    load_scalar,
    open_rows,
    read_proof,
    read_rows,
    save_dealing,
    save_scalar,
    write_proof,
)

index_app = typer.Typer(no_args_is_help=True, help="Make the blind index: keys, batches, rotation.")

Plan = Annotated[str, typer.Option(help="Plan whose index it is.")]
Epoch = Annotated[int, typer.Option(min=0, max=65_535, help="Epoch of the keys, as on the chain.")]
PurposeOption = Annotated[Purpose, typer.Option(help="What the numbers are.")]
Dealings = Annotated[list[Path], typer.Option("--dealing", help="dealing.json of a dealer; once for each, in order.")]
Evaluations = Annotated[tuple[Path, Path], typer.Argument(help="Evaluations of two different holders.")]
Output = Annotated[Path, typer.Argument(help="File to create.")]


@contextmanager
def report_proofs() -> Iterator[None]:
    """Turn an error of files, values or proofs into one line and exit code 2."""
    with report_errors():
        try:
            yield
        except ProofError as error:
            typer.echo(f"error: {error.values['reason']}", err=True)
            raise typer.Exit(EXIT_CONFIG) from error


def _name_line(path: Path, number: int, error: ProofError) -> ConfigError:
    return ConfigError(field=f"{path}:{number}", reason=str(error.values["reason"]))


# --- keys ---


@index_app.command("keygen")
def keygen(path: Annotated[Path, typer.Argument(help="Key file to create.")]) -> None:
    """Make the bank's key and show its public point.

    Example: gongji index keygen bank.key
    """
    with report_proofs():
        key = draw_scalar()
        save_scalar(path, key, kind="blind-key")
    typer.echo(f"point {compute_public_point(key).hex()}")


@index_app.command("keygen-shares")
def keygen_shares(
    directory: Annotated[Path, typer.Option("--dir", help="Folder for dealing and sub-shares; must not hold any yet.")],
) -> None:
    """Deal one part of the auditors' key: give subshare-N.key to holder N alone, dealing.json to everybody.

    Example: gongji index keygen-shares --dir deal-one
    """
    with report_proofs():
        create_directory(directory)
        dealing, subshares = deal([draw_scalar() for _ in range(THRESHOLD)])
        save_dealing(directory / "dealing.json", dealing)
        for holder in HOLDERS:
            save_scalar(directory / f"subshare-{holder}.key", subshares[holder], kind="blind-subshare", holder=holder)
    typer.echo(f"dealt for holders {', '.join(map(str, HOLDERS))} in {directory}; destroy what you handed over")


@index_app.command("keygen-join")
def keygen_join(
    path: Annotated[Path, typer.Argument(help="File of the share to create.")],
    holder: Annotated[int, typer.Option(min=1, max=3, help="1 first auditor, 2 second auditor, 3 escrow.")],
    dealings: Dealings,
    subshares: Annotated[list[Path], typer.Option("--subshare", help="Own sub-share of each dealer, in that order.")],
) -> None:
    """Join the sub-shares of all dealers to the own share, and show the public point of the whole key.

    Example: gongji index keygen-join share.key --holder 1 --dealing a/dealing.json --subshare a/subshare-1.key
    """
    with report_proofs():
        dealt = _load_dealings(dealings)
        if len(subshares) != len(dealt):
            raise ConfigError(field="--subshare", reason=f"{len(subshares)} given for {len(dealt)} dealings")
        own = []
        for subshare in subshares:
            scalar, its_holder = load_scalar(subshare, kind="blind-subshare")
            if its_holder != holder:
                raise ConfigError(field=str(subshare), reason=f"is for holder {its_holder}")
            own.append(scalar)
        save_scalar(path, join_shares(dealt, own, holder=holder), kind="blind-share", holder=holder)
    typer.echo(f"point {compute_joint_point(dealt).hex()}")


def _load_dealings(paths: list[Path]) -> list[Dealing]:
    dealings = [load_dealing(path) for path in paths]
    if not dealings:
        raise ConfigError(field="--dealing", reason="is missing")
    if len({dealing.commitments for dealing in dealings}) != len(dealings):
        raise ConfigError(field="--dealing", reason="the same dealing was given twice")
    return dealings


# --- the bank's half ---


@index_app.command("blind")
def blind(
    numbers: Annotated[Path, typer.Argument(help="numbers.jsonl of the bank (mode 0600).")],
    records: Annotated[Path, typer.Argument(help="File to create: what the bank keeps, and shows nobody.")],
    requests: Annotated[Path, typer.Argument(help="File to create: what the auditors get.")],
    key: Annotated[Path, typer.Option(help="Key of the bank.")],
    purpose: PurposeOption = Purpose.PERSON,
) -> None:
    """Blind numbers: T1 = k_B * P. The numbers are in neither output.

    Example: gongji index blind --key bank.key numbers.jsonl records.jsonl requests.jsonl
    """
    with report_proofs(), ExitStack() as stack:
        scalar, _ = load_scalar(key, kind="blind-key")
        kept = stack.enter_context(open_rows(records))
        sent = stack.enter_context(open_rows(requests))
        for line, row in read_rows(numbers, NumberRow, is_secret=True):
            try:
                text = encode_number(row)
            except ValueError as error:
                raise ConfigError(field=f"{numbers}:{line}", reason=str(error)) from None
            image, proof = evaluate(scalar, hash_to_point(purpose, text))
            kept.write(RecordRow(id=row.id, t1=image.hex(), proof=write_proof(proof)))
            sent.write(RequestRow(id=row.id, t1=image.hex()))
    typer.echo(f"blinded {sent.count}")


@index_app.command("finish")
def finish(
    records: Annotated[Path, typer.Argument(help="records.jsonl of the bank.")],
    evaluations: Evaluations,
    output: Output,
    dealings: Dealings,
    plan: Plan,
    epoch: Epoch,
    images: Annotated[Path, typer.Option(help="File to create: T2 of each, for a rotated key; the bank keeps it.")],
    purpose: PurposeOption = Purpose.PERSON,
) -> None:
    """Combine two evaluations to the indexes, checking every proof; the bank keeps the images.

    Example: gongji index finish --dealing a.json --plan care --epoch 1 --images t2.jsonl rec.jsonl a.jsonl b.jsonl idx
    """
    with report_proofs(), ExitStack() as stack:
        rows = ((line, row.id, row.t1) for line, row in read_rows(records, RecordRow, is_secret=True))
        indexes = stack.enter_context(open_rows(output))
        kept = stack.enter_context(open_rows(images))
        for row_id, image in _combine(records, rows, evaluations, _load_dealings(dealings)):
            indexes.write(IndexRow(id=row_id, index=_compute_index(purpose, image, plan=plan, epoch=epoch)))
            kept.write(ImageRow(id=row_id, image=image.hex()))
    typer.echo(f"finished {indexes.count}")


# --- the auditors' half ---


@index_app.command("evaluate")
def evaluate_requests(
    requests: Annotated[Path, typer.Argument(help="requests.jsonl of the bank.")],
    output: Output,
    share: Annotated[Path, typer.Option(help="Own share of the auditors' key.")],
) -> None:
    """Evaluate a batch with the own share, with a proof for each.

    Example: gongji index evaluate --share share.key requests.jsonl evaluations.jsonl
    """
    with report_proofs():
        scalar, holder = load_scalar(share, kind="blind-share")
        with open_rows(output) as evaluations:
            for line, row in read_rows(requests, RequestRow):
                try:
                    partial, proof = evaluate(scalar, read_point(bytes.fromhex(row.t1), what="t1"))
                except ProofError as error:
                    raise _name_line(requests, line, error) from error
                evaluations.write(
                    EvaluationRow(id=row.id, holder=holder, partial=partial.hex(), proof=write_proof(proof))
                )
    typer.echo(f"evaluated {evaluations.count} as holder {holder}")


@index_app.command("combine")
def combine_evaluations(
    requests: Annotated[Path, typer.Argument(help="requests.jsonl of the bank.")],
    evaluations: Evaluations,
    output: Output,
    dealings: Dealings,
    plan: Plan,
    epoch: Epoch,
    purpose: PurposeOption = Purpose.PERSON,
) -> None:
    """Combine two evaluations to the indexes, checking every proof: what index_issue says.

    Example: gongji index combine --dealing a.json --plan care --epoch 1 requests.jsonl 1.jsonl 2.jsonl indexes.jsonl
    """
    with report_proofs():
        rows = ((line, row.id, row.t1) for line, row in read_rows(requests, RequestRow))
        with open_rows(output) as indexes:
            for row_id, image in _combine(requests, rows, evaluations, _load_dealings(dealings)):
                indexes.write(IndexRow(id=row_id, index=_compute_index(purpose, image, plan=plan, epoch=epoch)))
    typer.echo(f"combined {indexes.count}")


def _combine(
    asked: Path, rows: Iterator[tuple[int, str, str]], evaluations: tuple[Path, Path], dealings: list[Dealing]
) -> Iterator[tuple[str, Point]]:
    """Yield (id, T2) for each row that was asked; both evaluations must hold the same rows in the same order."""
    answers = [read_rows(path, EvaluationRow) for path in evaluations]
    points = {holder: compute_share_point(dealings, holder) for holder in HOLDERS}
    for line, row_id, t1 in rows:
        try:
            point = read_point(bytes.fromhex(t1), what="t1")
        except ProofError as error:
            raise _name_line(asked, line, error) from error
        partials: dict[int, Point] = {}
        for path, answer in zip(evaluations, answers, strict=True):
            its_line, row = next(answer, (0, None))
            if row is None or row.id != row_id:
                raise ConfigError(field=f"{path}:{line}", reason=f"is not the row of line {line} in {asked}")
            partial = _read_partial(path, its_line, row, point, points[row.holder])
            if row.holder in partials:
                raise ConfigError(field=str(path), reason=f"is from holder {row.holder}, like the other one")
            partials[row.holder] = partial
        yield row_id, combine(partials)
    for path, answer in zip(evaluations, answers, strict=True):
        if next(answer, None) is not None:
            raise ConfigError(field=str(path), reason=f"has more rows than {asked}")


def _read_partial(path: Path, line: int, row: EvaluationRow, point: Point, public_point: Point) -> Point:
    try:
        partial = read_point(bytes.fromhex(row.partial), what="the partial evaluation")
        verify_evaluation(read_proof(row.proof), public_point=public_point, point=point, image=partial)
    except ProofError as error:
        raise _name_line(path, line, error) from error
    return partial


def _compute_index(purpose: Purpose, image: Point, *, plan: str, epoch: int) -> str:
    if purpose is Purpose.BILL:
        return compute_bill_tag(image, plan=plan).hex()
    if purpose is Purpose.PAYER:
        return compute_payer_token(image, plan=plan).hex()
    return compute_person_index(image, plan=plan, epoch=epoch).hex()


class IndexCall(Enum):
    """A call that carries indexes."""

    ISSUE = "issue"
    """index_issue of an auditor."""
    REISSUE = "reissue"
    """index_reissue of bank or auditor, in a new epoch."""


@index_app.command("calls")
def write_calls(
    indexes: Annotated[Path, typer.Argument(help="indexes.jsonl.")],
    output: Output,
    kind: Annotated[IndexCall, typer.Option(help="Call to make of them.")],
    epoch: Epoch,
) -> None:
    """Turn indexes into calls of up to 500 items, one a line, for `gongji tx send`.

    Example: gongji index calls --kind issue --epoch 1 indexes.jsonl calls.jsonl
    """
    with report_proofs():
        rows = [(bytes.fromhex(row.id), bytes.fromhex(row.index)) for _, row in read_rows(indexes, IndexRow)]
        with open_rows(output) as calls:
            for start in range(0, len(rows), ITEMS_MAX):
                calls.write_line(render_call(_build_call(kind, rows[start : start + ITEMS_MAX], epoch)))
    typer.echo(f"wrote {calls.count} calls with {len(rows)} items")


def _build_call(kind: IndexCall, rows: list[tuple[bytes, bytes]], epoch: int) -> IndexIssue | IndexReissue:
    match kind:
        case IndexCall.ISSUE:
            issued = (IndexIssueItem(member=member, person_index=index, epoch=epoch) for member, index in rows)
            return IndexIssue(items=tuple(issued))
        case IndexCall.REISSUE:
            moved = (IndexReissueItem(member=member, person_index=index) for member, index in rows)
            return IndexReissue(epoch=epoch, items=tuple(moved))
        case _:
            assert_never(kind)


# --- rotation ---


@index_app.command("rotate")
def rotate_images(
    images: Annotated[Path, typer.Argument(help="images.jsonl of the bank.")],
    output: Output,
    old_key: Annotated[Path, typer.Option(help="Key so far.")],
    new_key: Annotated[Path, typer.Option(help="Key from now on.")],
    new_images: Annotated[Path, typer.Option(help="File to create: T2 under the new key; the bank keeps it.")],
) -> None:
    """Turn the images of the bank's old key into those of its new one, with a proof for each.

    Example: gongji index rotate --old-key old.key --new-key new.key --new-images new.jsonl t2.jsonl rotations.jsonl
    """
    with report_proofs(), ExitStack() as stack:
        old, new = (load_scalar(path, kind="blind-key")[0] for path in (old_key, new_key))
        rotations = stack.enter_context(open_rows(output))
        kept = stack.enter_context(open_rows(new_images))
        for line, row in read_rows(images, ImageRow, is_secret=True):
            try:
                image = read_point(bytes.fromhex(row.image), what="the image")
            except ProofError as error:
                raise _name_line(images, line, error) from error
            rotated, proof = rotate(old, new, image)
            rotations.write(RotationRow(id=row.id, image=image.hex(), rotated=rotated.hex(), proof=write_proof(proof)))
            kept.write(ImageRow(id=row.id, image=rotated.hex()))
    typer.echo(f"rotated {kept.count}")


@index_app.command("accept-rotation")
def accept_rotation(
    rotations: Annotated[Path, typer.Argument(help="rotations.jsonl of the bank.")],
    known: Annotated[
        Path, typer.Argument(help="indexes.jsonl of before: each image must be the one behind its index.")
    ],
    output: Output,
    old_point: Annotated[str, typer.Option(help="Public point of the bank's old key, from the chain.")],
    new_point: Annotated[str, typer.Option(help="Public point of its new key, from index_epoch_open.")],
    plan: Plan,
    epoch: Epoch,
    new_epoch: Annotated[int, typer.Option(min=1, max=65_535, help="Epoch that begins.")],
) -> None:
    """Check a rotation, row by row, and compute the new indexes: what index_reissue says.

    Example: gongji index accept-rotation --old-point 5f.. --new-point 9a.. --plan care --epoch 1 --new-epoch 2 r k out
    """
    with report_proofs():
        old, new = (_parse_point(name, text) for name, text in (("--old-point", old_point), ("--new-point", new_point)))
        indexes_before = {row.id: row.index for _, row in read_rows(known, IndexRow)}
        with open_rows(output) as indexes:
            for line, row in read_rows(rotations, RotationRow):
                try:
                    image = read_point(bytes.fromhex(row.image), what="the image")
                    rotated = read_point(bytes.fromhex(row.rotated), what="the rotated image")
                    verify_rotation(read_proof(row.proof), old_point=old, new_point=new, image=image, rotated=rotated)
                except ProofError as error:
                    raise _name_line(rotations, line, error) from error
                if indexes_before.get(row.id) != compute_person_index(image, plan=plan, epoch=epoch).hex():
                    raise ConfigError(field=f"{rotations}:{line}", reason=f"is not the image of its index in {known}")
                indexes.write(
                    IndexRow(id=row.id, index=compute_person_index(rotated, plan=plan, epoch=new_epoch).hex())
                )
    typer.echo(f"accepted {indexes.count}")


def _parse_point(name: str, text: str) -> Point:
    try:
        return read_point(bytes.fromhex(text), what=f"the point of {name}")
    except ValueError as error:
        raise ConfigError(field=name, reason="is not hex") from error
