"""The reference's fields: what each of the contract's coordinates resolves to."""

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from graphql import (
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    is_object_type,
)

from models.global_ids import from_global
from tests.reference.asking import (
    IMPLIED,
    MARKETING_PAGE,
    NODE_TYPES,
    PAGE,
    Arguments,
    Cell,
    Code,
    Context,
    Refused,
)
from tests.reference.decide import decide, may_filter
from tests.reference.masks import mask
from tests.reference.rules import CONTRACT, sensitive
from tests.reference.world import Row, moment, row_bytes


@lru_cache
def schema() -> GraphQLSchema:
    """The contract as an executable schema."""
    text = CONTRACT.read_text(encoding="utf-8")
    built = build_schema("\n".join([text, *(part for name, part in IMPLIED.items() if f"{name} " not in text)]))
    for kind in built.type_map.values():
        if is_object_type(kind) and not kind.name.startswith("__"):
            for name, declared in kind.fields.items():
                declared.resolve = _resolver(f"{kind.name}.{name}")
    built.type_map["Node"].resolve_type = lambda row, _info, _type: row.type  # type: ignore[attr-defined]
    return built


def _resolver(coordinate: str) -> Callable[..., Any]:
    if coordinate in sensitive():
        return _sensitive_resolver(coordinate)
    if coordinate in RESOLVERS:
        found = RESOLVERS[coordinate]
        return lambda parent, info, **given: found(info.context, parent, given)
    name = coordinate.split(".")[1]
    return lambda parent, _info, **_given: parent[name] if isinstance(parent, dict) else getattr(parent, name)


def _sensitive_resolver(coordinate: str) -> Callable[..., Any]:
    name = coordinate.split(".")[1]
    category = sensitive()[coordinate].category

    def resolve(record: Row, info: GraphQLResolveInfo) -> Any:
        context: Context = info.context
        raw = _virtual_phone(context, record) if name == "virtualPhone" else getattr(record, name)
        decision = decide(context.subject, coordinate, record.user if record.type == "Device" else record)
        context.cells.append(Cell(coordinate, info.path.as_list(), decision.effect, decision.reason, raw))
        if decision.effect == "REVEAL":
            return raw
        return mask(category, raw) if decision.effect == "MASK" and raw is not None else None

    return resolve


def _virtual_phone(context: Context, person: Row) -> str | None:
    """The number by which the caller's organization, or the brokerage, reaches this person."""
    numbers = [
        row
        for row in context.world.linked("VirtualPhone", "user", person)
        if row.organization is context.subject.organization and not context.subject.past(row.endedAt)
    ]
    if not numbers or _has_business(context, person):
        return None
    return max(numbers, key=lambda row: moment(row.issuedAt)).number


def _has_business(context: Context, person: Row) -> bool:
    """Has the caller's organization concluded business with this person? Then the contract says how to reach whom."""
    world, organization = context.world, context.subject.organization
    held = world.linked("Policy", "policyholder", person)
    if organization is None:
        return False
    if any(one.insurer is organization and one.status in ("IN_FORCE", "GRACE") for one in held):
        return True
    return any(
        service.provider is organization and not context.subject.past(service.endsAt)
        for policy in [*held, *world.linked("Policy", "insured", person)]
        for service in world.linked("HealthService", "policy", policy)
    )


def _by_id(kind: str | None, context: Context, given: Arguments) -> Row | None:
    """The row of a global id, if it exists for the caller; an id of none or another type is refused."""
    found = from_global(given["id"])
    named = NODE_TYPES.get(found[0]) if found else None
    if named is None or kind not in (None, named):
        raise Refused(Code.BAD_ID)
    if context.scope.audience is not None:
        return next((user for user, known in context.scope.audience.items() if known == given["id"]), None)
    return context.link(context.world.named(named, given["id"]))


def _user_id(context: Context, user: Row, _given: Arguments) -> str:
    return user.id if context.scope.audience is None else context.scope.audience[user]


def _viewer(context: Context, _parent: None, _given: Arguments) -> dict[str, Any]:
    caller = context.subject.caller
    return {
        "role": caller.role,
        "organization": caller.org_code,
        "purposes": [purpose.upper() for purpose in caller.purposes or (caller.purpose,)],
        "ruleset": context.world.ruleset,
        "user": context.link(context.subject.person),
        "pendingNotices": [],
        "sessions": [],  # nobody of the demo data has logged in
    }


def _users(context: Context, _parent: None, given: Arguments) -> dict[str, Any]:
    rows = context.visible(context.world.all("User"))
    for argument in ("phone", "idNumber"):
        if given.get(argument) is not None:
            if not may_filter(context.subject, f"User.{argument}"):
                raise Refused(Code.FILTER_DENIED)
            wanted = _comparable(given[argument])
            known = [row for row in rows if getattr(row, argument) is not None]
            rows = [row for row in known if _comparable(getattr(row, argument)) == wanted]
    audience = context.scope.audience
    return _connection(context, rows, given, lambda row: row_bytes(audience[row] if audience else row.id))


def _comparable(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).replace("-", "").upper()


def _policies(context: Context, rows: Iterable[Row], given: Arguments) -> dict[str, Any]:
    kept = [
        row
        for row in context.visible(rows)
        if _fits(given, "status", row.status)
        and _fits(given, "insurer", row.insurer.code)
        and _fits(given, "policyNumber", row.policyNumber)
    ]
    if given.get("orderBy") == "STARTS_ON":
        return _connection(
            context, kept, given, lambda row: (row.startsOn is None, row.startsOn or "", row_bytes(row.id))
        )
    return _connection(context, kept, given, lambda row: row.policyNumber)


def _claims(context: Context, rows: Iterable[Row], given: Arguments) -> dict[str, Any]:
    kept = [
        row
        for row in context.visible(rows)
        if _fits(given, "status", row.status)
        and _fits(given, "insurer", row.policy.insurer.code)
        and _fits(given, "claimNumber", row.claimNumber)
    ]
    if given.get("orderBy") == "REPORTED_AT":
        return _connection(context, kept, given, lambda row: (moment(row.reportedAt), row_bytes(row.id)))
    return _connection(context, kept, given, lambda row: row.claimNumber)


def _consents(context: Context, rows: Iterable[Row], given: Arguments) -> dict[str, Any]:
    kept = context.visible(rows)
    if given.get("user") is not None:
        user = _by_id("User", context, {"id": given["user"]})
        kept = [row for row in kept if row.user is user]
    kept = [
        row
        for row in kept
        if _fits(given, "purpose", row.purpose) and _fits(given, "status", _consent_status(context, row, {}))
    ]
    return _connection(context, kept, given, lambda row: row_bytes(row.id))


def _consent_status(context: Context, consent: Row, _given: Arguments) -> str:
    if consent.withdrawnAt is not None:
        return "WITHDRAWN"
    return "EXPIRED" if context.subject.past(consent.expiresAt) else "ACTIVE"


def _beneficiaries(context: Context, _parent: None, given: Arguments) -> dict[str, Any]:
    rows = context.visible(context.world.all("Beneficiary"))
    if given.get("policy") is not None:
        policy = _by_id("Policy", context, {"id": given["policy"]})
        rows = [row for row in rows if row.policy is policy]
    return _connection(context, rows, given, lambda row: row_bytes(row.id))


def _beneficiaries_of(context: Context, policy: Row, _given: Arguments) -> list[Row]:
    rows = context.visible(context.world.linked("Beneficiary", "policy", policy))
    return sorted(rows, key=lambda row: (row.order, row_bytes(row.id)))


def _version(context: Context, user: Row, _given: Arguments) -> int | None:
    """How often a person was changed, told to themselves and to their guardian."""
    own = user is context.subject.person or (context.subject.role == "guardian" and user in context.subject.children)
    return user.version if own else None


def _permissions(context: Context, user: Row, _given: Arguments) -> list[Row]:
    return sorted(context.visible(context.world.linked("Permission", "user", user)), key=lambda row: row.kind)


def _corrections(context: Context, user: Row, _given: Arguments) -> list[Row]:
    found = context.visible(context.world.linked("Correction", "user", user))
    return sorted(found, key=lambda row: (moment(row.correctedAt), row_bytes(row.id)))


def _devices(context: Context, user: Row, given: Arguments) -> dict[str, Any]:
    rows = context.visible(context.world.linked("Device", "user", user))
    return _connection(context, rows, given, lambda row: row_bytes(row.id))


def _products(context: Context, _parent: None, given: Arguments) -> dict[str, Any]:
    return _connection(context, context.world.all("Product"), given, lambda row: row.code)


def _fits(given: Arguments, argument: str, value: str) -> bool:
    return given.get(argument) is None or given[argument] == value


def _connection(context: Context, rows: list[Row], given: Arguments, order: Callable[[Row], Any]) -> dict[str, Any]:
    """One page of the rows in that order: the part between the cursors, then its head or its tail."""
    ordered = sorted(rows, key=order)
    low, high = 0, len(ordered)
    if given.get("after") is not None:
        low = _position(ordered, given["after"]) + 1
    if given.get("before") is not None:
        high = _position(ordered, given["before"])
    restrained = context.restrained(rows)
    first, last = _page_size(MARKETING_PAGE if restrained else PAGE, given)
    high = max(low, high)
    if last is None:
        high = min(high, low + first)
    else:
        low = max(low, high - last)
    edges = [{"cursor": str(ordered.index(row)), "node": row} for row in ordered[low:high]]
    return {
        "edges": edges,
        "pageInfo": {
            "hasNextPage": high < len(ordered),
            "hasPreviousPage": low > 0,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
        "totalCount": None if restrained else len(ordered),
    }


def _page_size(page: dict[str, int], given: Arguments) -> tuple[int, int | None]:
    first, last = given.get("first"), given.get("last")
    if first is not None and last is not None:
        raise Refused(Code.BAD_USER_INPUT)
    asked = first if first is not None else last if last is not None else page["default"]
    if asked < 0:
        raise Refused(Code.BAD_USER_INPUT)
    if asked > page["max"]:
        raise Refused(Code.LIMIT_EXCEEDED)
    return asked, last


def _position(ordered: list[Row], cursor: str) -> int:
    if not cursor.isdecimal() or int(cursor) >= len(ordered):
        raise Refused(Code.BAD_CURSOR)
    return int(cursor)


RESOLVERS: dict[str, Callable[[Context, Any, Arguments], Any]] = {
    "Query.node": lambda context, _parent, given: _by_id(None, context, given),
    "Query.user": lambda context, _parent, given: _by_id("User", context, given),
    "Query.policy": lambda context, _parent, given: _by_id("Policy", context, given),
    "Query.beneficiary": lambda context, _parent, given: _by_id("Beneficiary", context, given),
    "Query.claim": lambda context, _parent, given: _by_id("Claim", context, given),
    "Query.viewer": _viewer,
    "Query.users": _users,
    "Query.policies": lambda context, _parent, given: _policies(context, context.world.all("Policy"), given),
    "Query.beneficiaries": _beneficiaries,
    "Query.claims": lambda context, _parent, given: _claims(context, context.world.all("Claim"), given),
    "Query.consents": lambda context, _parent, given: _consents(context, context.world.all("Consent"), given),
    "Query.products": _products,
    "User.id": _user_id,
    "User.version": _version,
    "User.permissions": _permissions,
    "User.corrections": _corrections,
    "User.devices": _devices,
    "User.policies": lambda context, user, given: _policies(context, context.world.policies_of(user), given),
    "User.claims": lambda context, user, given: _claims(context, context.world.claims_of(user), given),
    "User.consents": lambda context, user, given: _consents(
        context, context.world.linked("Consent", "user", user), given
    ),
    "Policy.policyholder": lambda context, policy, _given: context.link(policy.policyholder),
    "Policy.insured": lambda context, policy, _given: context.link(policy.insured),
    "Policy.beneficiaries": _beneficiaries_of,
    "Policy.claims": lambda context, policy, given: _claims(
        context,
        context.world.linked("Claim", "policy", policy),
        given,
    ),
    "Beneficiary.policy": lambda context, beneficiary, _given: context.link(beneficiary.policy),
    "Claim.policy": lambda context, claim, _given: context.link(claim.policy),
    "Consent.user": lambda context, consent, _given: context.link(consent.user),
    "Consent.status": _consent_status,
}
"""Every field that is neither sensitive nor simply an attribute of its row."""
