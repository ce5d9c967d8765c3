"""From the JSON of a call to the call: the way back of represent.py, for callers without MessagePack.

What the API shows, it takes: money objects, hex, ISO dates and words. Numbers are taken as numbers or decimal strings,
never as floats. Every mistake is told with its place (a JSON pointer), all of them at once.
"""

import re
from datetime import date
from typing import Final, get_args

import msgspec
from msgspec import Struct, inspect

from chain.codec import Codec
from chain.contract.calls import Call
from explorer.problems import ERRORS_MAX, FieldError, ProblemError, build_pointer
from explorer.represent import CURRENCY, DAY_FIELDS, MONEY_FIELDS, SCALE, get_names

NAME: Final = "name"
"""Field that says which call it is; in a proposal's payload, whose own fields may have a name, it is `kind`."""
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_call_codec: Codec[Call] = Codec(Call, 65_536, "call")


def _list_calls(union: object) -> dict[str, inspect.StructType]:
    found: dict[str, inspect.StructType] = {}
    for kind in get_args(union):
        if isinstance(kind, type) and issubclass(kind, Struct):
            info = inspect.type_info(kind)
            if isinstance(info, inspect.StructType):
                found[str(info.tag)] = info
        else:
            found.update(_list_calls(kind))
    return found


_CALLS: Final = _list_calls(Call)


def describe_calls() -> list[tuple[str, list[str]]]:
    """Return the calls by name, each with a line for each of its fields, for people."""
    return [
        (call, [f"    {field.name}: {_describe(field.type, field.name, call=call)}" for field in info.fields])
        for call, info in sorted(_CALLS.items())
    ]


def _describe(info: inspect.Type, name: str, *, call: str) -> str:
    match info:
        case inspect.UnionType():
            kinds = [_describe(item, name, call=call) for item in info.types if not isinstance(item, inspect.NoneType)]
            return " | ".join(kinds) + (" | null" if _is_optional(info) else "")
        case inspect.StructType():
            fields = ", ".join(f"{field.name}: {_describe(field.type, field.name, call=call)}" for field in info.fields)
            return "{" + (f"kind: {info.tag}, " if info.tag else "") + fields + "}"
        case inspect.VarTupleType() | inspect.ListType():
            return "[" + _describe(info.item_type, name, call=call) + ", ...]"
        case inspect.BytesType():
            return f"{2 * (info.min_length or 0)} hex digits"
        case inspect.IntType():
            names = get_names(name, subject=call)
            return "|".join(names) if names else _describe_integer(name, ()).removeprefix("must be ")
        case inspect.BoolType():
            return "true|false"
        case _:
            return "text"


class _Reading:
    """One call that is read: its name, on which some words depend, and what is wrong with it, by place."""

    def __init__(self, call: str) -> None:
        self.call = call
        self.errors: list[FieldError] = []

    def note(self, pointer: str, detail: str) -> None:
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(FieldError(pointer=pointer, detail=detail))


def parse_call(value: object, *, pointer: str = "#/body/call") -> Call:
    """Return the call that a JSON object describes; raise `ProblemError` malformed with every mistake's place."""
    name = value.get(NAME) if isinstance(value, dict) else None
    info = _CALLS.get(name) if isinstance(name, str) else None
    reading = _Reading(str(name))
    if info is None:
        reading.note(f"{pointer}/{NAME}", "must be the name of a call, such as member_leave")
        raise _refuse(reading)
    rest = {key: item for key, item in value.items() if key != NAME} if isinstance(value, dict) else {}
    array = _read_struct(rest, info, pointer=pointer, reading=reading)
    if reading.errors:
        raise _refuse(reading)
    try:
        return _call_codec.decode(msgspec.msgpack.encode(array))
    except msgspec.ValidationError as error:
        reading.note(pointer, str(error))
        raise _refuse(reading) from None


def _refuse(reading: _Reading) -> ProblemError:
    return ProblemError("malformed", errors=tuple(reading.errors))


def _read_struct(value: object, info: inspect.StructType, *, pointer: str, reading: _Reading) -> list[object]:
    if not isinstance(value, dict):
        reading.note(pointer, "must be an object")
        return []
    names = [field.name for field in info.fields]
    for name in value:
        if name not in names:
            reading.note(pointer + build_pointer(name).removeprefix("#"), "there is no such field")
    array: list[object] = [] if info.tag is None else [info.tag]
    for field in info.fields:
        place = f"{pointer}/{field.name}"
        if field.name not in value:
            if isinstance(field.type, inspect.UnionType) and _is_optional(field.type):
                array.append(None)
            else:
                reading.note(place, "is missing")
            continue
        array.append(_read(value[field.name], field.type, name=field.name, pointer=place, reading=reading))
    return array


def _is_optional(info: inspect.UnionType) -> bool:
    return any(isinstance(item, inspect.NoneType) for item in info.types)


def _read(value: object, info: inspect.Type, *, name: str, pointer: str, reading: _Reading) -> object:
    match info:
        case inspect.UnionType():
            return _read_union(value, info, name=name, pointer=pointer, reading=reading)
        case inspect.StructType():
            return _read_struct(value, info, pointer=pointer, reading=reading)
        case inspect.VarTupleType() | inspect.ListType():
            return _read_list(value, info, name=name, pointer=pointer, reading=reading)
        case inspect.BytesType():
            return _read_bytes(value, info, pointer=pointer, reading=reading)
        case inspect.IntType():
            return _read_integer(value, info, name=name, pointer=pointer, reading=reading)
        case inspect.BoolType():
            if isinstance(value, bool):
                return value
            reading.note(pointer, "must be true or false")
        case inspect.StrType():
            return _read_text(value, info, pointer=pointer, reading=reading)
        case _:
            reading.note(pointer, "cannot be given as JSON")
    return None


def _read_union(value: object, info: inspect.UnionType, *, name: str, pointer: str, reading: _Reading) -> object:
    if value is None and _is_optional(info):
        return None
    kinds = [item for item in info.types if not isinstance(item, inspect.NoneType)]
    structs = {str(item.tag): item for item in kinds if isinstance(item, inspect.StructType)}
    if not structs:
        return _read(value, kinds[0], name=name, pointer=pointer, reading=reading)
    kind = value.get("kind") if isinstance(value, dict) else None
    chosen = structs.get(kind) if isinstance(kind, str) else None
    if chosen is None or not isinstance(value, dict):
        reading.note(f"{pointer}/kind", "must be one of " + ", ".join(sorted(structs)))
        return None
    rest = {key: item for key, item in value.items() if key != "kind"}
    return _read_struct(rest, chosen, pointer=pointer, reading=reading)


def _read_list(
    value: object, info: inspect.VarTupleType | inspect.ListType, *, name: str, pointer: str, reading: _Reading
) -> list[object]:
    if not isinstance(value, list):
        reading.note(pointer, "must be a list")
        return []
    least, most = info.min_length or 0, info.max_length
    if len(value) < least or (most is not None and len(value) > most):
        reading.note(pointer, f"must have {least} to {most} items")
        return []
    return [
        _read(item, info.item_type, name=name, pointer=f"{pointer}/{number}", reading=reading)
        for number, item in enumerate(value)
    ]


def _read_bytes(value: object, info: inspect.BytesType, *, pointer: str, reading: _Reading) -> bytes:
    if not isinstance(value, str) or not _HEX.match(value):
        count = "" if info.min_length is None else f"{2 * info.min_length} "
        reading.note(pointer, f"must be {count}lower-case hex digits")
        return b""
    data = bytes.fromhex(value)
    if info.min_length is not None and len(data) != info.min_length:
        reading.note(pointer, f"must have {2 * info.min_length} hex digits")
    return data


def _read_integer(value: object, info: inspect.IntType, *, name: str, pointer: str, reading: _Reading) -> int | None:
    names = get_names(name, subject=reading.call)
    number = _to_integer(value, name, names)
    if number is None:
        reading.note(pointer, _describe_integer(name, names))
        return None
    least, most = info.ge, info.le
    if (least is not None and number < least) or (most is not None and number > most):
        reading.note(pointer, f"must be from {least} to {most}")
    return number


def _to_integer(value: object, name: str, names: tuple[str, ...] = ()) -> int | None:
    if isinstance(value, bool):
        return None
    if value is None:
        # The API shows null for the plan day 0, which says that there is none.
        return 0 if _is_day(name) else None
    if isinstance(value, int):
        return value
    if isinstance(value, dict) and name in MONEY_FIELDS:
        is_known = value.get("currency") == CURRENCY and value.get("scale") == SCALE and len(value) == 3
        return _to_integer(value.get("amount"), "") if is_known else None
    if not isinstance(value, str):
        return None
    if _DECIMAL.match(value):
        return int(value)
    if value in names:
        return names.index(value)
    if _is_day(name) and _DATE.match(value):
        try:
            return date.fromisoformat(value).toordinal() - _EPOCH_ORDINAL
        except ValueError:
            return None
    return None


def _is_day(name: str) -> bool:
    return name in DAY_FIELDS or name.endswith("_day")


def _describe_integer(name: str, names: tuple[str, ...]) -> str:
    if names:
        return "must be one of " + ", ".join(names)
    if _is_day(name):
        return "must be a date YYYY-MM-DD or a plan day"
    if name in MONEY_FIELDS:
        return "must be fen as a number, as a decimal string, or as a money object"
    return "must be an integer, as a number or as a decimal string"


def _read_text(value: object, info: inspect.StrType, *, pointer: str, reading: _Reading) -> str:
    if not isinstance(value, str):
        reading.note(pointer, "must be text")
        return ""
    if info.pattern is not None and re.search(info.pattern, value) is None:
        reading.note(pointer, f"must match {info.pattern}")
    if len(value) < (info.min_length or 0) or (info.max_length is not None and len(value) > info.max_length):
        reading.note(pointer, f"must have {info.min_length or 0} to {info.max_length} characters")
    return value
