"""TOML tables to structs, field by field, so that every error names its field (conventions 16)."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from chain.errors import ConfigError
from node.files import read_file

TOML_BYTES_MAX = 1024 * 1024
S = TypeVar("S", bound=Struct)


def load_toml(path: Path) -> dict[str, object]:
    """Read a TOML file; raise `ConfigError` naming the file where it cannot be read or is no TOML."""
    return parse_toml(read_file(path, bytes_max=TOML_BYTES_MAX), path=path)


def parse_toml(content: bytes, *, path: Path) -> dict[str, object]:
    """Return the table of a file's content; raise `ConfigError` naming the file where it is no TOML."""
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(field=str(path), reason=f"is no TOML: {error}") from error


def convert_table(table: Mapping[str, object], struct: type[S], *, prefix: str = "") -> S:
    """Make a struct from a table; nested tables become nested structs.

    Raises `ConfigError` with the dotted name of the field that is unknown, missing, of the wrong type or
    out of its range.
    """
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    for name in table:
        if name not in fields:
            raise ConfigError(field=prefix + name, reason="there is no such field")
    values: dict[str, object] = {}
    for name, field in fields.items():
        if name not in table:
            if field.required:
                raise ConfigError(field=prefix + name, reason="is missing")
            continue
        values[name] = _convert_value(table[name], field.type, name=prefix + name)
    return struct(**values)


def convert_list(value: object, struct: type[S], *, name: str) -> tuple[S, ...]:
    """Make structs from an array of tables; errors name the place in it."""
    if not isinstance(value, list):
        raise ConfigError(field=name, reason="must be an array of tables")
    return tuple(_convert_struct(item, struct, name=f"{name}[{index}]") for index, item in enumerate(value))


def _convert_struct(value: object, struct: type[S], *, name: str) -> S:
    if not isinstance(value, dict):
        raise ConfigError(field=name, reason="must be a table")
    return convert_table(value, struct, prefix=f"{name}.")


def _convert_value(value: object, field_type: object, *, name: str) -> object:
    if isinstance(field_type, type) and issubclass(field_type, Struct):
        return _convert_struct(value, field_type, name=name)
    try:
        return msgspec.convert(value, type=field_type)
    except msgspec.ValidationError as error:
        raise ConfigError(field=name, reason=str(error)) from error
