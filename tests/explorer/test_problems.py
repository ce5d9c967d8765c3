"""Problems: one form for everything that goes wrong, in the caller's language, from the one catalogue."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.catalogue import get_entries, get_entry
from chain.errors import Refusal
from explorer.problems import ERRORS_MAX, FieldError, ProblemError, ProblemWriter, choose_language
from tests.explorer.conftest import SETTINGS
from tests.explorer.routes import add_query, list_routes
from tests.explorer.world import Condition

FIELDS = {"type", "title", "status", "detail", "code", "retryable", "request_id", "ledger_height"}


def check(answer: httpx.Response, code: str) -> dict[str, object]:
    body: dict[str, object] = answer.json()
    entry = get_entry(code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) >= FIELDS
    assert body["code"] == code
    assert body["status"] == answer.status_code == entry.status
    assert body["type"] == f"/problems/{code}"
    assert body["retryable"] is entry.retryable
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_every_route_refuses_an_unknown_parameter(client: httpx.AsyncClient) -> None:
    for method, path in await list_routes(client):
        if method == "GET":
            check(await client.get(add_query(path, "surprise=1")), "parameter_unknown")


async def test_every_route_refuses_a_repeated_parameter(client: httpx.AsyncClient) -> None:
    for method, path in await list_routes(client):
        if method == "GET":
            check(await client.get(add_query(path, "lang=en&lang=zh")), "parameter_invalid")


async def test_every_route_answers_a_wrong_method_with_what_is_allowed(client: httpx.AsyncClient) -> None:
    for method, path in await list_routes(client):
        if method == "GET":
            answer = await client.request("DELETE", path)
            check(answer, "method_not_allowed")
            assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=+5",
        "limit=5.0",
        "limit=1e2",
        "limit=0x10",
        "limit=1_0",
        "limit=%EF%BC%95",
        "limit=",
        "limit=true",
        "limit=05",
        "limit=" + "9" * 5_000,
        "min_height=9007199254740992",
        "min_height=99999999999999999999",
        "cursor=",
    ],
)
async def test_a8_numbers_in_any_other_notation_or_range_are_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/blocks?{query}")
    assert answer.status_code in {400, 413}
    assert answer.json()["code"] in {"parameter_invalid", "cursor_invalid", "too_large"}


async def test_a8_a_number_of_a_million_digits_is_never_parsed(client: httpx.AsyncClient) -> None:
    check(await client.get("/v1/blocks/" + "9" * 60_000), "parameter_invalid")
    check(await client.get("/v1/blocks?limit=" + "9" * 60_000), "too_large")


async def test_wrong_words_and_ids_are_refused_with_a_pointer(client: httpx.AsyncClient) -> None:
    body = check(await client.get("/v1/members?status=happy&plan=A"), "parameter_invalid")
    assert isinstance(body["errors"], list)
    assert {error["pointer"] for error in body["errors"]} == {"#/query/status", "#/query/plan"}
    body = check(await client.get("/v1/members/" + "AB" * 32), "parameter_invalid")
    assert isinstance(body["errors"], list)
    assert body["errors"][0]["pointer"] == "#/path/member"


async def test_unknown_path_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/v2/blocks", "/v1/blocks/", "//v1/blocks", "/v1/../etc/passwd", "/%00", "/v1/nothing"):
        check(await client.get(path), "not_found")


async def test_what_is_wrong_stands_in_the_sentence_too(client: httpx.AsyncClient) -> None:
    """A client or a log that shows no more than the detail still says what, where, and what to do."""
    body = check(await client.get("/v1/blocks?limit=0"), "parameter_invalid")
    assert "#/query/limit: " in str(body["detail"])
    assert "greater than or equal to 1" in str(body["detail"])
    body = check(await client.get("/v1/blocks?a~/b=1"), "parameter_unknown")
    assert str(body["detail"]).endswith("errors=#/query/a~0~1b: there is no such parameter")
    body = check(await client.get("/v1/nothing"), "not_found")
    assert body["detail"] == "There is no such thing: method=GET, path=/v1/nothing, routes=/openapi.json"
    body = check(await client.delete("/v1/blocks"), "method_not_allowed")
    assert body["detail"] == "This method is not allowed here: method=DELETE, path=/v1/blocks, allowed=GET"
    body = check(await client.get("/v1/transactions/" + "00" * 32), "not_found")
    assert body["detail"] == "There is no such thing: transaction=this node has not seen it"


async def test_title_follows_the_preferred_language(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nothing", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    body = check(answer, "not_found")
    assert body["title"] == "没有找到"
    assert answer.headers["content-language"] == "zh"
    assert "accept-language" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("en;q=0.4, zh;q=0.5", "zh"),
        ("fr, de", "en"),
        ("zh;q=0", "en"),
        ("en-GB, zh", "en"),
        ("zh;q=abc", "en"),
        (";;;,,,q=", "en"),
    ],
)
def test_language_is_chosen_by_weight(header: str, language: str) -> None:
    assert choose_language(header) == language


@given(st.text(max_size=300))
def test_any_language_header_chooses_a_language(header: str) -> None:
    assert choose_language(header) in {"en", "zh"}


async def test_min_height_beyond_the_head_is_height_not_reached_with_retry_after(
    client: httpx.AsyncClient, condition: Condition
) -> None:
    condition.changed.set()
    answer = await client.get("/v1/meta?min_height=100000")
    body = check(answer, "height_not_reached")
    assert "100000" in str(body["detail"])
    assert int(answer.headers["retry-after"]) >= 1
    assert condition.waits == [SETTINGS.limits.min_height_wait_ms]


async def test_request_id_of_the_caller_is_kept_if_it_is_harmless(client: httpx.AsyncClient) -> None:
    kept = await client.get("/nothing", headers={"x-request-id": "job-17"})
    assert kept.json()["request_id"] == "job-17"
    made_up = await client.get("/nothing", headers={"x-request-id": "a<script>" * 9})
    assert "<" not in made_up.json()["request_id"]


def build(error: ProblemError | Refusal, language: str = "en") -> tuple[dict[str, object], dict[str, str]]:
    scope = {
        "type": "http",
        "request_id": "r-1",
        "headers": [(b"accept-language", language.encode())],
    }
    response = ProblemWriter(lambda: 7).build(scope, error)
    return json.loads(bytes(response.body)), dict(response.headers)


def test_each_code_of_the_catalogue_makes_a_problem_with_an_error_status() -> None:
    for entry in get_entries():
        body, headers = build(ProblemError(entry.code))
        assert body["code"] == entry.code
        assert headers["content-type"] == "application/problem+json"
        if entry.status == 503:
            assert int(headers["retry-after"]) >= 1


def test_detail_holds_the_values_in_either_language() -> None:
    refusal = Refusal("balance_too_low", balance=5, amount=7)
    assert build(refusal)[0]["detail"] == "The balance does not allow this amount: balance=5, amount=7"
    assert build(refusal, "zh")[0]["detail"] == "余额不足：balance=5，amount=7"


def test_listed_errors_are_bounded() -> None:
    errors = tuple(FieldError(pointer=f"#/{number}", detail="wrong") for number in range(1_000))
    body, _ = build(ProblemError("parameter_invalid", errors=errors))
    assert isinstance(body["errors"], list)
    assert len(body["errors"]) == ERRORS_MAX


def test_optional_members_are_absent_where_they_do_not_apply() -> None:
    assert set(build(ProblemError("not_found"))[0]) == FIELDS
    assert build(ProblemError("expired", tx_id="ab"))[0]["tx_id"] == "ab"
