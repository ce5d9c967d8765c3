"""The REST server of a node: the explorer's application over its store, with the routes that take things in."""

from importlib.metadata import version

from chain.genesis import Genesis
from explorer.access import AccessKey, AccessKeys
from explorer.app import build_app
from explorer.settings import ExplorerSettings, HttpLimits
from node.assembly import Node
from node.config import NodeConfig
from node.contract_source import read_contract_source
from node.http_server import ConnectionLimits, RestServer, build_server
from node.logs import get_logger
from node.prepare_api import build_prepare_router
from node.reader import StoreReader
from node.submit_api import build_submit_router


def build_rest_server(node: Node, config: NodeConfig, genesis: Genesis) -> RestServer:
    """Return the REST server of a node, not yet serving."""
    limits = HttpLimits(requests_per_s=config.api.requests_per_s, requests_burst=config.api.requests_burst)
    settings = ExplorerSettings(
        software_version=version("gongji"),
        cursor_key=node.storage.cursor_secret,
        hosts=config.api.hosts,
        limits=limits,
        access=_build_access(config),
        contract=read_contract_source(),
        observe=node.metrics.observe_request,
    )
    reader = StoreReader(node.storage.store, genesis)
    app = build_app(
        reader,
        node.condition,
        settings=settings,
        submit_routers=(build_submit_router(node.intake, limits), build_prepare_router(reader)),
    )
    return build_server(app, ConnectionLimits(), get_head=reader.get_head)


def _build_access(config: NodeConfig) -> AccessKeys:
    log = get_logger("node")
    keys = {
        bytes.fromhex(key.sha256): AccessKey(name=key.name, scopes=frozenset(key.scopes))
        for key in config.api.access_keys
    }

    def record(name: str, path: str) -> None:
        # Reading what links claims and members leaves a trace (contract 6).
        log.info("access_key_used", key=name, path=path)

    return AccessKeys(keys, record)
