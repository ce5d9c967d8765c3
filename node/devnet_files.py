"""The files of a development network on one machine: every key, the genesis and a configuration for each
node.

All secrets lie in one folder, which is the opposite of what a consortium does: for development only.

    DIR/devnet.json                      what is here; written last, so it is there only when all is
    DIR/genesis.bin, genesis.json
    DIR/organisations/NAME/              keys of platform, custodian, auditors, assessors, hospitals
    DIR/node-I/                          node.toml, keys/, guard; data/ comes with the first start

Node i listens for REST on PORT + i and for validators on PORT + 100 + i, on loopback.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.clock import ClockPoint
from chain.contract.call_base import Name
from chain.contract.terms import PlanTerms
from chain.crypto import SigningKey
from chain.errors import ConfigError
from chain.genesis import ASSESSORS_MIN, ROLE_NAMES, Parameters
from node.config import CONFIG_NAME, PORT_MAX, render_config
from node.files import PUBLIC_MODE, create_directory, create_file, read_file
from node.genesis_files import GENESIS_NAME, build_genesis, save_genesis
from node.identities import (
    ORGANISATION_CARD,
    SIGNING_KEY,
    VALIDATOR_CARD,
    create_organisation,
    create_validator,
    load_organisation_card,
    load_validator_card,
)
from node.keys import Hex32, KeyKind, load_key
from node.reveal import LENGTH_DEFAULT

MANIFEST = "devnet.json"
MANIFEST_BYTES_MAX = 256 * 1024
NODES_MAX = 64
P2P_PORT_OFFSET = 100
HOSPITALS = 2
HOST = "127.0.0.1"
DEVNET_DOMAIN = "devnet.gongji.invalid"


class DevnetNode(Struct, frozen=True, forbid_unknown_fields=True):
    """One validator of the network."""

    index: int
    organisation: Name
    directory: str
    """Relative to the network's folder."""
    api: str
    """host:port of REST."""
    p2p: str
    """host:port of the validator listener."""


class DevnetOrganisation(Struct, frozen=True, forbid_unknown_fields=True):
    """One institution of the network."""

    name: Name
    role: str
    """platform, custodian, auditor, assessor or hospital."""
    directory: str
    """Relative to the network's folder."""


class DevnetManifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the folder of a development network."""

    format: Annotated[int, Meta(ge=1, le=1)]
    chain_id: Hex32
    nodes: tuple[DevnetNode, ...]
    organisations: tuple[DevnetOrganisation, ...]
    """In genesis order."""


class Devnet:
    """A development network's folder: where its files are, and the keys of its institutions."""

    def __init__(self, directory: Path, manifest: DevnetManifest) -> None:
        self.directory = directory
        self.nodes = manifest.nodes
        self.organisations = manifest.organisations
        self.chain_id = bytes.fromhex(manifest.chain_id)

    @property
    def genesis_path(self) -> Path:
        """Return the genesis file that all nodes share."""
        return self.directory / GENESIS_NAME

    def get_config_path(self, index: int) -> Path:
        """Return the configuration of a node."""
        return self.directory / self.nodes[index].directory / CONFIG_NAME

    def get_data_path(self, index: int) -> Path:
        """Return where a node keeps its database and journals."""
        return self.directory / self.nodes[index].directory / "data"

    def get_api_url(self, index: int) -> str:
        """Return the base URL of a node's REST."""
        return f"http://{self.nodes[index].api}"

    def get_names(self, role: str) -> tuple[str, ...]:
        """Return the names of the institutions of a role, in genesis order."""
        return tuple(item.name for item in self.organisations if item.role == role)

    def load_signing_key(self, name: str) -> SigningKey:
        """Return the key with which an institution signs its transactions."""
        directory = next(item.directory for item in self.organisations if item.name == name)
        return load_key(self.directory / directory / SIGNING_KEY, kind=KeyKind.SIGNING)


def compute_organisations(nodes: int) -> tuple[tuple[str, str], ...]:
    """Return (name, role) in genesis order; the first `nodes` run a validator each.

    Platform, custodian, then auditors: two at least, and one more for each validator beyond four, so that no
    institution has two votes.
    """
    auditors = max(2, nodes - 2)
    names = [("platform", "platform"), ("custodian", "custodian")]
    names += [(f"auditor-{number}", "auditor") for number in range(1, auditors + 1)]
    names += [(f"assessor-{number}", "assessor") for number in range(1, ASSESSORS_MIN + 1)]
    names += [(f"hospital-{number}", "hospital") for number in range(1, HOSPITALS + 1)]
    return tuple(names)


def create_devnet(
    directory: Path,
    *,
    nodes: int,
    base_port: int,
    plans: tuple[tuple[str, str, PlanTerms], ...],
    time_ms: int,
    clock: tuple[ClockPoint, ...] = (),
    parameters: Parameters | None = None,
    reveal_length: int = LENGTH_DEFAULT,
) -> Devnet:
    """Create everything that a network of `nodes` validators needs; `plans` are (plan, custody account,
    terms).

    Raises `ConfigError` where a value does not fit or anything is there already.
    """
    _validate_size(nodes, base_port)
    create_directory(directory)
    if (directory / MANIFEST).exists() or (directory / GENESIS_NAME).exists():
        raise ConfigError(field=str(directory), reason="holds a network already")
    organisations = tuple(
        DevnetOrganisation(name=name, role=role, directory=f"organisations/{name}")
        for name, role in compute_organisations(nodes)
    )
    for item in organisations:
        create_organisation(directory / item.directory, name=item.name, role=item.role, group=item.name)
    members = tuple(
        DevnetNode(
            index=index,
            organisation=organisations[index].name,
            directory=f"node-{index}",
            api=f"{HOST}:{base_port + index}",
            p2p=f"{HOST}:{base_port + P2P_PORT_OFFSET + index}",
        )
        for index in range(nodes)
    )
    for node in members:
        create_validator(
            directory / node.directory,
            organisation=node.organisation,
            address=node.p2p,
            reveal_length=reveal_length,
        )
    genesis = build_genesis(
        name="devnet",
        domain=DEVNET_DOMAIN,
        time_ms=time_ms,
        organisations=tuple(
            load_organisation_card(directory / item.directory / ORGANISATION_CARD) for item in organisations
        ),
        validators=tuple(load_validator_card(directory / node.directory / VALIDATOR_CARD) for node in members),
        plans=plans,
        parameters=parameters,
        clock=clock,
    )
    chain_id = save_genesis(directory / GENESIS_NAME, genesis).hex()
    for node in members:
        text = render_config(
            name=node.directory,
            genesis=f"../{GENESIS_NAME}",
            chain_id=chain_id,
            p2p=node.p2p,
            api=node.api,
        )
        create_file(directory / node.directory / CONFIG_NAME, text.encode(), mode=PUBLIC_MODE)
    manifest = DevnetManifest(format=1, chain_id=chain_id, nodes=members, organisations=organisations)
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    create_file(directory / MANIFEST, content, mode=PUBLIC_MODE)
    return Devnet(directory, manifest)


def extend_devnet(devnet: Devnet, *, organisation: str, api_port: int, p2p_port: int, reveal_length: int) -> Devnet:
    """Make the files of one more node, which genesis does not name: the consortium has yet to accept it.

    Returns the network with it; raises `ConfigError` where a value does not fit or a file is in the way.
    """
    index = len(devnet.nodes)
    node = DevnetNode(
        index=index,
        organisation=organisation,
        directory=f"node-{index}",
        api=f"{HOST}:{api_port}",
        p2p=f"{HOST}:{p2p_port}",
    )
    folder = devnet.directory / node.directory
    create_validator(folder, organisation=organisation, address=node.p2p, reveal_length=reveal_length)
    text = render_config(
        name=node.directory,
        genesis=f"../{GENESIS_NAME}",
        chain_id=devnet.chain_id.hex(),
        p2p=node.p2p,
        api=node.api,
    )
    create_file(folder / CONFIG_NAME, text.encode(), mode=PUBLIC_MODE)
    manifest = DevnetManifest(
        format=1,
        chain_id=devnet.chain_id.hex(),
        nodes=(*devnet.nodes, node),
        organisations=devnet.organisations,
    )
    draft = devnet.directory / f"{MANIFEST}.new"
    draft.unlink(missing_ok=True)
    create_file(draft, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n", mode=PUBLIC_MODE)
    draft.rename(devnet.directory / MANIFEST)
    return Devnet(devnet.directory, manifest)


def load_devnet(directory: Path) -> Devnet:
    """Find a network that was created before; raise `ConfigError` where there is none or it is not whole."""
    path = directory / MANIFEST
    try:
        content = read_file(path, bytes_max=MANIFEST_BYTES_MAX)
        manifest = msgspec.json.decode(content, type=DevnetManifest)
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no development network: {error}") from error
    for role in (item.role for item in manifest.organisations):
        if role not in ROLE_NAMES:
            raise ConfigError(field=str(path), reason=f"there is no role {role}")
    return Devnet(directory, manifest)


def _validate_size(nodes: int, base_port: int) -> None:
    if not 1 <= nodes <= NODES_MAX:
        raise ConfigError(field="nodes", reason=f"must be from 1 to {NODES_MAX}")
    if not 1_024 <= base_port <= PORT_MAX - P2P_PORT_OFFSET - nodes:
        last = PORT_MAX - P2P_PORT_OFFSET - nodes
        raise ConfigError(field="port", reason=f"must be from 1024 to {last}")
