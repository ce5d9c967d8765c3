"""The command `vault`: the deletable keys of an organisation, and the receipts of erasures (contract 6).

    gongji vault init bank.vault --organisation bank
    gongji vault put bank.vault MEMBER profile-key --from key.hex
    gongji vault open bank.vault MEMBER --group bank --blob blob.bin --root ROOT
    gongji vault erase bank.vault MEMBER --key signing.key --url http://127.0.0.1:8400

A secret is read from a file and written to a file, never to the terminal or the command line.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from chain.contract.member_calls import ErasureReceipt, ErasureReceiptItem
from chain.contract.person_tables import ERASE_ALL, ERASE_PROFILE
from chain.errors import ConfigError, DecodeError, ProofError
from chain.types import Hash
from node.cli_keys import EXIT_CONFIG, report_errors
from node.cli_tx import DEFAULT_URLS, Urls, Wait, finish, open_client, parse_id, render_call
from node.files import create_file, read_file
from node.identities import validate_name
from node.keys import KeyKind, load_key, load_secret
from node.profile import Group, open_profile
from node.vault import Vault, create_vault
from node.wire import BLOB_BYTES_MAX

vault_app = typer.Typer(no_args_is_help=True, help="Keep members' keys so that they can be deleted for good.")

VaultPath = Annotated[Path, typer.Argument(help="File of the vault.")]
Member = Annotated[str, typer.Argument(help="Pseudonym of the member, 64 hex digits.")]
Name = Annotated[str, typer.Argument(help="Name of the secret, for example profile-key.")]
PROFILE_KEY = "profile-key"
"""Under this name a group's key of a profile is kept."""


class Scope(Enum):
    """What an erasure is about."""

    PROFILE = "profile"
    ALL = "all"


@vault_app.command("init")
def init_vault(
    path: Annotated[Path, typer.Argument(help="File to create.")],
    organisation: Annotated[str, typer.Option(help="Name of the organisation on the chain.")],
) -> None:
    """Make an empty vault.

    Example: gongji vault init bank.vault --organisation bank
    """
    with report_errors():
        validate_name(organisation, field="--organisation")
        create_vault(path, organisation=organisation)
    typer.echo(f"vault of {organisation} in {path}; back it up only where you can delete the backup")


@vault_app.command("put")
def put(
    path: VaultPath,
    member: Member,
    name: Name,
    source: Annotated[
        Path, typer.Option("--from", help="File with 32 bytes in hex (mode 0600); delete it afterwards.")
    ],
) -> None:
    """Keep a secret of a member.

    Example: gongji vault put bank.vault 3f..a0 profile-key --from key.hex
    """
    with report_errors(), Vault(path) as vault:
        vault.put(parse_id(member, field="MEMBER"), name, load_secret(source))
    typer.echo(f"kept {name}")


@vault_app.command("get")
def get(
    path: VaultPath,
    member: Member,
    name: Name,
    output: Annotated[Path, typer.Option(help="File to create with the secret in hex (mode 0600).")],
) -> None:
    """Write a secret of a member to a file.

    Example: gongji vault get bank.vault 3f..a0 profile-key --output key.hex
    """
    with report_errors(), Vault(path) as vault:
        create_file(output, _require(vault, parse_id(member, field="MEMBER"), name).hex().encode() + b"\n")
    typer.echo(f"wrote {output}")


@vault_app.command("list")
def list_secrets(path: VaultPath) -> None:
    """List what is in the vault and who was erased; no secret is shown.

    Example: gongji vault list bank.vault
    """
    with report_errors(), Vault(path) as vault:
        for member, name in vault.list_names():
            typer.echo(f"{member.hex()}  {name}")
        for member, scope in vault.list_erased():
            typer.echo(f"{member.hex()}  erased ({tuple(Scope)[scope].value})")


@vault_app.command("delete")
def delete(path: VaultPath, member: Member, name: Name) -> None:
    """Delete one secret for good; a whole member is `erase`.

    Example: gongji vault delete bank.vault 3f..a0 profile-key
    """
    with report_errors(), Vault(path) as vault:
        if not vault.delete(parse_id(member, field="MEMBER"), name):
            raise ConfigError(field=name, reason="is not in the vault")
    typer.echo(f"deleted {name}")


@vault_app.command("open")
def open_blob(
    path: VaultPath,
    member: Member,
    group: Annotated[Group, typer.Option(help="Group whose section is read.")],
    blob: Annotated[Path, typer.Option(help="The detached ciphertext.")],
    root: Annotated[str, typer.Option(help="field_commitments_root of the member, from the chain.")],
) -> None:
    """Show the fields of a profile that the group may read, each checked against the chain's root.

    Example: gongji vault open bank.vault 3f..a0 --group bank --blob blob.bin --root 77..e1
    """
    with report_errors(), Vault(path) as vault:
        key = _require(vault, parse_id(member, field="MEMBER"), PROFILE_KEY)
        content = read_file(blob, bytes_max=BLOB_BYTES_MAX)
        try:
            found = open_profile(content, group=group, key=key, root=Hash(parse_id(root, field="--root")))
        except (ProofError, DecodeError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CONFIG) from error
    for disclosure in found:
        typer.echo(f"{disclosure.field.name}: {disclosure.field.value}")


@vault_app.command("erase")
def erase(
    path: VaultPath,
    members: Annotated[list[str], typer.Argument(help="Pseudonyms, 64 hex digits each.")],
    scope: Annotated[Scope, typer.Option(help="What was asked for on the chain.")] = Scope.PROFILE,
    key: Annotated[
        Path | None, typer.Option(help="Signing key of the organisation: sign and send the receipt.")
    ] = None,
    wait: Wait = 10,
    urls: Urls = DEFAULT_URLS,
) -> None:
    """Delete members' keys for good, then sign the receipt; without a key, print the call for `gongji tx send`.

    Doing it again is safe, whatever happened in between.

    Example: gongji vault erase bank.vault 3f..a0 --key signing.key --url http://127.0.0.1:8400
    """
    number = ERASE_ALL if scope is Scope.ALL else ERASE_PROFILE
    with report_errors():
        signing_key = None if key is None else load_key(key, kind=KeyKind.SIGNING)
        parsed = [parse_id(member, field="MEMBERS") for member in members]
        with Vault(path) as vault:
            unknown = [member for member in parsed if not vault.knows(member)]
            count = vault.erase(parsed, scope=number)
    typer.echo(f"deleted {count} secrets of {len(parsed)} members", err=True)
    for member in unknown:
        typer.echo(f"nothing of {member.hex()} was ever in this vault: is it the right pseudonym?", err=True)
    items = tuple(ErasureReceiptItem(member=member, scope=number) for member in parsed)
    receipt = ErasureReceipt(items=items)
    if signing_key is None:
        typer.echo(render_call(receipt).decode())
        return
    with open_client(urls) as client:
        result = client.submit(client.build(receipt, signing_key), wait_s=wait)
    finish(result)


def _require(vault: Vault, member: bytes, name: str) -> bytes:
    secret = vault.get(member, name)
    if secret is None:
        raise ConfigError(field=name, reason="is not in the vault")
    return secret
