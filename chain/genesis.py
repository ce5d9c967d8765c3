"""Genesis: everything that a consortium shares from the first block on (design 2).

`chain_id` is the hash of its canonical bytes, so that two consortia can never mistake each other.
Configuration is either here (shared, hashed) or local to a node, never both."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.certificate import Number
from chain.clock import ClockPoint, validate_clock
from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32, Name
from chain.contract.terms import PlanTerms, validate_terms
from chain.crypto import sha256
from chain.errors import ConfigError
from chain.types import ZERO_HASH, ChainId
from chain.validators import VALIDATORS_MAX, Validator

GENESIS_BYTES_MAX = 1024 * 1024
ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR, ROLE_ASSESSOR, ROLE_HOSPITAL = range(5)
ROLE_NAMES = ("platform", "custodian", "auditor", "assessor", "hospital")
ASSESSORS_MIN = 4


class Parameters(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Numbers that all nodes share; W and the tenures are fixed for the life of the chain."""

    validity_window_ms: Annotated[int, Meta(ge=60_000, le=2_678_400_000)] = 3_600_000
    """W: how far ahead `valid_until_ms` may lie, in block time."""
    idle_interval_ms: Annotated[int, Meta(ge=50, le=600_000)] = 10_000
    """Wall time after which an empty block is due."""
    block_gap_ms: Annotated[int, Meta(ge=0, le=10_000)] = 40
    """Least wall time between fresh blocks under load: pacing (design 7)."""
    block_transactions_max: Annotated[int, Meta(ge=1, le=8_192)] = 2_000
    """At most what a proposal can list."""
    block_items_max: Annotated[int, Meta(ge=1, le=20_000)] = 4_000
    block_bytes_max: Annotated[int, Meta(ge=65_536, le=4_000_000)] = 2_097_152
    """Bytes of the transactions; the whole block must still fit a frame and the journal."""
    advance_max_ms: Annotated[int, Meta(ge=60_000, le=31_536_000_000)] = 604_800_000
    """Most that block time may advance in one block: 7 days."""
    past_max_ms: Annotated[int, Meta(ge=100, le=600_000)] = 10_000
    """D_past: a fresh proposal may lie this far behind the wall clock."""
    future_max_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_000
    """D_future: further ahead it is held."""
    tenure: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """Blocks of one leader."""
    skip_tenures: Annotated[int, Meta(ge=1, le=1_000)] = 8
    """Tenures for which a validator is skipped after a view change in its turn."""
    view_timeout_base_ms: Annotated[int, Meta(ge=50, le=60_000)] = 1_500
    view_timeout_cap_ms: Annotated[int, Meta(ge=50, le=600_000)] = 8_000
    request_timeout_ms: Annotated[int, Meta(ge=100, le=600_000)] = 4_000
    """T_req: a transaction that a leader leaves out this long is complained about."""
    drain_max: Annotated[int, Meta(ge=1, le=10_000)] = 200
    """Queued entries and exits, and due deadlines, of one plan handled in one block."""


class Organisation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One institution with one role."""

    name: Name
    role: Annotated[int, Meta(ge=0, le=4)]
    """0 platform, 1 custodian, 2 auditor, 3 assessor firm, 4 hospital."""
    group: Name
    """Declared ownership group; no two roles lie in one group."""
    key: Bytes32
    """Signing key of its transactions."""
    recovery_key: Bytes32
    """Signs only org_key_revoke; zero for assessors and hospitals."""


class GenesisPlan(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One plan with its first pool (number 0)."""

    plan: Name
    account: Name
    """Custody account of the first pool."""
    opening_fen: Annotated[int, Meta(ge=0, le=0)]
    """Opening balance of the account: 0."""
    terms: PlanTerms


class Genesis(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The shared start of one chain."""

    format: Annotated[int, Meta(ge=1, le=1)]
    name: Name
    domain: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-z0-9.-]+\Z")]
    """First part of the checkpoint origin `<domain>/<chain_id hex>`."""
    time_ms: Number
    """Block time of block 0."""
    parameters: Parameters
    organisations: Annotated[tuple[Organisation, ...], Meta(min_length=1, max_length=256)]
    validators: Annotated[tuple[Validator, ...], Meta(min_length=1, max_length=VALIDATORS_MAX)]
    plans: Annotated[tuple[GenesisPlan, ...], Meta(min_length=1, max_length=64)]
    clock: Annotated[tuple[ClockPoint, ...], Meta(max_length=64)] = ()
    """Development chains only: block time runs on these points."""


genesis_codec = Codec[Genesis](Genesis, GENESIS_BYTES_MAX, "genesis")


def compute_chain_id(genesis: Genesis) -> ChainId:
    """Return the SHA-256 of the canonical genesis."""
    return ChainId(sha256(encode(genesis)))


def validate_genesis(genesis: Genesis) -> None:
    """Raise `ConfigError` naming the first field that contradicts the rules of the house."""
    _validate_keys(genesis)
    _validate_organisations(genesis)
    names = {organisation.name: organisation for organisation in genesis.organisations}
    for index, validator in enumerate(genesis.validators):
        owner = names.get(validator.organisation)
        if owner is None or owner.role not in (ROLE_PLATFORM, ROLE_CUSTODIAN, ROLE_AUDITOR):
            raise ConfigError(
                field=f"validators[{index}].organisation", reason="must be a platform, custodian or auditor"
            )
    plans = [plan.plan for plan in genesis.plans]
    accounts = [plan.account for plan in genesis.plans]
    if len(set(plans)) < len(plans) or len(set(accounts)) < len(accounts):
        raise ConfigError(field="plans", reason="plans and custody accounts must have different names")
    for plan in genesis.plans:
        validate_terms(plan.terms)
    validate_clock(genesis.clock)
    window = genesis.parameters.validity_window_ms
    if genesis.time_ms < window:
        raise ConfigError(field="time_ms", reason="must lie at least one validity window after 1970")


def _validate_keys(genesis: Genesis) -> None:
    keys = [validator.key for validator in genesis.validators]
    keys += [validator.checkpoint_key for validator in genesis.validators]
    keys += [organisation.key for organisation in genesis.organisations]
    keys += [item.recovery_key for item in genesis.organisations if item.recovery_key != ZERO_HASH]
    if len(set(keys)) < len(keys):
        raise ConfigError(field="organisations", reason="no key may have two uses")
    pins = [validator.tls_pin for validator in genesis.validators]
    if len(set(pins)) < len(pins):
        raise ConfigError(field="validators", reason="no two validators may share a TLS key")


def _validate_organisations(genesis: Genesis) -> None:
    names = [organisation.name for organisation in genesis.organisations]
    if len(set(names)) < len(names):
        raise ConfigError(field="organisations", reason="names must differ")
    roles_by_group: dict[str, int] = {}
    for organisation in genesis.organisations:
        role = roles_by_group.setdefault(organisation.group, organisation.role)
        if role != organisation.role:
            raise ConfigError(
                field="organisations", reason=f"group {organisation.group} holds two roles; each must be independent"
            )
    counts = [sum(item.role == role for item in genesis.organisations) for role in range(5)]
    if counts[ROLE_PLATFORM] != 1 or counts[ROLE_CUSTODIAN] != 1:
        raise ConfigError(field="organisations", reason="exactly one platform and one custodian")
    if counts[ROLE_AUDITOR] < 2:
        raise ConfigError(field="organisations", reason="at least two auditors")
    if counts[ROLE_ASSESSOR] < ASSESSORS_MIN:
        raise ConfigError(field="organisations", reason=f"at least {ASSESSORS_MIN} assessor firms")
