from pathlib import Path

import msgspec
import pytest

from chain.crypto import sha256
from chain.errors import ConfigError, StoreError
from chain.types import Hash
from node import reveal
from node.reveal import STEP, RevealChain, RevealExhausted, RevealFiles, create_reveal, load_reveal

LENGTH = 4 * STEP


@pytest.fixture
def chain(tmp_path: Path) -> RevealChain:
    create_reveal(tmp_path / "reveal.json", owner="platform", length=LENGTH)
    return load_reveal(tmp_path / "reveal.json")


def test_every_reveal_hashes_to_the_one_before_it_until_the_chain_is_used_up(chain: RevealChain) -> None:
    link, count = chain.anchor, 0
    with pytest.raises(RevealExhausted):
        while True:
            before = chain.find_preimage(link)
            assert sha256(before) == link
            link, count = before, count + 1
    assert count == LENGTH == chain.length


def test_restarted_node_finds_its_place_from_any_link(tmp_path: Path, chain: RevealChain) -> None:
    links = [chain.anchor]
    for _ in range(LENGTH - 1):
        links.append(chain.find_preimage(links[-1]))
    for place in (0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, LENGTH - 2):
        restarted = load_reveal(tmp_path / "reveal.json")
        assert restarted.find_preimage(links[place]) == links[place + 1]


def test_link_before_the_present_one_is_found_again(chain: RevealChain) -> None:
    link = chain.anchor
    for _ in range(STEP + 10):
        link = chain.find_preimage(link)
    assert sha256(chain.find_preimage(chain.anchor)) == chain.anchor


def test_link_that_is_not_in_the_chain_stops_the_node(chain: RevealChain) -> None:
    with pytest.raises(StoreError):
        chain.find_preimage(Hash(bytes(32)))


def test_reveal_costs_at_most_one_segment_of_hashes(chain: RevealChain, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = 0

    def count_hash(data: bytes) -> Hash:
        nonlocal hashed
        hashed += 1
        return sha256(data)

    monkeypatch.setattr(reveal, "sha256", count_hash)
    link = chain.anchor
    for _ in range(STEP + 1):
        before = hashed
        link = chain.find_preimage(link)
        assert hashed - before in (0, STEP)
    assert hashed == 2 * STEP


def test_chain_file_is_secret_and_is_not_overwritten(tmp_path: Path, chain: RevealChain) -> None:
    path = tmp_path / "reveal.json"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError):
        create_reveal(path, owner="platform", length=STEP)
    assert load_reveal(path).anchor == chain.anchor


@pytest.mark.parametrize("length", [0, -STEP, STEP - 1, STEP + 1, 2**24 + STEP])
def test_length_that_does_not_fit_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ConfigError):
        create_reveal(tmp_path / "other.json", owner="platform", length=length)


@pytest.mark.parametrize(
    "values",
    [{"anchor": "00" * 32}, {"length": 2 * STEP}, {"length": 7}, {"kept": []}, {"kind": "signing"}, {"more": 1}],
)
def test_chain_file_that_was_changed_is_refused(tmp_path: Path, chain: RevealChain, values: dict[str, object]) -> None:
    path = tmp_path / "reveal.json"
    stored = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode({**stored, **values}))
    with pytest.raises(ConfigError):
        load_reveal(path)


def test_renewed_chain_is_found_beside_the_present_one_without_a_restart(tmp_path: Path, chain: RevealChain) -> None:
    files = RevealFiles(tmp_path / "reveal.json")
    assert sha256(files.find_preimage(chain.anchor)) == files.anchor == chain.anchor
    renewed = create_reveal(tmp_path / "reveal.next.json", owner="platform", length=STEP)
    link = files.find_preimage(renewed.anchor)
    assert sha256(link) == renewed.anchor
    assert sha256(files.find_preimage(link)) == link


@pytest.mark.parametrize("content", [None, b"{}"])
def test_link_that_no_file_has_only_costs_the_turn_to_lead(
    tmp_path: Path, chain: RevealChain, content: bytes | None
) -> None:
    """The node goes on to vote: a vote to renew its reveals must not stop it."""
    files = RevealFiles(tmp_path / "reveal.json")
    if content is not None:
        (tmp_path / "reveal.next.json").write_bytes(content)
        (tmp_path / "reveal.next.json").chmod(0o600)
    with pytest.raises(RevealExhausted):
        files.find_preimage(Hash(bytes(32)))
    assert files.find_preimage(chain.anchor)
