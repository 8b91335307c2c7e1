"""Caveats: what narrows a token beyond purposes and categories, as members of its RFC 9396 authorization detail.

    policies     list of policy numbers: no other policy, nor what hangs on it, exists for this token
    products     list of product codes: likewise
    until        seconds since the epoch: refused from then on
    row_ceiling  number of rows whose sensitive fields the token may be shown in its life
    mask_only    true: nothing is revealed; what has a masked form is masked

A member that is not one of these refuses the token: what is not understood may narrow what the others grant.
Each caveat verifies one use of the token; a token's use is within it only if it is within every caveat.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.vocabulary import Effect, Reason

MOST_NAMES = 100
"""Policies or products that one token may name."""
MOST_ROWS = 1_000_000_000
"""The highest ceiling of rows: well within what its counter holds."""
_LONGEST_NAME = 32
_LATEST = 2**53 - 1
"""The largest whole number that every reader of JSON agrees on (RFC 8259)."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a token: what of it each caveat looks at."""

    now: int = 0
    """Seconds since the epoch."""
    policy: str | None = None
    """The number of the policy by which the row exists; None for a row of no policy."""
    product: str | None = None
    """The code of that policy's product."""
    rows: int = 0
    """Rows shown over the token's life, with this one."""
    effect: Effect = Effect.DENY
    """What the cell is asked to be shown as."""


@dataclass(frozen=True, slots=True)
class OnlyPolicies:
    """Only these policies, by number, and what hangs on them."""

    numbers: tuple[str, ...]

    def verify(self, use: Use) -> Reason | None:
        """Is the row one of these policies', or TOKEN_SCOPE?"""
        return None if use.policy in self.numbers else Reason.TOKEN_SCOPE


@dataclass(frozen=True, slots=True)
class OnlyProducts:
    """Only policies of these products, by code, and what hangs on them."""

    codes: tuple[str, ...]

    def verify(self, use: Use) -> Reason | None:
        """Is the row one of these products' policies', or TOKEN_SCOPE?"""
        return None if use.product in self.codes else Reason.TOKEN_SCOPE


@dataclass(frozen=True, slots=True)
class Until:
    """Until a time, in seconds since the epoch, and no longer."""

    at: int

    def verify(self, use: Use) -> Reason | None:
        """Is it earlier, or TOKEN_SCOPE? The time itself is too late."""
        return None if use.now < self.at else Reason.TOKEN_SCOPE


@dataclass(frozen=True, slots=True)
class RowCeiling:
    """At most so many rows with sensitive fields shown, over the token's life."""

    rows: int

    def verify(self, use: Use) -> Reason | None:
        """Is the row still under the ceiling, or LIMIT?"""
        return None if use.rows <= self.rows else Reason.LIMIT


@dataclass(frozen=True, slots=True)
class MaskOnly:
    """Masked values and no revealed ones."""

    def verify(self, use: Use) -> Reason | None:
        """Is no more than a masked value asked for, or TOKEN_SCOPE?"""
        return None if use.effect <= Effect.MASK else Reason.TOKEN_SCOPE


Caveat = OnlyPolicies | OnlyProducts | Until | RowCeiling | MaskOnly


def read_caveats(members: Mapping[str, Any]) -> tuple[Caveat, ...]:
    """The caveats of an authorization detail's members. Raises ValueError for anything not understood."""
    unknown = members.keys() - _READERS.keys()
    if unknown or {"policies", "products"} <= members.keys():
        message = "a member that is not understood, or both policies and products"
        raise ValueError(message)
    return tuple(read(members[name]) for name, read in _READERS.items() if name in members)


def write_caveats(caveats: tuple[Caveat, ...]) -> dict[str, Any]:
    """The members that stand for these caveats; `read_caveats` reads them back."""
    return dict(_member(caveat) for caveat in caveats)


def _member(caveat: Caveat) -> tuple[str, Any]:
    match caveat:
        case OnlyPolicies(numbers):
            return "policies", list(numbers)
        case OnlyProducts(codes):
            return "products", list(codes)
        case Until(at):
            return "until", at
        case RowCeiling(rows):
            return "row_ceiling", rows
        case MaskOnly():
            return "mask_only", True


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_NAMES:
        message = f"a list of 1 to {MOST_NAMES} names is needed"
        raise ValueError(message)
    # Printable: no NUL and no lone surrogate, which the database cannot take.
    if not all(isinstance(one, str) and 0 < len(one) <= _LONGEST_NAME and one.isprintable() for one in value):
        message = "a name that cannot be"
        raise ValueError(message)
    return tuple(dict.fromkeys(value))


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        message = "a whole number is needed"
        raise ValueError(message)
    return value


def _mask_only(value: object) -> MaskOnly:
    if value is not True:
        message = "mask_only is true or absent"
        raise ValueError(message)
    return MaskOnly()


_READERS: Mapping[str, Any] = {
    "policies": lambda value: OnlyPolicies(_names(value)),
    "products": lambda value: OnlyProducts(_names(value)),
    "until": lambda value: Until(_whole(value, _LATEST)),
    "row_ceiling": lambda value: RowCeiling(_whole(value, MOST_ROWS)),
    "mask_only": _mask_only,
}
