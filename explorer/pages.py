"""The few pages of this part: landing page, API reference, problem pages (api.md, Pages and OpenAPI).

Rendered on the server from packaged templates: no script, no third party, and the reference is made from the
OpenAPI document itself, so that it works in a closed network under a CSP that allows nothing but our own
style sheet.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from starlette.responses import Response

from chain.catalogue import get_entries, get_entry
from chain.genesis import compute_chain_id
from explorer.answering import CACHE_MOVING, JSON_MEDIA_TYPE, Answering
from explorer.parameters import NoQuery
from explorer.problems import ProblemError, choose_language, get_header

_FOLDER = Path(__file__).parent
HTML_MEDIA_TYPE = "text/html; charset=utf-8"
LANGUAGES = ("en", "zh")


def _check_language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError("must be en or zh")
    return value


Language = Annotated[str, AfterValidator(_check_language), WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})]


class PageViewQuery(NoQuery):
    """A request for a page."""

    lang: Annotated[Language | None, Field(description="Language, else as Accept-Language prefers.")] = None


ProblemCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]


def build_pages_router(answering: Answering, document: dict[str, object]) -> APIRouter:
    """Return the routes of pages, style sheet and OpenAPI document; they are not part of that document."""
    router = APIRouter(include_in_schema=False)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["pretty"] = _write_pretty
    style = (_FOLDER / "static" / "explorer.css").read_bytes()
    encoded = msgspec.json.encode(document)
    genesis = answering.reader.genesis
    common = {
        "chain_name": genesis.name,
        "chain_id": compute_chain_id(genesis).hex(),
        "is_development": bool(genesis.clock),
        "software_version": answering.settings.software_version,
    }

    def render(request: Request, query: PageViewQuery, template: str, **values: object) -> Response:
        language = query.lang or choose_language(get_header(request.scope, b"accept-language"))
        text = environment.get_template(template).render(
            **common, language=language, head=answering.reader.get_head(), **values
        )
        headers = {"content-language": language, "vary": "accept-language", "cache-control": CACHE_MOVING}
        return Response(text, headers={**headers, "content-type": HTML_MEDIA_TYPE})

    @router.get("/")
    async def show_start(request: Request, query: Annotated[PageViewQuery, Query()]) -> Response:
        return render(request, query, "start.html", operations=_list_operations(document))

    @router.get("/docs")
    async def show_docs(request: Request, query: Annotated[PageViewQuery, Query()]) -> Response:
        return render(request, query, "docs.html", document=document, operations=_list_operations(document))

    @router.get("/problems")
    async def show_problems(request: Request, query: Annotated[PageViewQuery, Query()]) -> Response:
        return render(request, query, "problems.html", entries=get_entries())

    @router.get("/problems/{code}")
    async def show_problem(
        request: Request,
        code: Annotated[ProblemCode, PathParameter()],
        query: Annotated[PageViewQuery, Query()],
    ) -> Response:
        if all(entry.code != code for entry in get_entries()):
            raise ProblemError("not_found", values={"problem": code})
        return render(request, query, "problem.html", entry=get_entry(code))

    @router.get("/openapi.json")
    async def get_document(request: Request, query: Annotated[NoQuery, Query()]) -> Response:
        del query
        return _serve(request, encoded, JSON_MEDIA_TYPE)

    @router.get("/static/explorer.css")
    async def get_style(request: Request, query: Annotated[NoQuery, Query()]) -> Response:
        del query
        return _serve(request, style, "text/css; charset=utf-8")

    return router


def _serve(request: Request, body: bytes, media_type: str) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": CACHE_MOVING, "content-type": media_type}
    if etag in get_header(request.scope, b"if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers)


def _write_pretty(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _list_operations(document: dict[str, object]) -> list[dict[str, object]]:
    """Return the operations of the document as one flat list for the templates."""
    paths = document["paths"]
    if not isinstance(paths, dict):
        raise TypeError("an OpenAPI document has paths")
    return [
        {"path": path, "method": method.upper(), **description}
        for path, methods in paths.items()
        for method, description in methods.items()
    ]
