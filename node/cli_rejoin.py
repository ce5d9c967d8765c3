"""The command `rejoin`: end the quarantine of a validator at once, on the word of its operator (consensus 7)."""

from pathlib import Path
from typing import Annotated

import typer

from chain.contract.governance_calls import Rejoin
from chain.errors import ConfigError
from node.cli_keys import report_errors
from node.cli_tx import EXIT_FAILED, open_client
from node.config import load_config
from node.demo.answers import read_text
from node.keys import KeyKind, load_key

OPTION = "--only-faulty-node"
WORDS = (
    "You declare, on the chain and for everybody to see: no other validator lies or has lost data. The vote of this\n"
    "validator may then contradict one that it has forgotten; the protocol bears that from one validator and not from\n"
    "two. Where all others are up, wait instead: the quarantine ends by itself."
)


def rejoin(
    config: Annotated[Path, typer.Option(help="The node.toml of the node that stands in quarantine, on its machine.")],
    only_faulty_node: Annotated[
        bool, typer.Option(OPTION, help="No other validator lies or has lost data: say it, or wait.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, max=300, help="Seconds to wait until it is on the chain.")] = 30,
) -> None:
    """End this validator's quarantine at once, where one of the others is down for good and it cannot end by itself.

    Signs `rejoin` with the validator key and hands it to the node itself, which goes on to vote as soon as enough
    others have shown it their head. The chain records it.
    """
    with report_errors():
        if not only_faulty_node:
            raise ConfigError(field=OPTION, reason="is missing. " + WORDS.replace("\n", " "))
        loaded = load_config(config)
        key = load_key(Path(loaded.keys.validator), kind=KeyKind.VALIDATOR)
    hint = "this is for a node that runs: start it first"
    with open_client([f"http://{loaded.listen.api}"], hint=hint) as client:
        mode = read_text(client.get("/v1/consensus"), "mode")
        if mode != "quarantine":
            typer.echo(f"error: this node is in mode {mode}, not in quarantine: there is nothing to end", err=True)
            raise typer.Exit(EXIT_FAILED)
        typer.echo(WORDS)
        height = client.session.ledger_height
        result = client.submit(client.build(Rejoin(height=height), key), wait_s=wait)
    typer.echo(f"rejoin of {key.public_key.hex()} at height {height}: {result.status}")
    if result.status not in {"received", "pending"} and not result.is_success:
        raise typer.Exit(EXIT_FAILED)
