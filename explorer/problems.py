"""Problem details for every error (RFC 9457): one form, one catalogue, one place (api.md, Errors).

Everything that goes wrong becomes a `ProblemError` and is rendered here: refused parameters, unknown paths,
wrong methods, limits, and the node's own failures, of which nothing but the code is told.
"""

from collections.abc import Callable, Mapping

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, Struct, UnsetType
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from chain.catalogue import Entry
from chain.errors import GongjiError
from explorer.represent import JsonObject

PROBLEM_MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 20
"""Faults that one problem lists; the rest would only help to guess."""
ERRORS_TEXT_MAX = 400
"""Characters of them in its sentence."""
POINTER_PART_MAX = 64
"""Characters of one name in a pointer: what a caller made up is shown, but not at any length."""
PATH_SHOWN_MAX = 200
_CODE_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "media_type",
}


class FieldError(Struct, frozen=True):
    """One value that is wrong."""

    pointer: str
    """JSON pointer (RFC 6901, as a fragment) into the request: #/query/limit, #/path/height,
    #/body/signed_tx; made by `build_pointer`."""
    detail: str
    """What is wrong with it."""


class Problem(Struct, frozen=True):
    """An error as every answer shows it (RFC 9457)."""

    type: str
    """Page that explains the code, served by the same node."""
    title: str
    """Short title, in the language that Accept-Language prefers (en, zh)."""
    status: int
    """HTTP status, the same as in the status line."""
    detail: str
    """What happened, with the values."""
    code: str
    """Stable name of the cause: the same in ledger outcomes, client exceptions and on the command line."""
    retryable: bool
    """Whether the same request can succeed later without a change."""
    request_id: str
    """Names this request in the node's log."""
    ledger_height: int
    """Height of the node's head."""
    errors: list[FieldError] | UnsetType = UNSET
    """Which values are wrong."""
    tx_id: str | UnsetType = UNSET
    """The transaction that the request was about, wherever it is known."""
    conditions: list[JsonObject] | UnsetType = UNSET
    """Conditions of readiness, met and unmet (/readyz only)."""


class ProblemError(GongjiError):
    """A refusal of one HTTP request, with what only HTTP needs to tell.

    Without `values` of its own its sentence names what is wrong and where, from `errors`.
    """

    def __init__(
        self,
        code: str,
        *,
        errors: tuple[FieldError, ...] = (),
        tx_id: str | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        conditions: list[JsonObject] | None = None,
        values: Mapping[str, str | int] | None = None,
    ) -> None:
        listed = "; ".join(f"{item.pointer}: {item.detail}" for item in errors[:ERRORS_MAX])
        super().__init__(code, **(values or ({"errors": listed[:ERRORS_TEXT_MAX]} if errors else {})))
        self.errors = errors
        self.tx_id = tx_id
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.conditions = conditions


def choose_language(accept_language: str) -> str:
    """Return "zh" or "en", whichever an Accept-Language header (RFC 9110) prefers; "en" where it names
    neither."""
    best = ("en", 0.0)
    for part in accept_language[:200].split(","):
        tag, _, weight = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language not in {"en", "zh"}:
            continue
        quality = _parse_quality(weight.strip())
        if quality > best[1]:
            best = (language, quality)
    return best[0]


def _parse_quality(weight: str) -> float:
    if not weight.startswith("q="):
        return 1.0
    digits = weight[2:6].replace(".", "", 1)
    return float(weight[2:7]) if digits.isdecimal() and digits.isascii() else 0.0


def get_header(scope: Scope, name: bytes) -> str:
    """Return a request header (the first, ISO 8859-1), empty where there is none."""
    headers = scope["headers"]
    if isinstance(headers, list):
        for key, value in headers:
            if key == name:
                return bytes(value).decode("latin-1")
    return ""


class ProblemWriter:
    """Turns errors into answers."""

    def __init__(self, get_height: Callable[[], int]) -> None:
        self._get_height = get_height

    def build(self, scope: Scope, error: GongjiError) -> Response:
        """Return the problem details of an error."""
        language = choose_language(get_header(scope, b"accept-language"))
        entry = error.entry
        headers = {
            "content-language": language,
            "vary": "accept-language",
            "cache-control": "no-store",
        }
        extra: dict[str, object] = {}
        retry_after_s: int | None = 1 if entry.status == 503 else None
        if isinstance(error, ProblemError):
            headers.update(error.headers)
            retry_after_s = retry_after_s if error.retry_after_s is None else error.retry_after_s
            if error.errors:
                extra["errors"] = list(error.errors[:ERRORS_MAX])
            if error.tx_id is not None:
                extra["tx_id"] = error.tx_id
            if error.conditions is not None:
                extra["conditions"] = error.conditions
        if retry_after_s is not None:
            headers["retry-after"] = str(retry_after_s)
        problem = Problem(
            type=f"/problems/{entry.code}",
            title=entry.title_zh if language == "zh" else entry.title_en,
            status=entry.status,
            detail=_write_detail(error, language),
            code=entry.code,
            retryable=entry.retryable,
            request_id=str(scope.get("request_id", "")),
            ledger_height=self._get_height(),
        )
        body = msgspec.json.encode(msgspec.structs.replace(problem, **extra) if extra else problem)
        return Response(body, status_code=_get_status(entry), headers=headers, media_type=PROBLEM_MEDIA_TYPE)


def _write_detail(error: GongjiError, language: str) -> str:
    if language == "en":
        return error.detail
    listed = "，".join(f"{name}={value}" for name, value in error.values.items())
    return f"{error.entry.title_zh}：{listed}" if listed else error.entry.title_zh


def _get_status(entry: Entry) -> int:
    # `success` and `already` are outcomes, never problems; whoever raises them as one made a mistake of ours.
    return entry.status if entry.status >= 400 else 500


def convert_http_error(error: HTTPException, scope: Scope) -> ProblemError:
    """Return the problem behind an error of the web framework: unknown path, wrong method."""
    code = _CODE_BY_STATUS.get(error.status_code)
    if code is None:
        code = "internal" if error.status_code >= 500 else "parameter_invalid"
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    path = "".join(letter if letter.isprintable() else "?" for letter in scope["path"][:PATH_SHOWN_MAX])
    values: dict[str, str | int] = {"method": scope["method"], "path": path}
    values |= {"allowed": headers["allow"]} if "allow" in headers else {"routes": "/openapi.json"}
    return ProblemError(code, headers=headers, values=values)


def build_pointer(*parts: str | int) -> str:
    """Return the JSON pointer of a place in the request: "query", "path" or "body", then names and indexes."""
    return "#/" + "/".join(str(part)[:POINTER_PART_MAX].replace("~", "~0").replace("/", "~1") for part in parts)


def convert_validation_error(error: RequestValidationError) -> ProblemError:
    """Return the problem behind refused parameters: one code, and a pointer for each."""
    faults = error.errors()
    is_unknown = all(fault["type"] == "extra_forbidden" for fault in faults)
    errors = []
    for fault in faults[:ERRORS_MAX]:
        location = [str(part) for part in fault["loc"] if not str(part).startswith("function-")]
        detail = (
            "there is no such parameter"
            if fault["type"] == "extra_forbidden"
            else str(fault["msg"]).removeprefix("Value error, ")
        )
        errors.append(FieldError(pointer=build_pointer(*location), detail=detail))
    return ProblemError("parameter_unknown" if is_unknown else "parameter_invalid", errors=tuple(errors))
