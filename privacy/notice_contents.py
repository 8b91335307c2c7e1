"""What a version of the privacy policy says, as data: read strictly, and written in one way only (C76, C82).

A content is JSON: what `Content` has, by the names of `_MEMBERS`. Its canonical text is that JSON with sorted keys and
without spaces; the digest, which consents and agreements name, is the SHA-256 of it. Purposes, categories and kinds of
recipients are words of the stored vocabulary; `BROKER` is the brokerage itself.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from authz.law import Function
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose, from_bits, to_bits

LONGEST = 2_000
"""Characters of a short text."""
LONGEST_CLAUSE = 20_000
MOST = 500
"""Items of one list."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,23}")
_MEMBERS = (
    "version",
    "effectiveOn",
    "summary",
    "mode",
    "controller",
    "responsible",
    "functions",
    "rights",
    "clauses",
)
_One = TypeVar("_One")


class NoticeError(Exception):
    """Why a content is refused: which member, and what it should be."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who answers for it (C76, 九5): a department or office, how to reach it, where, and where to complain."""

    department: str
    contact: str
    address: str
    complaints: str


@dataclass(frozen=True, slots=True)
class Told:
    """One function: which categories (a stored set) a kind of recipient processes for a purpose, and how."""

    purpose: Purpose
    recipient: OrganizationKind
    categories: int
    use: str

    @property
    def function(self) -> Function:
        """What names it."""
        return self.purpose, self.recipient


@dataclass(frozen=True, slots=True)
class Right:
    """One right of the data subject, and how to use it."""

    name: str
    how: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the text, by its number in the policy (一(一)1)."""

    number: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """What one version says. No function, right or clause stands in it twice."""

    version: str
    effective_on: date
    summary: str
    mode: str
    controller: str
    responsible: Party
    functions: tuple[Told, ...]
    rights: tuple[Right, ...]
    clauses: tuple[Clause, ...]

    @property
    def told(self) -> dict[Function, int]:
        """The categories by function."""
        return {one.function: one.categories for one in self.functions}

    @property
    def json(self) -> dict[str, Any]:
        """It as plain values, as `read_content` takes them."""
        return {
            "version": self.version,
            "effectiveOn": self.effective_on.isoformat(),
            "summary": self.summary,
            "mode": self.mode,
            "controller": self.controller,
            "responsible": _named(self.responsible, *Party.__slots__),
            "functions": [
                {
                    "purpose": one.purpose.value,
                    "recipient": one.recipient.value,
                    "categories": [category.value for category in from_bits(one.categories)],
                    "use": one.use,
                }
                for one in self.functions
            ],
            "rights": [_named(one, *Right.__slots__) for one in self.rights],
            "clauses": [_named(one, *Clause.__slots__) for one in self.clauses],
        }

    @property
    def text(self) -> str:
        """The canonical text."""
        return json.dumps(self.json, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def parse_content(text: str) -> Content:
    """A content from its JSON. Raises NoticeError."""
    try:
        return read_content(json.loads(text, object_pairs_hook=_once))
    except (ValueError, RecursionError):
        message = "The notice is no JSON: give one object in UTF-8."
        raise NoticeError(message) from None


def read_content(given: Any) -> Content:  # noqa: ANN401 - any JSON
    """A content from plain values. Raises NoticeError for whatever is missing, unknown, doubled or no such value."""
    told = _object(given, _MEMBERS, "the notice")
    version = _text(told["version"], "version")
    if not _VERSION.fullmatch(version):
        raise _refused("version", "1 to 24 letters, digits, dots and hyphens, such as 2026-12-01")
    functions = _all(told["functions"], "functions", _function)
    _alone("functions", [f"{one.purpose}, {one.recipient}" for one in functions])
    rights = _all(told["rights"], "rights", _right)
    _alone("rights", [one.name for one in rights])
    clauses = _all(told["clauses"], "clauses", _clause)
    _alone("clauses", [one.number for one in clauses])
    responsible = _object(told["responsible"], Party.__slots__, "responsible")
    return Content(
        version,
        _day(told["effectiveOn"]),
        _text(told["summary"], "summary"),
        _text(told["mode"], "mode"),
        _text(told["controller"], "controller"),
        Party(**{name: _text(responsible[name], f"responsible.{name}") for name in Party.__slots__}),
        functions,
        rights,
        clauses,
    )


def _function(given: Any, place: str) -> Told:  # noqa: ANN401 - any JSON
    told = _object(given, ("purpose", "recipient", "categories", "use"), place)
    categories = [
        _word(Category, one, f"{place}.categories") for one in _list(told["categories"], f"{place}.categories")
    ]
    _alone(f"{place}.categories", categories)
    return Told(
        _word(Purpose, told["purpose"], f"{place}.purpose"),
        _word(OrganizationKind, told["recipient"], f"{place}.recipient"),
        to_bits(set(categories)),
        _text(told["use"], f"{place}.use"),
    )


def _right(given: Any, place: str) -> Right:  # noqa: ANN401 - any JSON
    told = _object(given, Right.__slots__, place)
    return Right(**{name: _text(told[name], f"{place}.{name}") for name in Right.__slots__})


def _clause(given: Any, place: str) -> Clause:  # noqa: ANN401 - any JSON
    told = _object(given, Clause.__slots__, place)
    return Clause(
        _text(told["number"], f"{place}.number"),
        _text(told["title"], f"{place}.title"),
        _text(told["text"], f"{place}.text", longest=LONGEST_CLAUSE),
    )


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "A member stands twice in one object of the notice: keep one."
        raise NoticeError(message)
    return found


def _object(given: Any, names: Sequence[str], place: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise _refused(place, f"an object with exactly {', '.join(names)}")
    return given


def _list(given: Any, place: str) -> Sequence[Any]:  # noqa: ANN401 - any JSON
    if not isinstance(given, list) or not 1 <= len(given) <= MOST:
        raise _refused(place, f"a list of 1 to {MOST} items")
    return given


def _all(given: Any, place: str, read: Callable[[Any, str], _One]) -> tuple[_One, ...]:  # noqa: ANN401 - any JSON
    return tuple(read(one, f"{place}[{number}]") for number, one in enumerate(_list(given, place)))


def _text(given: Any, place: str, *, longest: int = LONGEST) -> str:  # noqa: ANN401 - any JSON
    if not isinstance(given, str) or given != given.strip() or not 1 <= len(given) <= longest or not _plain(given):
        raise _refused(place, f"a text of 1 to {longest} characters without space at its ends")
    return given


def _plain(text: str) -> bool:
    """Can it be stored and shown? Neither control characters but line ends, nor halves of letters."""
    return all(letter == "\n" or letter >= " " for letter in text) and not re.search("[\x7f-\x9f\ud800-\udfff]", text)


def _day(given: Any) -> date:  # noqa: ANN401 - any JSON
    expected = "a date such as 2026-12-01"
    if not isinstance(given, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        raise _refused("effectiveOn", expected)
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise _refused("effectiveOn", expected) from None


def _word(words: Callable[[Any], _One], given: Any, place: str) -> _One:  # noqa: ANN401 - any JSON
    try:
        return words(given)
    except ValueError:
        raise _refused(place, "a word of the vocabulary, spelled as in docs/notices.md") from None


def _alone(place: str, names: Sequence[str]) -> None:
    doubled = sorted({one for one in names if names.count(one) > 1})
    if doubled:
        raise NoticeError(f"{place} names {doubled[0]!r} twice: keep one.")


def _named(one: object, *names: str) -> dict[str, str]:
    return {name: getattr(one, name) for name in names}


def _refused(place: str, expected: str) -> NoticeError:
    return NoticeError(f"{place} must be {expected}.")
