"""The configuration of one node: local, in TOML, validated at start (conventions 16).

What a consortium shares is in genesis and nowhere else. Paths are relative to the folder of the file.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from chain.errors import ConfigError
from node.files import read_file
from node.toml_fields import TOML_BYTES_MAX, convert_table, parse_toml

CONFIG_NAME = "node.toml"
PORT_MAX = 65_535

PathText = Annotated[str, Meta(min_length=1, max_length=1_024)]
AddressText = Annotated[str, Meta(min_length=3, max_length=255)]
"""host:port; an IPv6 host in brackets."""
HostText = Annotated[str, Meta(min_length=1, max_length=255)]
"""A host name without port, an IPv6 address in brackets, or `*`."""


class ListenConfig(Struct, frozen=True):
    """Where this node listens."""

    p2p: AddressText
    """For validators."""
    api: AddressText = "127.0.0.1:8400"
    """For REST and pages; loopback unless told otherwise (design 5)."""


class KeyPaths(Struct, frozen=True):
    """The secrets of this validator; each file has mode 0600."""

    validator: PathText = "keys/validator.json"
    checkpoint: PathText = "keys/checkpoint.json"
    reveal: PathText = "keys/reveal.json"
    tls_private_key: PathText = "keys/tls-key.pem"
    tls_certificate: PathText = "keys/tls-certificate.pem"
    cursor_secret: PathText = "keys/cursor.secret"
    """Authenticates the cursors of lists."""


class PoolConfig(Struct, frozen=True):
    """Bounds of the pool and its journal."""

    transactions_max: Annotated[int, Meta(ge=64, le=1_000_000)] = 24_000
    bytes_max: Annotated[int, Meta(ge=4_194_304, le=4_294_967_296)] = 24 * 1024 * 1024
    signer_transactions_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 64
    organisation_transactions_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 4_096
    journal_bytes_max: Annotated[int, Meta(ge=16_777_216, le=17_179_869_184)] = 256 * 1024 * 1024


class AccessKeyConfig(Struct, frozen=True):
    """A key that opens more than what is public."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    """Whose it is; written to the log at each use."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Of the key's text; the key itself is nowhere in the configuration."""
    scopes: Annotated[tuple[Literal["payments"], ...], Meta(min_length=1, max_length=8)]


class ApiConfig(Struct, frozen=True):
    """Who may ask, and how much."""

    hosts: Annotated[tuple[HostText, ...], Meta(min_length=1, max_length=64)] = (
        "127.0.0.1",
        "localhost",
        "[::1]",
    )
    """Host names that this server answers to; `*` is any."""
    requests_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    """Of one address."""
    requests_burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_000
    access_keys: Annotated[tuple[AccessKeyConfig, ...], Meta(max_length=64)] = ()
    """Made by `gongji keys access`."""


class DiskConfig(Struct, frozen=True):
    """When the disk is too full."""

    free_bytes_min: Annotated[int, Meta(ge=0, le=2**50)] = 1024 * 1024 * 1024
    """Below it this node is not ready."""


class LogConfig(Struct, frozen=True):
    """What is logged and how."""

    format: Literal["console", "json"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class NodeConfig(Struct, frozen=True):
    """Everything local to one node."""

    genesis: PathText
    """The genesis file, canonical bytes."""
    listen: ListenConfig
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9._-]+\Z")] = "node"
    """For people: in logs and in the handshake."""
    chain_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """64 hex digits: the genesis must have this id; empty takes what the file says."""
    data_dir: PathText = "data"
    """Database, journals; created where it is missing."""
    guard: PathText = "guard"
    """The signer guard, made by `init` together with the key."""
    peers: Annotated[tuple[PathText, ...], Meta(max_length=16)] = ()
    """Cards of validators to fetch the chain from beside those that it names: for a new node where those of genesis
    are all gone."""
    keys: KeyPaths = KeyPaths()
    pool: PoolConfig = PoolConfig()
    api: ApiConfig = ApiConfig()
    disk: DiskConfig = DiskConfig()
    log: LogConfig = LogConfig()


def load_config(path: Path) -> NodeConfig:
    """Read and validate a node's configuration and make its paths absolute.

    Raises `ConfigError` naming the field that is unknown, missing or wrong.
    """
    return parse_config(read_file(path, bytes_max=TOML_BYTES_MAX), path=path)


def parse_config(content: bytes, *, path: Path) -> NodeConfig:
    """Return the configuration that a file with this content and path would have; raises like `load_config`."""
    config = convert_table(parse_toml(content, path=path), NodeConfig)
    for name in ("p2p", "api"):
        parse_address(getattr(config.listen, name), field=f"listen.{name}")
    if config.listen.p2p == config.listen.api:
        raise ConfigError(field="listen.api", reason="must differ from listen.p2p")
    for host in config.api.hosts:
        _validate_host(host)
    if config.api.requests_burst < config.api.requests_per_s:
        raise ConfigError(field="api.requests_burst", reason="must not be below api.requests_per_s")
    folder = path.resolve().parent
    keys = config.keys
    return replace(
        config,
        genesis=str(folder / config.genesis),
        data_dir=str(folder / config.data_dir),
        guard=str(folder / config.guard),
        peers=tuple(str(folder / card) for card in config.peers),
        keys=KeyPaths(
            validator=str(folder / keys.validator),
            checkpoint=str(folder / keys.checkpoint),
            reveal=str(folder / keys.reveal),
            tls_private_key=str(folder / keys.tls_private_key),
            tls_certificate=str(folder / keys.tls_certificate),
            cursor_secret=str(folder / keys.cursor_secret),
        ),
    )


def _validate_host(host: str) -> None:
    if not (host.startswith("[") and host.endswith("]")) and any(letter in ":/" or letter.isspace() for letter in host):
        reason = f"{host!r} is no host name: without scheme and port, an IPv6 address in brackets"
        raise ConfigError(field="api.hosts", reason=reason)


def parse_address(text: str, *, field: str) -> tuple[str, int]:
    """Return (host, port) of "host:port"; raise `ConfigError` naming `field`.

    A host is an IPv4 address, an IPv6 address in brackets or a DNS name.
    """
    host, colon, port_text = text.rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit() or not 1 <= int(port_text) <= PORT_MAX:
        raise ConfigError(field=field, reason=f"{text!r} has no port from 1 to {PORT_MAX}: host:port is needed")
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), int(port_text)
        except ValueError as error:
            raise ConfigError(field=field, reason=f"{host} is no IPv6 address") from error
    if not host or ":" in host or any(letter.isspace() or letter in '/"\\' for letter in host):
        raise ConfigError(field=field, reason=f"{text!r} has no host: host:port is needed")
    return host, int(port_text)


def render_config(*, name: str, genesis: str, chain_id: str, p2p: str, api: str, log_format: str = "json") -> str:
    """Return the TOML of a node whose files lie where `init` puts them."""
    return (
        f'name = "{name}"\n'
        f'genesis = "{genesis}"\n'
        f'chain_id = "{chain_id}"\n'
        f'data_dir = "data"\n'
        f'guard = "guard"\n'
        f"\n[listen]\n"
        f'p2p = "{p2p}"\n'
        f'api = "{api}"\n'
        f"\n[log]\n"
        f'format = "{log_format}"\n'
    )
