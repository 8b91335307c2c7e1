"""The head of one HTTP request, read once: the same questions as of Starlette's, at a fraction of their cost."""

from collections.abc import Iterable, MutableMapping
from typing import Any, Protocol, overload


class Fields(Protocol):
    """The fields of a head by name, in lower case."""

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, default: str, /) -> str: ...

    def getlist(self, key: str, /) -> list[str]:
        """Every value of a field."""

    def __contains__(self, key: object, /) -> bool: ...


class Asking(Protocol):
    """An HTTP request as far as its head goes: Starlette's, or one of these."""

    @property
    def scope(self) -> MutableMapping[str, Any]:
        """As ASGI has it."""

    @property
    def method(self) -> str:
        """In capitals."""

    @property
    def headers(self) -> Fields:
        """The fields."""


class HeadFields:
    """Fields as ASGI has them: names in lower case, and names and values in Latin-1."""

    __slots__ = ("_first", "_raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = list(raw)
        self._first = dict(reversed(self._raw))

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, default: str, /) -> str: ...

    def get(self, key: str, default: str | None = None, /) -> str | None:
        """The first value of a field, or what stands for none."""
        found = self._first.get(key.encode("latin-1"))
        return default if found is None else found.decode("latin-1")

    def getlist(self, key: str, /) -> list[str]:
        """Every value of a field, in order."""
        name = key.encode("latin-1")
        return [value.decode("latin-1") for one, value in self._raw if one == name]

    def __contains__(self, key: object, /) -> bool:
        return isinstance(key, str) and key.encode("latin-1") in self._first

    @property
    def repeats(self) -> bool:
        """Does any field stand twice?"""
        return len(self._first) != len(self._raw)


class Head:
    """A request of an ASGI scope."""

    __slots__ = ("headers", "method", "scope", "waited")

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers = HeadFields(scope["headers"])
        self.waited = 0.0
        """Seconds that were spent on waiting for the body."""
