"""`make bench`: four validators on this machine under a real mix of contract transactions, with figures as
JSON too.

    python -m bench [--transactions 400000] [--rate 1000] [--rate-seconds 30] [--seconds 60] [--json FILE]
    python -m bench execution      one node without network, by kind of call and stage
    python -m bench growth [--transactions 400000] [--window 50000]
                                   one node without network, the mix, by stage as the chain grows
    python -m bench settlement     a settlement over 1,000 and over 1,000,000 members
    python -m bench scale          a plan that grows through transactions to 1,000,000 members
    python -m bench year --members 100000
                                   a simulated year by the published tables, beside what was published
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import httpx

from bench import bench_settlement, execution, growth, scale, year
from bench.load import (
    BLOB,
    CLAIMS,
    COHORT,
    LEAVES,
    PER_COHORT,
    TOP_UPS,
    Parties,
    count_kinds,
    presign_mix,
    presign_setup,
)
from bench.machine import describe_machine, measure_signature_us
from bench.network import Driver, Meter, Watcher, offer, read_hash, saturate, submit_all
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.genesis import Parameters
from node.demo.figures import load_plan
from node.devnet import IDLE_INTERVAL_MS, open_processes
from node.devnet_files import Devnet, create_devnet

MIDNIGHT_MS = 1_767_024_000_000
"""Block time 2025-12-29T16:00:00Z: 0:00 of the 30th in China. The load runs from the 29th on, far from any
notice."""
DAY_MS = 86_400_000
LOAD_DAY = (MIDNIGHT_MS + 480 * 60_000) // DAY_MS
PLAN, ACCOUNT = "bench", "bench-account"
SETTLED_MIN = 2_000
WORKERS = os.cpu_count() or 2
SETUP_GROUP = 20
"""Cohorts that join side by side in the setup."""
PRESIGN_PER_SECOND = 6_000
OVERLOAD_FACTOR = 3
RATE_MAX = 2_500
"""Committed transactions a second that the overload is prepared for."""
REVEALS = 2**17
SAMPLE_AFTER_SECONDS, SAMPLE_SIGNATURES = 3.0, 500
SETTLEMENT_MEMBERS = (1_000, 1_000_000)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("network", "execution", "growth", "settlement", "scale", "year"),
        default="network",
    )
    parser.add_argument("--transactions", type=int, default=400_000, help="on chain before the overload, at least")
    parser.add_argument(
        "--rate", type=int, default=1_000, help="offered transactions a second for the time to finality"
    )
    parser.add_argument("--rate-seconds", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=60, help="last seconds at full speed that are reported apart")
    parser.add_argument(
        "--overload-seconds", type=float, default=10, help=f"at {OVERLOAD_FACTOR} times the best rate; 0: none"
    )
    parser.add_argument("--port", type=int, default=28_600)
    parser.add_argument("--members", type=int, default=20_000, help="of the execution benchmark and of the year")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="members of the scale benchmark"
    )
    parser.add_argument("--window", type=int, default=50_000, help="transactions between two rows of growth")
    parser.add_argument("--skip-settlement", action="store_true", help="leave out the settlement over a million")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    parser.add_argument("--profile", action="store_true", help="sample the nodes and print where their CPU goes")
    parser.add_argument("--keep", type=Path, help="keep the network's folder here")
    return parser.parse_args()


def create_network(folder: Path, *, port: int, until_midnight_s: float) -> Devnet:
    """Create four validators whose block time reaches 0:00 of the 30th in so many seconds, at the speed of
    wall time."""
    wall_ms = time.time_ns() // 1_000_000
    block_ms = MIDNIGHT_MS - int(until_midnight_s * 1_000)
    return create_devnet(
        folder,
        nodes=4,
        base_port=port,
        plans=((PLAN, ACCOUNT, load_plan("plan-demo")),),
        time_ms=block_ms,
        clock=((wall_ms, block_ms), (wall_ms + 1_000, block_ms + 1_000)),
        parameters=Parameters(idle_interval_ms=IDLE_INTERVAL_MS, validity_window_ms=14 * DAY_MS),
        reveal_length=REVEALS,
    )


def build_parties(devnet: Devnet) -> Parties:
    return Parties(
        chain_id=devnet.chain_id,
        plan=PLAN,
        account=ACCOUNT,
        rules_hash=hash_terms(load_plan("plan-demo")),
        valid_until_ms=MIDNIGHT_MS + 7 * DAY_MS,
        day=LOAD_DAY,
        bank=devnet.load_signing_key("custodian").seed,
        auditor=devnet.load_signing_key("auditor-1").seed,
        platform=devnet.load_signing_key("platform").seed,
    )


async def run_network(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Make the load, start the nodes, measure."""
    cohorts = max(3, (arguments.transactions + count_reserve(arguments)) // PER_COHORT + 1)
    settled = max(SETTLED_MIN, 2 * CLAIMS * cohorts // COHORT * COHORT)
    estimate_s = 20 + (cohorts * PER_COHORT + settled) / PRESIGN_PER_SECOND + settled / 1_000
    devnet = create_network(folder, port=arguments.port, until_midnight_s=estimate_s)
    parties = build_parties(devnet)
    began = time.monotonic()
    setup = presign_setup(parties, settled, day=LOAD_DAY - 1, workers=WORKERS)
    load: deque[bytes] = deque()
    for raws in presign_mix(parties, settled, cohorts, workers=WORKERS):
        load.extend(raws)
    say(f"signed {len(load) + settled} transactions in {time.monotonic() - began:.0f} s")
    signature_us = measure_signature_us()
    with open_processes(devnet) as processes:
        processes.start()
        await asyncio.to_thread(processes.wait_alive)
        async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=64)) as http:
            watcher = Watcher(url=processes.urls[0], http=http)
            driver = Driver(urls=processes.urls, http=http, watcher=watcher)
            following = asyncio.ensure_future(watcher.run())
            try:
                for url in processes.urls:
                    answer = await http.put(
                        f"{url}/v1/blobs/{sha256(BLOB).hex()}",
                        content=BLOB,
                        headers={"content-type": "application/octet-stream"},
                    )
                    answer.raise_for_status()
                figures = await measure(arguments, driver, Meter(processes, watcher), setup, load)
            finally:
                following.cancel()
            hashes = [await read_hash(http, url, watcher.height) for url in processes.urls]
    figures |= {
        "signature_check_us": round(signature_us, 1),
        "equal_blocks_on_all_nodes": len(set(hashes)) == 1,
        "refused": driver.refused,
        "mix": count_kinds(
            {
                "joins": COHORT,
                "first deposits": COHORT,
                "top-ups": TOP_UPS,
                "leaves": LEAVES,
                "claims": CLAIMS,
                "admissions (batches)": 3,
            }
        ),
        "data_mb": sum(path.stat().st_size for path in devnet.get_data_path(0).rglob("*") if path.is_file()) // 2**20,
    }
    return figures


async def measure(
    arguments: argparse.Namespace, driver: Driver, meter: Meter, setup: list[list[list[bytes]]], load: deque[bytes]
) -> dict[str, object]:
    """Run setup, offered rate, full speed and overload; return the figures of each."""
    watcher = driver.watcher
    await meter.reset()
    for start in range(0, len(setup), SETUP_GROUP):
        group = setup[start : start + SETUP_GROUP]
        for step in range(len(group[0])):
            await submit_all(driver, [raw for steps in group for raw in steps[step]])
    say_window("setup", figures_setup := (await meter.read()).summarise())
    await wait_for_midnight(driver)
    await meter.reset()
    await offer(driver, load, rate=arguments.rate, seconds=arguments.rate_seconds)
    say_window(f"offered {arguments.rate}/s", figures_rate := (await meter.read()).summarise())
    reserve = min(len(load) // 3, count_reserve(arguments))
    windows: list[dict[str, object]] = []
    while len(load) > reserve:
        await meter.reset()
        sample = asyncio.ensure_future(sample_signature_us())
        await saturate(driver, load, seconds=arguments.seconds, leave=reserve)
        sample.cancel()
        windows.append((await meter.read()).summarise())
        if sample.done() and not sample.cancelled():
            windows[-1]["signature_check_us"] = round(sample.result(), 1)
        say_window("full speed", windows[-1])
    given_up = watcher.not_final
    await watcher.settle()
    say(f"not final after full speed: {watcher.not_final - given_up}")
    figures: dict[str, object] = {
        "setup": figures_setup,
        "offered_rate": arguments.rate,
        "offered": figures_rate,
        "full_speed": windows,
        "full_speed_not_final": watcher.not_final - given_up,
    }
    if arguments.overload_seconds and windows:
        best = max(float(str(window["tx_per_s"])) for window in windows)
        await meter.reset()
        await offer(driver, load, rate=int(OVERLOAD_FACTOR * best), seconds=arguments.overload_seconds)
        overload = (await meter.read()).summarise()
        rate = float(str(overload["tx_per_s"]))
        overload["share_of_best"] = round(rate / best, 3)
        # Of the chain as long as it is now: what is best comes first, when it is short.
        overload["share_of_last"] = round(rate / float(str(windows[-1]["tx_per_s"])), 3)
        say_window(f"offered {OVERLOAD_FACTOR} x", overload)
        figures["overload"] = overload
    figures["transactions_on_chain"] = watcher.committed
    figures["height"] = watcher.height
    return figures


def count_reserve(arguments: argparse.Namespace) -> int:
    """Return how many transactions are kept for the overload: it comes when the chain is as long as was asked for."""
    return int(OVERLOAD_FACTOR * RATE_MAX * arguments.overload_seconds)


async def sample_signature_us() -> float:
    """Time bare signature checks while the nodes are busy: what the CPU of a transaction is to be compared with."""
    await asyncio.sleep(SAMPLE_AFTER_SECONDS)
    return await asyncio.to_thread(measure_signature_us, SAMPLE_SIGNATURES)


async def wait_for_midnight(driver: Driver) -> None:
    """Wait until it is the 30th: cover against accidents begins on the day after joining."""
    while True:
        answer = await driver.http.get(f"{driver.urls[0]}/v1/meta")
        text = answer.headers["ledger-time"]
        if text >= "2025-12-29T16:00:00":
            return
        await asyncio.sleep(0.2)


def read_samples(folder: Path) -> dict[str, float]:
    """Return the share of each stage in the samples of all nodes, from the start of the processes to their end."""
    counts: dict[str, int] = {}
    for path in folder.glob("*.json"):
        for stage, count in json.loads(path.read_text()).items():
            counts[stage] = counts.get(stage, 0) + count
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    return {stage: round(100 * count / total, 1) for stage, count in ordered}


def measure_settlements() -> list[dict[str, int | float]]:
    """Return what a settlement costs over a thousand and over a million members: the same."""
    return [bench_settlement.measure(members) for members in SETTLEMENT_MEMBERS]


def say(text: str) -> None:
    print(text, flush=True)


def say_window(name: str, figures: dict[str, object]) -> None:
    say(
        f"{name}: {figures['committed']} in {figures['seconds']} s = {figures['tx_per_s']} tx/s, "
        f"{figures['not_final']} not final, "
        f"finality p50 {figures['finality_ms_p50']} ms p99 {figures['finality_ms_p99']} ms, "
        f"CPU {figures['cpu_us_mean']} us per transaction and node, generator "
        f"{figures['generator_cpu_us_per_transaction']} us, own memory {figures['own_mb']} MB, "
        f"with mapped files {figures['rss_mb']} MB, "
        f"blocks of {figures['block_transactions_p50']} (max {figures['block_transactions_max']}), "
        f"view changes {figures['view_changes']}, stages {figures['stage_us_per_transaction']}"
    )


def main() -> int:
    arguments = parse_arguments()
    machine = describe_machine()
    say(", ".join(f"{name} {value}" for name, value in machine.items()))
    if arguments.what == "execution":
        figures: dict[str, object] = execution.measure(settled=arguments.members, blocks=3)
        figures["signature_check_us"] = round(measure_signature_us(), 1)
    elif arguments.what == "growth":
        rows = growth.measure(transactions=arguments.transactions, window=arguments.window, say=say)
        figures = {"us_per_transaction_by_size": rows}
    elif arguments.what == "scale":
        figures = {"scale": scale.measure(arguments.sizes)}
    elif arguments.what == "year":
        figures = year.measure(arguments.members)
        say(year.show(figures))
    elif arguments.what == "settlement":
        figures = {"settlement": measure_settlements()}
    else:
        folder = arguments.keep or Path(tempfile.mkdtemp(prefix="gongji-bench-"))
        samples = folder.with_name(folder.name + "-samples")
        if arguments.profile:
            samples.mkdir()
            os.environ["GONGJI_SAMPLES"] = str(samples)
            os.environ["PYTHONPATH"] = os.pathsep.join(
                filter(None, [str(Path(__file__).parent / "sampler"), os.environ.get("PYTHONPATH")])
            )
        try:
            figures = asyncio.run(run_network(arguments, folder))
            if arguments.profile:
                figures["cpu_percent_by_stage"] = read_samples(samples)
                say(f"where the CPU of the nodes goes, in percent: {figures['cpu_percent_by_stage']}")
        finally:
            shutil.rmtree(samples, ignore_errors=True)
            if arguments.keep is None:
                shutil.rmtree(folder, ignore_errors=True)
        full_speed = figures["full_speed"]
        if isinstance(full_speed, list) and full_speed:
            # The last window that was long enough for a sample of its own; else the checks on the idle machine.
            window = next((item for item in reversed(full_speed) if "signature_check_us" in item), full_speed[-1])
            bare_us = float(window.get("signature_check_us", figures["signature_check_us"]))
            ratio = float(window["cpu_us_mean"]) / bare_us
            figures["cpu_per_signature_check"] = round(ratio, 2)
            say(
                f"bare signature checks: {figures['signature_check_us']} us before the nodes ran, {bare_us} us beside "
                f"them; a transaction costs each node as much CPU as {ratio:.2f} of the latter"
            )
        if not arguments.skip_settlement:
            figures["settlement"] = measure_settlements()
    text = json.dumps({**machine, **figures}, indent=2)
    say(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
