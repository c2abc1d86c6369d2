"""Java's serialization format, only to find where an object ends: JCEKS stores secret keys so, with no length.

No object is made, no class is looked up. Grammar: "Java Object Serialization Specification", section 6.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsers.interface import Unreadable

if TYPE_CHECKING:
    from parsers.cursor import Cursor

_HEADER = b"\xac\xed\x00\x05"
_FIRST_HANDLE = 0x7E0000
_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING, _ARRAY, _BLOCK, _END = 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x77, 0x78
_LONG_BLOCK, _LONG_STRING = 0x7A, 0x7C
_WRITES_MORE, _EXTERNAL = 0x01, 0x04
_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
_MAX_DEPTH = 20


def skip_object(cursor: Cursor) -> None:
    """Move past one serialized object. Raises `Unreadable`: "truncated" or "malformed"."""
    if cursor.take(4) != _HEADER:
        raise Unreadable("malformed")
    _Walk(cursor).content(0)


@dataclass
class _Class:
    name: str
    flags: int = 0
    fields: str = ""
    parent: _Class | None = None

    def lineage(self) -> list[_Class]:
        """The classes whose values an object carries, the ancestors first."""
        found: list[_Class] = []
        known: _Class | None = self
        while known is not None:
            if len(found) > _MAX_DEPTH:  # a class may name itself as its own parent
                raise Unreadable("malformed")
            found.insert(0, known)
            known = known.parent
        return found


class _Walk:
    """Keeps the handles of one stream, for classes that are referred to again."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._handles: list[_Class | None] = []

    def content(self, depth: int) -> int:
        """Go past one element and return its type code."""
        if depth > _MAX_DEPTH:
            raise Unreadable("malformed")
        code = self._cursor.u8()
        if code == _REFERENCE:
            self._cursor.skip(4)
        elif code in (_STRING, _LONG_STRING):
            self._handles.append(None)
            self._cursor.skip(self._cursor.u16() if code == _STRING else self._cursor.u64())
        elif code in (_BLOCK, _LONG_BLOCK):
            self._cursor.skip(self._cursor.u8() if code == _BLOCK else self._cursor.u32())
        elif code == _OBJECT:
            self._object(depth)
        elif code == _ARRAY:
            self._array(depth)
        elif code not in (_NULL, _END):
            raise Unreadable("malformed")
        return code

    def _object(self, depth: int) -> None:
        described = self._class(depth)
        self._handles.append(None)
        for ancestor in described.lineage() if described else ():
            if ancestor.flags & _EXTERNAL:
                raise Unreadable("malformed")
            for code in ancestor.fields:
                self._value(code, depth)
            if ancestor.flags & _WRITES_MORE:
                self._until_end(depth)

    def _array(self, depth: int) -> None:
        described = self._class(depth)
        self._handles.append(None)
        count = self._cursor.u32()
        if described is None or not described.name.startswith("["):
            raise Unreadable("malformed")
        size = _SIZES.get(described.name[1:2])
        if size:
            self._cursor.skip(count * size)
        else:
            for _ in range(count):
                self.content(depth + 1)

    def _class(self, depth: int) -> _Class | None:
        code = self._cursor.u8()
        if code == _NULL:
            return None
        if code == _REFERENCE:
            return self._known(self._cursor.u32() - _FIRST_HANDLE)
        if code != _CLASS or depth > _MAX_DEPTH:
            raise Unreadable("malformed")
        described = _Class(self._cursor.text())
        self._handles.append(described)
        self._cursor.skip(8)  # its version
        described.flags = self._cursor.u8()
        described.fields = "".join([self._field(depth) for _ in range(self._cursor.u16())])
        self._until_end(depth)
        described.parent = self._class(depth + 1)
        return described

    def _known(self, handle: int) -> _Class | None:
        if not 0 <= handle < len(self._handles):
            raise Unreadable("malformed")
        return self._handles[handle]

    def _field(self, depth: int) -> str:
        code = chr(self._cursor.u8())
        self._cursor.text()
        if code not in _SIZES:
            self.content(depth + 1)  # the name of its class
        return code

    def _value(self, code: str, depth: int) -> None:
        if code in _SIZES:
            self._cursor.skip(_SIZES[code])
        else:
            self.content(depth + 1)

    def _until_end(self, depth: int) -> None:
        while self.content(depth + 1) != _END:
            pass
