"""The part of lxml.etree that node/bank uses; the library ships no types."""

from collections.abc import Iterator, Mapping

LIBXML_VERSION: tuple[int, int, int]

class XMLSyntaxError(SyntaxError):
    lineno: int | None
    msg: str

class XMLParser:
    def __init__(
        self,
        *,
        encoding: str | None = ...,
        resolve_entities: bool = ...,
        no_network: bool = ...,
        load_dtd: bool = ...,
        dtd_validation: bool = ...,
        attribute_defaults: bool = ...,
        huge_tree: bool = ...,
        recover: bool = ...,
        remove_comments: bool = ...,
        remove_pis: bool = ...,
        strip_cdata: bool = ...,
        collect_ids: bool = ...,
    ) -> None: ...

class _DocInfo:
    doctype: str

class _ElementTree:
    docinfo: _DocInfo

class _Element:
    tag: str
    text: str | None
    sourceline: int | None
    attrib: Mapping[str, str]
    def __iter__(self) -> Iterator[_Element]: ...
    def __len__(self) -> int: ...
    def get(self, name: str) -> str | None: ...
    def set(self, name: str, value: str) -> None: ...
    def getroottree(self) -> _ElementTree: ...

def fromstring(text: bytes, parser: XMLParser | None = ...) -> _Element: ...
def tostring(
    element: _Element, *, encoding: str = ..., xml_declaration: bool = ..., pretty_print: bool = ...
) -> bytes: ...
def Element(tag: str, *, nsmap: Mapping[str | None, str] | None = ...) -> _Element: ...
def SubElement(parent: _Element, tag: str) -> _Element: ...
