"""Genesis on the disk: put together from parts in TOML, kept in canonical bytes, shown as JSON.

The file that nodes read holds the canonical bytes, whose hash is the chain id; JSON is for people and
never hashed. What a consortium writes by hand is one TOML file that names the cards of its members and
the terms of its plans:

    name = "mutual-aid"                          domain = "example.org"
    time = 2026-01-29T00:00:00Z                  # block time of block 0
    organisations = ["cards/platform.json", ...] # in the order in which auditors take turns
    validators = ["cards/validator-0.json", ...] # by index
    clock = [[0, 0], [1000, 86400000]]           # development chains only
    [parameters]                                 # only what differs from the defaults
    block_gap_ms = 40
    [[plans]]
    plan = "critical-illness"                    account = "custody-1"                terms = "plan.toml"
"""

import base64
import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.clock import ClockPoint
from chain.codec import encode
from chain.contract.call_base import Name
from chain.contract.terms import PlanTerms, load_terms
from chain.errors import ConfigError, DecodeError
from chain.genesis import (
    GENESIS_BYTES_MAX,
    ROLE_NAMES,
    Genesis,
    GenesisPlan,
    Organisation,
    Parameters,
    compute_chain_id,
    genesis_codec,
    validate_genesis,
)
from chain.types import ChainId
from chain.validators import Validator, compute_faults_max, compute_quorum
from node.config import PathText, parse_address
from node.files import PUBLIC_MODE, create_file, read_file
from node.identities import load_organisation_card, load_validator_card, validate_tls
from node.toml_fields import TOML_BYTES_MAX, convert_list, convert_table, load_toml

GENESIS_FORMAT = 1
GENESIS_NAME = "genesis.bin"


class _PlanPart(Struct, frozen=True):
    plan: Name
    account: Name
    terms: PathText


class _Parts(Struct, frozen=True):
    name: Name
    domain: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-z0-9.-]+\Z")]
    time: datetime.datetime
    organisations: Annotated[tuple[PathText, ...], Meta(min_length=1, max_length=256)]
    validators: Annotated[tuple[PathText, ...], Meta(min_length=1, max_length=64)]
    parameters: Parameters = Parameters()
    clock: tuple[ClockPoint, ...] = ()


def build_genesis(
    *,
    name: str,
    domain: str,
    time_ms: int,
    organisations: tuple[Organisation, ...],
    validators: tuple[Validator, ...],
    plans: tuple[tuple[str, str, PlanTerms], ...],
    parameters: Parameters | None = None,
    clock: tuple[ClockPoint, ...] = (),
) -> Genesis:
    """Build a genesis and validate it as a node would; `plans` are (plan, custody account, terms).

    Raises `ConfigError` naming the first field that is wrong.
    """
    genesis = Genesis(
        format=GENESIS_FORMAT,
        name=name,
        domain=domain,
        time_ms=time_ms,
        parameters=Parameters() if parameters is None else parameters,
        organisations=organisations,
        validators=validators,
        plans=tuple(
            GenesisPlan(plan=plan, account=account, opening_fen=0, terms=terms) for plan, account, terms in plans
        ),
        clock=clock,
    )
    return decode_genesis(encode(genesis), field="genesis")


def load_parts(path: Path) -> Genesis:
    """Build the genesis that a TOML file describes; its paths are relative to its folder.

    Raises `ConfigError` naming the field, or the file that it names, where something is wrong.
    """
    table = load_toml(path)
    plans = convert_list(table.pop("plans", None), _PlanPart, name="plans")
    parts = convert_table(table, _Parts)
    if parts.time.tzinfo is None:
        raise ConfigError(field="time", reason="needs its offset, for example Z")
    folder = path.resolve().parent
    return build_genesis(
        name=parts.name,
        domain=parts.domain,
        time_ms=int(parts.time.timestamp()) * 1_000,
        organisations=tuple(load_organisation_card(folder / item) for item in parts.organisations),
        validators=tuple(load_validator_card(folder / item) for item in parts.validators),
        plans=tuple((part.plan, part.account, load_plan(folder / part.terms)) for part in plans),
        parameters=parts.parameters,
        clock=parts.clock,
    )


def load_plan(path: Path) -> PlanTerms:
    """Read a plan's terms from TOML; raise `ConfigError` naming the file and the field."""
    try:
        return load_terms(read_file(path, bytes_max=TOML_BYTES_MAX).decode())
    except UnicodeDecodeError as error:
        raise ConfigError(field=str(path), reason="is no TOML: not UTF-8") from error
    except ConfigError as error:
        field, reason = str(error.values["field"]), str(error.values["reason"])
        raise ConfigError(field=f"{path}: {field}", reason=reason) from error


def decode_genesis(content: bytes, *, field: str) -> Genesis:
    """Decode canonical bytes and validate everything; raise `ConfigError` naming the field."""
    try:
        genesis = genesis_codec.decode(content)
    except DecodeError as error:
        raise ConfigError(field=field, reason=f"is no genesis: {error.values['reason']}") from error
    validate_genesis(genesis)
    for index, validator in enumerate(genesis.validators):
        parse_address(validator.address, field=f"validators[{index}].address")
        validate_tls(validator, field=f"validators[{index}]")
    addresses = [validator.address for validator in genesis.validators]
    if len(set(addresses)) < len(addresses):
        raise ConfigError(field="validators", reason="no two validators may share an address")
    return genesis


def load_genesis(path: Path, *, chain_id: str = "") -> Genesis:
    """Read a genesis file; with `chain_id` (hex) it must be that one.

    Raises `ConfigError` where it cannot be read, is not canonical, breaks a rule or is another chain's.
    """
    genesis = decode_genesis(read_file(path, bytes_max=GENESIS_BYTES_MAX), field=str(path))
    found = compute_chain_id(genesis).hex()
    if chain_id and found != chain_id:
        raise ConfigError(field="chain_id", reason=f"{path} is the genesis of {found}, not of {chain_id}")
    return genesis


def save_genesis(path: Path, genesis: Genesis) -> ChainId:
    """Write the canonical bytes, and JSON for people beside them; return the chain id.

    Raises `ConfigError` where either file exists.
    """
    create_file(path, encode(genesis), mode=PUBLIC_MODE)
    create_file(path.with_suffix(".json"), render_genesis(genesis), mode=PUBLIC_MODE)
    return compute_chain_id(genesis)


def render_genesis(genesis: Genesis) -> bytes:
    """Return everything as JSON with field names, for people: hashes in hex, certificates in base64."""
    shown: dict[str, object] = {"chain_id": compute_chain_id(genesis).hex()}
    fields = _show(genesis)
    if isinstance(fields, dict):
        shown.update(fields)
    return msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n"


def describe_genesis(genesis: Genesis) -> list[tuple[str, str]]:
    """Return (what, value) lines for a terminal."""
    n = len(genesis.validators)
    lines = [
        ("name", genesis.name),
        ("chain id", compute_chain_id(genesis).hex()),
        ("time", datetime.datetime.fromtimestamp(genesis.time_ms // 1_000, datetime.UTC).isoformat()),
        ("validators", f"{n}, quorum {compute_quorum(n)}, tolerates {compute_faults_max(n)} faulty"),
    ]
    lines += [
        (f"  {index} {validator.organisation}", f"{validator.address} key {validator.key.hex()}")
        for index, validator in enumerate(genesis.validators)
    ]
    for role, role_name in enumerate(ROLE_NAMES):
        names = [item.name for item in genesis.organisations if item.role == role]
        lines.append((f"{role_name}s" if len(names) > 1 else role_name, ", ".join(names)))
    lines += [(f"plan {plan.plan}", f"{plan.terms.name}, account {plan.account}") for plan in genesis.plans]
    if genesis.clock:
        lines.append(("DEVELOPMENT CLOCK", f"block time runs on {len(genesis.clock)} points, not on the wall clock"))
    return lines


def _show(value: object) -> object:
    match value:
        case Struct():
            return {name: _show(getattr(value, name)) for name in value.__struct_fields__}
        case tuple():
            return [_show(item) for item in value]
        case bytes() if len(value) == 32:
            return value.hex()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return value
