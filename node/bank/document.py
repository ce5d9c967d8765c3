"""ISO 20022 messages as trees: read from files that may be hostile, and asked strictly.

A message needs no document type, no entity and nothing from outside, so none is ever loaded: a file that declares one
is refused before it is parsed. Sizes are bounded before parsing. Every error names the file, the line, the element and
what is wrong with it. No schema files are shipped: the structure that we rely on is asked element by element, and what
we do not use may be there.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from lxml import etree

from chain.errors import ConfigError
from node.files import read_file

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A larger file is to be split by the bank's system: the whole message is held in memory."""
TEXT_MAX: Final = 2_000
"""Characters of one value; the longest that a message has are 140."""
ENCODINGS: Final = ("utf-8", "us-ascii", "gb2312", "gbk", "gb18030")
"""In each of them `<` is one byte that occurs in no other character, so a declaration cannot hide from `_FORBIDDEN`."""
_DECLARATION: Final = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_FORBIDDEN: Final = re.compile(rb"<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)")
_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
_DATE: Final = re.compile(r"^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?)?$", re.ASCII)
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Node:
    """One element of a message, which knows its place in the file."""

    __slots__ = ("_element", "file", "path")

    def __init__(self, element: etree._Element, *, file: str, path: str) -> None:
        self._element = element
        self.file = file
        self.path = path
        """Names of the elements from the message downwards."""

    @property
    def line(self) -> int:
        """Return the line on which the element begins."""
        return self._element.sourceline or 0

    def refuse(self, reason: str) -> ConfigError:
        """Return the error that says what is wrong with this element, and where it stands."""
        return ConfigError(field=f"{self.file}:{self.line} {self.path}", reason=reason)

    def list(self, name: str) -> list["Node"]:
        """Return the children of this name, in order."""
        return [child for child in self.iterate() if child.name == name]

    def find(self, path: str) -> "Node | None":
        """Return the only element under a path such as `Acct/Id/IBAN`, or None; raise where there are several."""
        place = self
        for name in path.split("/"):
            found = place.list(name)
            if not found:
                return None
            if len(found) > 1:
                raise found[1].refuse("stands here once only")
            place = found[0]
        return place

    def require(self, path: str) -> "Node":
        """Return the only element under a path; raise where it is missing."""
        found = self.find(path)
        if found is None:
            raise self.refuse(f"{path} is missing")
        return found

    @property
    def name(self) -> str:
        """Return the element's name without its namespace."""
        return self._element.tag.rpartition("}")[2]

    @property
    def text(self) -> str:
        """Return the element's text without white space around it; raise where it is empty, too long, or no text."""
        if len(self._element):
            raise self.refuse("holds elements where a value is expected")
        value = (self._element.text or "").strip()
        if not value:
            raise self.refuse("is empty")
        if len(value) > TEXT_MAX:
            raise self.refuse(f"is longer than {TEXT_MAX} characters")
        return value

    def get_text(self, path: str) -> str | None:
        """Return the text under a path, or None where the element is not there."""
        found = self.find(path)
        return None if found is None else found.text

    def get_attribute(self, name: str) -> str | None:
        """Return an attribute, or None."""
        return self._element.get(name)

    def read_day(self) -> int:
        """Return a date, or the date of a time as it is written (bank's own time), as a plan day."""
        holder = self.find("Dt") or self.find("DtTm")
        return self.read_date() if holder is None else holder.read_date()

    def read_date(self) -> int:
        """Return an ISO date, or the date part of an ISO time, as a plan day."""
        text = self.text
        match = _DATE.match(text)
        try:
            day = date.fromisoformat(match[1]).toordinal() - _EPOCH if match else -1
        except ValueError:
            day = -1
        if day < 0:
            raise self.refuse(f"{text!r} is no date")
        return day

    @property
    def is_midnight(self) -> bool:
        """Tell whether the text is a time of 0:00, which ends the day before."""
        match = _DATE.match(self.text)
        return match is not None and match[2] == "00:00:00"

    def iterate(self) -> Iterator["Node"]:
        """Yield the children in order."""
        for child in self._element:
            yield Node(child, file=self.file, path=f"{self.path}/{child.tag.rpartition('}')[2]}")


def load_message(path: Path, kinds: tuple[str, ...]) -> tuple[str, Node]:
    """Read the message of a file; return (kind, the element below Document).

    `kinds` are names such as `camt.053`; any version of them is read. Raises `ConfigError`.
    """
    return parse_message(read_file(path, bytes_max=FILE_BYTES_MAX), kinds, file=path.name)


def parse_message(content: bytes, kinds: tuple[str, ...], *, file: str) -> tuple[str, Node]:
    """Read a message from bytes, as `load_message`."""
    _validate_bytes(content, file)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ConfigError(field=f"{file}:{error.lineno or 0}", reason=f"is no well-formed XML: {error.msg}") from error
    document = Node(root, file=file, path="Document")
    if root.getroottree().docinfo.doctype:
        raise document.refuse("has a document type")
    namespace, _, name = root.tag.rpartition("}")
    kind = ".".join(namespace.removeprefix("{" + _NAMESPACE).split(".")[:2])
    if name != "Document" or not namespace.startswith("{" + _NAMESPACE) or kind not in kinds:
        raise document.refuse(f"is {root.tag!r:.120}, not a Document of {' or '.join(kinds)}")
    children = list(document.iterate())
    if len(children) != 1:
        raise document.refuse(f"holds {len(children)} messages, not one")
    return kind, children[0]


def _validate_bytes(content: bytes, file: str) -> None:
    """Raise for bytes in which a document type could hide, or that have one."""
    if b"\x00" in content[:4_096] or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(field=file, reason="is not in UTF-8 or GB18030")
    declared = _DECLARATION.match(content.removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and declared[1].decode().lower() not in ENCODINGS:
        raise ConfigError(field=file, reason=f"is in {declared[1].decode()}, not in UTF-8 or GB18030")
    forbidden = _FORBIDDEN.search(content)
    if forbidden is not None:
        line = content.count(b"\n", 0, forbidden.start()) + 1
        raise ConfigError(field=f"{file}:{line}", reason=f"{forbidden[0].decode()} has no place in such a message")
