"""Access keys: what counts as one, and what it opens."""

import pytest
from starlette.requests import Request

from chain.crypto import sha256
from explorer.access import AccessKey, AccessKeys
from explorer.problems import ProblemError

PREFIX = "Bearer "
KEY, LONGEST, TOO_LONG = "k" * 64, "k" * 193, "k" * 194


def build_request(authorization: str | None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    return Request({"type": "http", "path": "/v1/instructions", "headers": headers})


@pytest.fixture
def used() -> list[tuple[str, str]]:
    """Name and path of each use of a key."""
    return []


@pytest.fixture
def keys(used: list[tuple[str, str]]) -> AccessKeys:
    """Keys of one node, one of them with more characters than a header may have."""
    found = {
        bytes(sha256(key.encode())): AccessKey(name=name, scopes=frozenset({"payments"}))
        for name, key in (("bank", KEY), ("longest", LONGEST), ("too long", TOO_LONG), ("scheme", f"Basic {KEY}"))
    }
    return AccessKeys(found, lambda name, path: used.append((name, path)))


@pytest.mark.parametrize(("key", "name"), [(KEY, "bank"), (LONGEST, "longest")])
def test_a_known_key_opens_its_scopes_and_its_use_is_recorded(
    keys: AccessKeys, used: list[tuple[str, str]], key: str, name: str
) -> None:
    assert keys.get_scopes(build_request(PREFIX + key)) == {"payments"}
    assert used == [(name, "/v1/instructions")]


@pytest.mark.parametrize("authorization", [None, ""])
def test_without_a_key_only_what_is_public_is_open(
    keys: AccessKeys, used: list[tuple[str, str]], authorization: str | None
) -> None:
    assert keys.get_scopes(build_request(authorization)) == frozenset()
    assert used == []


@pytest.mark.parametrize(
    "authorization", [KEY, f"Basic {KEY}", PREFIX, f"{PREFIX}{PREFIX}{KEY}", PREFIX + KEY[1:], PREFIX + TOO_LONG]
)
def test_what_is_no_bearer_key_of_at_most_200_characters_is_refused_and_not_taken_for_none(
    keys: AccessKeys, used: list[tuple[str, str]], authorization: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        keys.get_scopes(build_request(authorization))
    assert caught.value.code == "access_key_invalid"
    assert used == []
