from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.contract.standard_clauses import STANDARD_CLAUSES, STANDARD_EXCLUSIONS
from chain.contract.terms import Benefit, PinnedTerms, PlanTerms, PoolTerms
from chain.crypto import sha256
from chain.errors import ConfigError
from chain.genesis import Genesis, compute_chain_id
from node.devnet_files import Devnet, create_devnet
from node.genesis_files import decode_genesis, describe_genesis, load_genesis, load_parts, save_genesis
from node.reveal import STEP

PLAN_TOML = """
name = "test plan"
currency = "CNY"
utc_offset_minutes = 480
waiting_days = 90
claim_window_days = 180
notice_days_of_month = [7, 21]
charge_days_of_month = [14, 28]
notice_full_days_min = 3
fee_bp = 800
waiting_members_share = true
age_min_days = 30
age_limit_years = 60
deposit_min_fen = 1000
deposit_max_fen = 20000
grace_periods = 2
unpaid = "carry"
carry_periods_max = 2
members_min = 200
launch_days = 365
jury_size = 11
residue_to = "charity"
[[benefit]]
age_from_years = 0
age_to_years = 59
severe_fen = 300000
mild_fen = 50000
"""
BENEFITS = (Benefit(age_from_years=0, age_to_years=59, severe_fen=300_000, mild_fen=50_000),)
TERMS = PlanTerms(
    name="test plan",
    currency="CNY",
    pool=PoolTerms(
        utc_offset_minutes=480,
        notice_days_of_month=(7, 21),
        charge_days_of_month=(14, 28),
        notice_full_days_min=3,
        fee_bp=800,
        cap_per_case_fen=None,
        cap_per_period_fen=None,
        cap_per_year_fen=None,
        deposit_min_fen=1_000,
        deposit_max_fen=20_000,
        grace_periods=2,
        waiting_members_share=True,
        unpaid=0,
        carry_periods_max=2,
        benefit_ceiling=BENEFITS,
        members_min=200,
        launch_days=365,
        residue_to="charity",
        jury_size=11,
    ),
    pinned=PinnedTerms(
        benefits=BENEFITS,
        waiting_days=90,
        claim_window_days=180,
        age_min_days=30,
        age_limit_years=60,
        clauses=STANDARD_CLAUSES,
        exclusions=STANDARD_EXCLUSIONS,
    ),
)


def make_devnet(directory: Path, *, nodes: int = 4, base_port: int = 8_400) -> Devnet:
    return create_devnet(
        directory,
        nodes=nodes,
        base_port=base_port,
        plans=(("mutual", "custody-1", TERMS),),
        time_ms=1_769_616_000_000,
        clock=((0, 0), (1_000, 86_400_000)),
        reveal_length=STEP,
    )


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Devnet:
    return make_devnet(tmp_path_factory.mktemp("network"))


@pytest.fixture
def genesis(devnet: Devnet) -> Genesis:
    return load_genesis(devnet.genesis_path)


def write_parts(directory: Path, devnet: Devnet, **changes: str) -> Path:
    organisations = [f"{devnet.directory / o.directory}/organisation.card.json" for o in devnet.organisations]
    validators = [f"{devnet.directory / node.directory}/validator.card.json" for node in devnet.nodes]
    lines = {
        "name": '"devnet"',
        "domain": '"devnet.gongji.invalid"',
        "time": "2026-01-29T00:00:00+08:00",
        "clock": "[[0, 0], [1000, 86400000]]",
        "organisations": msgspec.json.encode(organisations).decode(),
        "validators": msgspec.json.encode(validators).decode(),
        "plan": '"mutual"',
        "account": '"custody-1"',
        "terms": '"plan.toml"',
        **changes,
    }
    plan = {name: lines.pop(name) for name in ("plan", "account", "terms")}
    parameters = lines.pop("parameters", "")
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
    text += f"[parameters]\n{parameters}\n[[plans]]\n"
    text += "".join(f"{name} = {value}\n" for name, value in plan.items() if value)
    (directory / "plan.toml").write_text(PLAN_TOML)
    (directory / "genesis.toml").write_text(text)
    return directory / "genesis.toml"


def test_parts_give_the_same_genesis_as_the_api(tmp_path: Path, devnet: Devnet, genesis: Genesis) -> None:
    assert load_parts(write_parts(tmp_path, devnet)) == genesis


def test_parameters_that_are_given_replace_defaults(tmp_path: Path, devnet: Devnet) -> None:
    genesis = load_parts(write_parts(tmp_path, devnet, parameters="block_gap_ms = 77"))
    assert (genesis.parameters.block_gap_ms, genesis.parameters.tenure) == (77, 100)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": '"Bad Name"'}, "name"),
        ({"domain": ""}, "domain"),
        ({"time": "2026-01-29T00:00:00"}, "time"),
        ({"time": '"soon"'}, "time"),
        ({"time": "1970-01-01T00:00:00Z"}, "time_ms"),
        ({"clock": "[[5, 5], [4, 6]]"}, "clock"),
        ({"parameters": "colour = 3"}, "parameters.colour"),
        ({"parameters": "tenure = 0"}, "parameters.tenure"),
        ({"parameters": 'tenure = "x"'}, "parameters.tenure"),
        ({"plan": ""}, "plans[0].plan"),
        ({"account": '"Bad Account"'}, "plans[0].account"),
        ({"unknown": "3"}, "unknown"),
        ({"organisations": "[]"}, "organisations"),
    ],
)
def test_wrong_part_is_named(tmp_path: Path, devnet: Devnet, changes: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_parts(write_parts(tmp_path, devnet, **changes))
    assert error.value.values["field"] == field


def test_wrong_plan_is_named_with_its_file_and_field(tmp_path: Path, devnet: Devnet) -> None:
    path = write_parts(tmp_path, devnet)
    (tmp_path / "plan.toml").write_text(PLAN_TOML.replace("fee_bp = 800", "fee_bp = 10001"))
    with pytest.raises(ConfigError) as error:
        load_parts(path)
    assert str(error.value.values["field"]) == f"{tmp_path / 'plan.toml'}: fee_bp"
    (tmp_path / "plan.toml").unlink()
    with pytest.raises(ConfigError, match=r"plan\.toml"):
        load_parts(path)


def test_saved_genesis_is_canonical_and_its_hash_is_the_chain_id(tmp_path: Path, genesis: Genesis) -> None:
    chain_id = save_genesis(tmp_path / "genesis.bin", genesis)
    content = (tmp_path / "genesis.bin").read_bytes()
    assert content == encode(genesis)
    assert chain_id.hex() == sha256(content).hex()
    assert compute_chain_id(load_genesis(tmp_path / "genesis.bin")) == chain_id
    with pytest.raises(ConfigError):
        save_genesis(tmp_path / "genesis.bin", genesis)


def test_json_for_people_shows_every_field_by_its_name(tmp_path: Path, genesis: Genesis) -> None:
    save_genesis(tmp_path / "genesis.bin", genesis)
    shown = msgspec.json.decode((tmp_path / "genesis.json").read_bytes(), type=dict[str, object])
    assert set(shown) == {"chain_id", *Genesis.__struct_fields__}
    assert shown["chain_id"] == compute_chain_id(genesis).hex()
    assert genesis.validators[0].key.hex() in str(shown["validators"])


def test_genesis_of_another_chain_is_refused(devnet: Devnet) -> None:
    assert load_genesis(devnet.genesis_path, chain_id=devnet.chain_id.hex()).name == "devnet"
    with pytest.raises(ConfigError) as error:
        load_genesis(devnet.genesis_path, chain_id="00" * 32)
    assert error.value.values["field"] == "chain_id"


def test_genesis_with_any_byte_changed_is_another_chain_or_refused(genesis: Genesis) -> None:
    content, chain_id = encode(genesis), compute_chain_id(genesis)
    for offset in range(0, len(content), 41):
        changed = bytearray(content)
        changed[offset] ^= 1
        try:
            other = decode_genesis(bytes(changed), field="genesis")
        except ConfigError:
            continue
        assert compute_chain_id(other) != chain_id


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tls_pin": bytes(32)}, "validators[1].tls_pin"),
        ({"tls_certificate": b"\x30"}, "validators[1].tls_certificate"),
        ({"address": "nowhere"}, "validators[1].address"),
        ({"address": "127.0.0.1:8500"}, "validators"),
    ],
)
def test_validator_that_cannot_work_is_named(genesis: Genesis, change: dict[str, object], field: str) -> None:
    wrong = replace(genesis.validators[1], **change)
    changed = replace(genesis, validators=(genesis.validators[0], wrong, *genesis.validators[2:]))
    with pytest.raises(ConfigError) as error:
        decode_genesis(encode(changed), field="genesis")
    assert error.value.values["field"] == field


def test_development_clock_is_shown_loudly(genesis: Genesis) -> None:
    assert any("DEVELOPMENT CLOCK" in name for name, _ in describe_genesis(genesis))
    assert not any("CLOCK" in name for name, _ in describe_genesis(replace(genesis, clock=())))
