"""The OpenAPI 3.1 document: paths and parameters from the routes, schemas from the answer records (api.md,
OpenAPI).

A record is at once what is sent, what is documented and what the examples are made of, so that they cannot
disagree. The notes under its fields become the descriptions.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import TypeAlias

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from msgspec import Struct

from chain.catalogue import get_entry
from explorer.operations import OPERATIONS, Operation
from explorer.problems import PROBLEM_MEDIA_TYPE, Problem

Json: TypeAlias = "Mapping[str, object]"
_REF_TEMPLATE = "#/components/schemas/{name}"
DESCRIPTION = (
    "Every answer carries Ledger-Height, Ledger-Root and Ledger-Time: the state that answered. Money is a "
    "decimal integer string in minor units. Times are block time. Unknown parameters are refused. Every "
    "error is a problem (RFC 9457) whose `code` is the same in ledger outcomes, client exceptions and on the "
    "command line. What would link a claim to a member is withheld."
)
LEDGER_HEADERS: dict[str, object] = {
    "Ledger-Height": {"description": "Height of the state that answered.", "schema": {"type": "integer"}},
    "Ledger-Root": {
        "description": "Root of that state.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "Ledger-Time": {
        "description": "Its block time; empty beyond the year 9999.",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {"description": "Names the request in the node's log.", "schema": {"type": "string"}},
}


def build_openapi(app: FastAPI) -> dict[str, object]:
    """Return the document of the routes that the application has; each must be listed in `OPERATIONS`."""
    document: dict[str, object] = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
    )
    paths = document["paths"]
    if not isinstance(paths, dict):
        raise TypeError("an OpenAPI document has paths")
    used: list[type[Struct]] = [Problem]
    for methods in paths.values():
        for description in methods.values():
            operation = OPERATIONS[description["operationId"]]
            description["responses"] = _build_responses(operation)
            used.extend(operation.get_types())
    document["components"] = {"schemas": build_schemas(tuple(dict.fromkeys(used)))}
    return document


def _build_responses(operation: Operation) -> dict[str, object]:
    responses: dict[str, object] = {}
    for answer in operation.answers:
        content: dict[str, object] = {answer.media_type: {"example": answer.example}}
        if isinstance(answer.example, Struct):
            name = type(answer.example).__name__
            content = {
                answer.media_type: {
                    "schema": {"$ref": _REF_TEMPLATE.format(name=name)},
                    "example": msgspec.to_builtins(answer.example),
                }
            }
        responses[str(answer.status)] = {
            "description": answer.description,
            "headers": {**LEDGER_HEADERS, **answer.headers},
            "content": content,
        }
    by_status: dict[int, list[str]] = {}
    for code in operation.problems:
        by_status.setdefault(get_entry(code).status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _build_problem_response(status, codes)
    return responses


def _build_problem_response(status: int, codes: list[str]) -> dict[str, object]:
    examples = {}
    for code in codes:
        entry = get_entry(code)
        problem = Problem(
            type=f"/problems/{code}",
            title=entry.title_en,
            status=status,
            detail=entry.title_en,
            code=code,
            retryable=entry.retryable,
            request_id="5f2c9a01d3be-17",
            ledger_height=4_711,
        )
        examples[code] = {"value": msgspec.to_builtins(problem)}
    return {
        "description": "; ".join(get_entry(code).title_en for code in codes),
        "headers": LEDGER_HEADERS,
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {"$ref": _REF_TEMPLATE.format(name="Problem")},
                "examples": examples,
            }
        },
    }


def build_schemas(types: tuple[type[Struct], ...]) -> dict[str, object]:
    """Return the JSON schemas of records and of all that they contain, with the notes of their fields."""
    _, components = msgspec.json.schema_components(types, schema_hook=_describe_any, ref_template=_REF_TEMPLATE)
    notes = {name: notes for kind in types for name, notes in _get_module_notes(kind.__module__).items()}
    schemas: dict[str, object] = {}
    for name, schema in sorted(components.items()):
        fields = notes.get(name, {})
        properties = {
            field: _add_note(dict(value), fields.get(field)) for field, value in schema.get("properties", {}).items()
        }
        schemas[name] = {**schema, "properties": properties, "additionalProperties": False}
    return schemas


def _describe_any(kind: type) -> dict[str, object]:
    """Return the schema of fields that depend on a call or an event: anything."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(f"{kind} has no schema")


def _add_note(schema: dict[str, object], note: str | None) -> dict[str, object]:
    if note is not None:
        schema["description"] = note
    return schema


@cache
def _get_module_notes(module: str) -> dict[str, dict[str, str]]:
    """Return the notes (strings under fields) of all records of a module and of the modules that it takes
    them from."""
    found: dict[str, dict[str, str]] = {}
    for source in _get_sources(sys.modules[module]):
        for node in ast.parse(source).body:
            if not isinstance(node, ast.ClassDef):
                continue
            fields: dict[str, str] = {}
            for statement, following in zip(node.body, node.body[1:], strict=False):
                match statement, following:
                    case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(note))):
                        fields[field] = " ".join(note.split())
                    case _:
                        pass
            found[node.name] = fields
    return found


def _get_sources(module: ModuleType) -> list[str]:
    names = {module.__name__}
    names.update(
        value.__module__
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__.startswith("explorer.")
    )
    return [inspect.getsource(sys.modules[name]) for name in sorted(names)]
