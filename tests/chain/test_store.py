"""The database: identity, durability switches, damage."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chain.crypto import sha256
from chain.errors import StoreError
from chain.layout import META_FORMAT, place, pool_tag
from chain.store import Store
from chain.types import ChainId

CHAIN = ChainId(sha256(b"chain"))


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    store.write([(b"a", b"1"), (b"b", b"2"), (b"a", None)])
    store.close()
    store = Store(tmp_path / "db", CHAIN)
    assert store.get(b"a") is None
    assert store.get(b"b") == b"2"
    store.close()


def test_a_foreign_chain_a_foreign_format_and_a_foreign_database_are_refused(tmp_path: Path) -> None:
    Store(tmp_path / "db", CHAIN).close()
    with pytest.raises(StoreError, match="belongs to chain"):
        Store(tmp_path / "db", ChainId(sha256(b"other")))
    store = Store(tmp_path / "db", CHAIN)
    store.write([(META_FORMAT, b"\x00\x09")])
    store.close()
    with pytest.raises(StoreError, match="format"):
        Store(tmp_path / "db", CHAIN)
    store = Store(tmp_path / "other", CHAIN)
    store.write([(META_FORMAT, None), (b"x", b"1")])
    store.close()
    with pytest.raises(StoreError, match="not made by this program"):
        Store(tmp_path / "other", CHAIN)


def test_c38_a_second_process_cannot_open_the_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "db", CHAIN)
    store.close()


def test_a_snapshot_does_not_see_later_writes(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    store.write([(b"a", b"1")])
    snapshot = store.snapshot()
    store.write([(b"a", b"2"), (b"b", b"1")])
    assert snapshot.get(b"a") == b"1"
    assert list(snapshot.iterate(start=b"a", stop=b"c")) == [(b"a", b"1")]
    assert list(store.iterate(start=b"a", stop=b"c", is_reversed=True)) == [(b"b", b"1"), (b"a", b"2")]
    snapshot.close()
    store.close()


def test_s5_a_flipped_bit_in_a_table_is_never_returned_as_data(tmp_path: Path) -> None:
    path = tmp_path / "db"
    store = Store(path, CHAIN)
    rows = [(i.to_bytes(4, "big"), sha256(i.to_bytes(4, "big")) * 8) for i in range(3_000)]
    store.write(rows)
    store.close()
    Store(path, CHAIN).close()
    tables = sorted(path.glob("*.ldb"))
    assert tables
    data = bytearray(tables[0].read_bytes())
    detected = 0
    for step in range(1, 21):
        position = len(data) * step // 22
        data[position] ^= 1
        tables[0].write_bytes(bytes(data))
        try:
            damaged = Store(path, CHAIN)
            found = [damaged.get(key) for key, _ in rows]
            damaged.close()
        except StoreError:
            detected += 1
        else:
            assert found == [value for _, value in rows]
        data[position] ^= 1
        tables[0].write_bytes(bytes(data))
    assert detected >= 15


def test_a_read_sees_what_was_written_just_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    for number in range(5):
        store.write([(b"a", b"%d" % number), (b"b%d" % number, b"")])
        assert store.get(b"a") == b"%d" % number
        assert store.get(b"b%d" % number) == b""
        assert store.get(b"b") is None, "a longer key with this beginning is another one"
    store.close()


def test_single_keys_are_read_from_several_threads_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", CHAIN)
    rows = {number.to_bytes(4, "big"): sha256(number.to_bytes(4, "big")) for number in range(2_000)}
    store.write(rows.items())

    def read_all(_: int) -> bool:
        return all(store.get(key) == value for key, value in rows.items())

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(read_all, range(4))
        for number in range(50):
            store.write([(b"other", bytes([number]))])
        assert all(found)
    store.close()


def test_places_order_by_height_then_index_and_tags_are_prefix_free() -> None:
    assert place(1, 2**32 - 1) < place(2, 0) < place(2, 1) < place(256, 0)
    tags = [pool_tag(("a", 0)), pool_tag(("ab", 0)), pool_tag(("a", 1)), pool_tag(("b", 0))]
    assert not any(x != y and x.startswith(y) for x in tags for y in tags)
