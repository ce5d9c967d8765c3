"""The commands `keys`, `genesis` and `init`: what is done once, before a node can start.

each institution    gongji keys organisation NAME --role ROLE --dir DIR      -> keys, organisation.card.json
each validator      gongji init DIR --organisation NAME --address HOST:PORT  -> keys and guard,
validator.card.json together            gongji genesis build genesis.toml genesis.bin            -> the
chain id each validator      gongji init DIR --genesis genesis.bin --api HOST:PORT    -> node.toml
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, assert_never

import typer

from chain.crypto import sha256
from chain.errors import ConfigError, StoreError
from chain.genesis import ROLE_NAMES, Organisation, compute_chain_id
from chain.validators import Validator
from explorer.access import SCOPES
from node.config import CONFIG_NAME, parse_address, parse_config, render_config
from node.files import PUBLIC_MODE, create_file
from node.genesis_files import describe_genesis, load_genesis, load_parts, save_genesis
from node.identities import (
    VALIDATOR_CARD,
    create_organisation,
    create_validator,
    load_card,
    load_validator_card,
    restore_validator,
    validate_name,
)
from node.keys import KeyKind, create_key
from node.reveal import LENGTH_DEFAULT, create_reveal

EXIT_CONFIG = 2
"""Exit code of a command that was given something wrong; it changed nothing, or says what is there
already."""

keys_app = typer.Typer(no_args_is_help=True, help="Make keys and look at cards.")
genesis_app = typer.Typer(no_args_is_help=True, help="Put a genesis together and look at it.")

DirectoryOption = Annotated[Path, typer.Option("--dir", help="Folder for the files; must not hold any yet.")]


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn an error of the files or of the values into one line and exit code 2."""
    try:
        yield
    except ConfigError as error:
        typer.echo(f"error: {error.values['field']}: {error.values['reason']}", err=True)
        raise typer.Exit(EXIT_CONFIG) from error
    except StoreError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CONFIG) from error


@keys_app.command("organisation")
def make_organisation(
    name: Annotated[str, typer.Argument(help="1 to 32 of a-z, 0-9 and the hyphen.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLE_NAMES)}.")],
    directory: DirectoryOption,
    group: Annotated[str, typer.Option(help="Declared ownership group; the name where left out.")] = "",
) -> None:
    """Make an institution's keys and its card; the recovery key belongs in a safe."""
    with report_errors():
        card = create_organisation(directory, name=name, role=role, group=group or name)
    typer.echo(f"{card.role} {card.name}: key {card.key}")
    typer.echo(f"files in {directory}; show organisation.card.json to the others, nothing else")


@keys_app.command("access")
def make_access(
    name: Annotated[
        str, typer.Argument(help="Whose key it is, written to the log at each use: 1 to 32 of a-z, 0-9, hyphen.")
    ],
    scope: Annotated[list[str], typer.Option(help=f"What it opens: {', '.join(SCOPES)}.")],
) -> None:
    """Make a key for reading what is not public; it is shown once and kept nowhere."""
    with report_errors():
        validate_name(name, field="NAME")
        unknown = [item for item in scope if item not in SCOPES]
        if unknown:
            raise ConfigError(field="--scope", reason=f"{unknown[0]} is none of {', '.join(SCOPES)}")
    key = secrets.token_hex(32)
    scopes = ", ".join(f'"{item}"' for item in dict.fromkeys(scope))
    typer.echo(f"key {key}")
    typer.echo("put this into node.toml and start the node again; give the key to its owner:")
    typer.echo("")
    typer.echo("[[api.access_keys]]")
    typer.echo(f'name = "{name}"')
    typer.echo(f'sha256 = "{sha256(key.encode()).hex()}"')
    typer.echo(f"scopes = [{scopes}]")


@keys_app.command("member")
def make_member(
    path: Annotated[Path, typer.Argument(help="Key file to create.")],
    owner: Annotated[str, typer.Option(help="A name for people; it is not on the chain.")] = "member",
) -> None:
    """Make a person's key."""
    with report_errors():
        validate_name(owner, field="--owner")
        key = create_key(path, kind=KeyKind.MEMBER, owner=owner)
    typer.echo(f"key {key.public_key.hex()} in {path}")


@keys_app.command("reveal")
def make_reveal(
    path: Annotated[Path, typer.Argument(help="File to create: keys/reveal.next.json of the validator.")],
    organisation: Annotated[str, typer.Option(help="Name of the institution that runs it.")],
    length: Annotated[int, typer.Option(help="Links of the chain.")] = LENGTH_DEFAULT,
) -> None:
    """Make a validator's next randomness chain before the present one is used up; propose its anchor
    (renew_reveals). The node finds the file by itself when the new chain takes effect."""
    with report_errors():
        validate_name(organisation, field="--organisation")
        chain = create_reveal(path, owner=organisation, length=length)
    typer.echo(f"reveal anchor {chain.anchor.hex()}")


@keys_app.command("show")
def show_card(
    path: Annotated[Path, typer.Argument(help="A card of an organisation or a validator.")],
) -> None:
    """Show what a card says, after checking it."""
    with report_errors():
        card = load_card(path)
    match card:
        case Validator():
            lines = [
                ("validator of", card.organisation),
                ("address", card.address),
                ("key", card.key.hex()),
                ("checkpoint key", card.checkpoint_key.hex()),
                ("tls pin", card.tls_pin.hex()),
                ("reveal anchor", card.reveal_anchor.hex()),
            ]
        case Organisation():
            lines = [
                (ROLE_NAMES[card.role], card.name),
                ("group", card.group),
                ("key", card.key.hex()),
                ("recovery key", card.recovery_key.hex()),
            ]
        case _:
            assert_never(card)
    _print_lines(lines)


@genesis_app.command("build")
def build(
    parts: Annotated[Path, typer.Argument(help="TOML that names the cards, the plans and the parameters.")],
    output: Annotated[Path, typer.Argument(help="File to create, for example genesis.bin.")],
) -> None:
    """Put a genesis together and write its canonical bytes, with JSON for people beside them."""
    with report_errors():
        genesis = load_parts(parts)
        chain_id = save_genesis(output, genesis)
    _print_lines(describe_genesis(genesis))
    typer.echo(f"wrote {output} and {output.with_suffix('.json')}; everybody compares the chain id {chain_id.hex()}")


@genesis_app.command("show")
def show(
    path: Annotated[Path, typer.Argument(help="A genesis file.")],
    chain_id: Annotated[str, typer.Option(help="Refuse any other chain id (64 hex digits).")] = "",
) -> None:
    """Check a genesis file and show what it says."""
    with report_errors():
        _print_lines(describe_genesis(load_genesis(path, chain_id=chain_id)))


def init(
    directory: Annotated[Path, typer.Argument(help="Folder of the node.")],
    organisation: Annotated[str, typer.Option(help="Name of the institution that runs it.")] = "",
    address: Annotated[str, typer.Option(help="host:port at which the other validators reach it.")] = "",
    genesis: Annotated[Path | None, typer.Option(help="Genesis file; writes node.toml.")] = None,
    api: Annotated[str, typer.Option(help="host:port of REST.")] = "127.0.0.1:8400",
    restore_key: Annotated[
        Path | None, typer.Option(help="Folder with the keys of a backup: no guard, starts in quarantine.")
    ] = None,
    reveal_length: Annotated[int, typer.Option(help="Links of the randomness chain.")] = LENGTH_DEFAULT,
) -> None:
    """Make a validator's keys together with its guard; with a genesis, also its configuration."""
    with report_errors():
        if organisation:
            if restore_key is None:
                card = create_validator(
                    directory, organisation=organisation, address=address, reveal_length=reveal_length
                )
            else:
                card = restore_validator(
                    directory, key_directory=restore_key, organisation=organisation, address=address
                )
                typer.echo("restored without a guard: this validator starts in quarantine")
            typer.echo(f"validator of {card.organisation}: key {card.key}; show {VALIDATOR_CARD} to the others")
        elif genesis is None:
            raise ConfigError(field="--organisation", reason="is missing (or give --genesis to write node.toml)")
        if genesis is not None:
            _write_config(directory, genesis=genesis, api=api)


def _write_config(directory: Path, *, genesis: Path, api: str) -> None:
    parse_address(api, field="--api")
    validator = load_validator_card(directory / VALIDATOR_CARD)
    loaded = load_genesis(genesis)
    is_first = validator in loaded.validators
    name = f"{validator.organisation}-{validator.key.hex()[:8]}"
    if is_first:
        name = f"{validator.organisation}-{loaded.validators.index(validator)}"
    text = render_config(
        name=name,
        genesis=str(genesis.resolve()),
        chain_id=compute_chain_id(loaded).hex(),
        p2p=validator.address,
        api=api,
    )
    path = directory / CONFIG_NAME
    parse_config(text.encode(), path=path)
    create_file(path, text.encode(), mode=PUBLIC_MODE)
    chain_id = compute_chain_id(loaded).hex()
    typer.echo(f"wrote {path}: {name} of chain {chain_id}")
    if not is_first:
        typer.echo("genesis does not name this validator: it follows the chain once the consortium has accepted it,")
        typer.echo("and votes when the set takes it in; until then the others do not let it connect")


def _print_lines(lines: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name.ljust(width)}  {value}")
