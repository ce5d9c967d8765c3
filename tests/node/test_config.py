from pathlib import Path

import pytest

from chain.errors import ConfigError
from node.config import NodeConfig, PoolConfig, load_config, parse_address, render_config

MINIMAL = 'genesis = "genesis.bin"\n[listen]\np2p = "127.0.0.1:8500"\n'


def load(tmp_path: Path, text: str) -> NodeConfig:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load_config(path)


def get_field(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    return str(error.value.values["field"])


def test_minimal_configuration_takes_the_defaults_and_absolute_paths(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.genesis == str(tmp_path / "genesis.bin")
    assert config.keys.validator == str(tmp_path / "keys" / "validator.json")
    assert config.guard == str(tmp_path / "guard")
    assert config.listen.api == "127.0.0.1:8400"
    assert config.pool == PoolConfig()


def test_rendered_configuration_is_read_back(tmp_path: Path) -> None:
    text = render_config(
        name="node-0", genesis="../genesis.bin", chain_id="ab" * 32, p2p="127.0.0.1:8500", api="127.0.0.1:8400"
    )
    config = load(tmp_path, text)
    assert (config.name, config.chain_id, config.listen.p2p) == ("node-0", "ab" * 32, "127.0.0.1:8500")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "genesis"),
        ('genesis = "g"', "listen"),
        ('genesis = "g"\n[listen]\n', "listen.p2p"),
        ('genesis = 5\n[listen]\np2p = "a:1"', "genesis"),
        ('genesis = "g"\nlisten = 3', "listen"),
        (MINIMAL + 'colour = "red"', "listen.colour"),
        ('colour = "red"\n' + MINIMAL, "colour"),
        (MINIMAL + "[pool]\nsize = 3", "pool.size"),
        (MINIMAL + "[pool]\ntransactions_max = 3", "pool.transactions_max"),
        (MINIMAL + '[pool]\ntransactions_max = "many"', "pool.transactions_max"),
        (MINIMAL + "[pool]\ntransactions_max = true", "pool.transactions_max"),
        (MINIMAL + "[pool]\ntransactions_max = 1000.0", "pool.transactions_max"),
        (MINIMAL + '[log]\nlevel = "loud"', "log.level"),
        (MINIMAL + "[api]\nhosts = []", "api.hosts"),
        (MINIMAL + '[api]\nhosts = [""]', "api.hosts"),
        (MINIMAL + '[api]\nhosts = ["node.example.org:8400"]', "api.hosts"),
        (MINIMAL + '[api]\nhosts = ["https://node.example.org"]', "api.hosts"),
        (MINIMAL + '[api]\nhosts = ["::1"]', "api.hosts"),
        (MINIMAL + "[api]\nrequests_per_s = 50\nrequests_burst = 10", "api.requests_burst"),
        ('chain_id = "AB"\n' + MINIMAL, "chain_id"),
        ('genesis = "g"\n[listen]\np2p = "127.0.0.1"', "listen.p2p"),
        (MINIMAL + 'api = "127.0.0.1:99999"', "listen.api"),
        (MINIMAL + 'api = "127.0.0.1:8500"', "listen.api"),
    ],
)
def test_error_names_its_field(tmp_path: Path, text: str, field: str) -> None:
    assert get_field(tmp_path, text) == field


def test_any_host_name_and_short_ones_can_be_configured(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL + '[api]\nhosts = ["*"]').api.hosts == ("*",)
    hosts = load(tmp_path, MINIMAL + '[api]\nhosts = ["n", "node.example.org", "[::1]"]').api.hosts
    assert hosts == ("n", "node.example.org", "[::1]")


def test_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    assert get_field(tmp_path, "= 3").endswith("node.toml")
    (tmp_path / "node.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "node.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8500", ("127.0.0.1", 8_500)),
        ("node.example.org:1", ("node.example.org", 1)),
        ("[::1]:65535", ("::1", 65_535)),
    ],
)
def test_address_is_parsed(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text, field="f") == expected


@pytest.mark.parametrize(
    "text",
    ["", "host", ":80", "host:", "host:0", "host:65536", "host:-1", "host:8x", "host:٣", "::1:80", "[::1:80", "[x]:80",
     "a b:80", "http://host:80", 'a"b:80', "a\\b:80"],
)  # fmt: skip
def test_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_address(text, field="listen.p2p")
    assert error.value.values["field"] == "listen.p2p"
