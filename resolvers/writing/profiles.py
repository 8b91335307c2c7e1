"""A person's own profile: corrected by themselves or a guardian (C64, C71), and linked with WeChat (C02)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from models.formats import FormatError
from models.people import Gender, IdType
from resolvers.payloads import Item, Problem, ProblemCode, Write, Written
from resolvers.writing.items import PERSON_ITEMS, Clean, Given, cleaned
from resolvers.writing.minors import guarded_profile
from resolvers.writing.people import correct, identity_of
from resolvers.writing.targets import Target, may_give, target

WITHOUT_WECHAT = "Without them there is no account through WeChat, and no purchase with it; browsing products goes on."
"""What refusing an item of a WeChat sign-up leads to (C03)."""
LONGEST_ADDRESS = 512
"""Characters of a picture's address."""
_WECHAT = "WECHAT"
# Of a name in the DNS, never of a number or of this machine: whoever shows the picture fetches it from there.
_PICTURE = re.compile(
    r"https://(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)


def _picture(text: str) -> str:
    plain = text.strip()
    if len(plain) > LONGEST_ADDRESS or not _PICTURE.fullmatch(plain):
        expected = (
            f"Give the picture's https address, of at most {LONGEST_ADDRESS} characters, without port or fragment."
        )
        raise FormatError(expected)
    return plain


_WECHAT_ITEMS: Mapping[str, Clean] = {
    **{item: PERSON_ITEMS[item] for item in ("region", "gender", "nickname")},
    "avatar": _picture,
}
"""What a WeChat sign-up supplies, and nothing else (C02)."""


async def update_profile(
    write: Write, user: UUID | None, items: Mapping[str, Any], *, id_type: IdType | None, if_version: int | None
) -> Written | Problem:
    """Correct or add items of the caller's own profile or, by `user`, a ward's; equal values change nothing."""
    found = await _own(write, user or write.subject.person, if_version)
    if isinstance(found, Problem):
        return found
    given = _given(write, items, id_type)
    if isinstance(given, Problem):
        return given
    problem = may_give(write, found, given.coordinates()) or await guarded_profile(
        write, found.row, becomes=given.values.get("birthDate")
    )
    if problem:
        return problem
    outcome = await correct(write, found.row, given)
    return outcome if isinstance(outcome, Problem) else Written("User", found.id)


async def link_wechat(
    write: Write, *, region: str | None, gender: Gender | None, nickname: str | None, avatar: str | None
) -> Written | Problem:
    """Take the four items that WeChat supplies, tagged with that source; a second time what changed of them (C02).

    A gender that the ID number on record tells stays: WeChat's is what somebody chose.
    """
    found = await _own(write, write.subject.person, None)
    if isinstance(found, Problem):
        return found
    items = {"region": region, "gender": gender, "nickname": nickname, "avatar": avatar}
    missing = tuple(Item(item, "C02") for item, value in items.items() if not (value and value.strip()))
    if missing:
        return _incomplete(missing)
    given = cleaned(items, _WECHAT_ITEMS, path="", today=write.today)
    if isinstance(given, Problem):
        return given
    problem = may_give(write, found, given.coordinates()) or await guarded_profile(write, found.row)
    if problem:
        return problem
    identity = await identity_of(write, found.row)
    told = {"gender"} if identity and identity.gender else set()
    kept = {item: value for item, value in given.values.items() if item not in told}
    outcome = await correct(write, found.row, Given("", {**kept, "profileSource": _WECHAT}))
    return outcome if isinstance(outcome, Problem) else Written("User", found.id)


async def _own(write: Write, person: UUID | None, if_version: int | None) -> Target | Problem:
    found = await target(write, "User", person, if_version=if_version)
    if isinstance(found, Problem) and found.code is ProblemCode.NOT_FOUND:
        message = "There is no such person for you. A guardian names the ward by `user`."
        return replace(found, message=message, field="user")
    return found


def _given(write: Write, items: Mapping[str, Any], id_type: IdType | None) -> Given | Problem:
    if id_type is not None and items.get("idNumber") is None:
        message = "Give the number of this document as well, or leave the type out."
        return Problem(ProblemCode.ITEM_INVALID, message, field="idType")
    given = cleaned(items, PERSON_ITEMS, path="", today=write.today, id_type=id_type)
    if isinstance(given, Given) and not given.values:
        return Problem(ProblemCode.NOTHING_GIVEN, "Give at least one item that is to change. Nothing was.")
    return given


def _incomplete(missing: tuple[Item, ...]) -> Problem:
    return Problem(
        ProblemCode.ITEM_MISSING,
        f"Still missing: {', '.join(item.field for item in missing)}.",
        field=missing[0].field,
        clause="C03",
        consequence=WITHOUT_WECHAT,
        items=missing,
    )
