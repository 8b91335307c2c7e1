"""Authorization details: what a client asks its token to allow (RFC 9396), one object of type `insurance_data`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from authz.caveats import Caveat, Until, read_caveats
from authz.oauth.problems import OAuthRefusedError, Problem
from authz.tokens import DETAIL_TYPE
from models.vocabulary import Category, Purpose, to_bits

_OWN = frozenset({"type", "purposes", "categories"})
_Name = TypeVar("_Name", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Details:
    """What is asked for; `categories` is a stored set (`to_bits`)."""

    purposes: tuple[Purpose, ...]
    categories: int
    caveats: tuple[Caveat, ...] = ()

    @property
    def ends(self) -> int | None:
        """When the token asked for must end at the latest, in seconds since the epoch."""
        return next((caveat.at for caveat in self.caveats if isinstance(caveat, Until)), None)


def read_details(text: str) -> Details:
    """Read the parameter `authorization_details`. Raises OAuthRefusedError for anything not understood."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise refused_details("authorization_details is not JSON") from None
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise refused_details("authorization_details is a JSON list of exactly one object")
    return _read(given[0])


def _read(detail: Mapping[str, Any]) -> Details:
    if detail.get("type") != DETAIL_TYPE:
        raise refused_details(f"the only type of authorization details is {DETAIL_TYPE}")
    purposes = _names(detail, "purposes", Purpose)
    if not purposes:
        raise refused_details("purposes must name at least one purpose")
    try:
        caveats = read_caveats({name: value for name, value in detail.items() if name not in _OWN})
    except ValueError:
        raise refused_details(
            "beside type, purposes and categories there may be policies or products (1 to 100 names), until (seconds),"
            " row_ceiling (a whole number) and mask_only (true)"
        ) from None
    return Details(purposes, to_bits(set(_names(detail, "categories", Category))), caveats)


def _names(detail: Mapping[str, Any], member: str, vocabulary: type[_Name]) -> tuple[_Name, ...]:
    given, known = detail.get(member), {name.value: name for name in vocabulary}
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise refused_details(f"{member} must be a list of names")
    if not known.keys() >= set(given):
        raise refused_details(f"{member} names one that there is not; there are {', '.join(known)}")
    return tuple(known[one] for one in dict.fromkeys(given))


def refused_details(why: str) -> OAuthRefusedError:
    """Refuse what was asked for."""
    return OAuthRefusedError(Problem.INVALID_DETAILS, f"{why[0].upper()}{why[1:]}.")
