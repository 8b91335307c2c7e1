"""Random valid operations over the contract, and callers that run them; one seed gives the same ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)

from models.global_ids import NodeType, to_global
from tests.reference.asking import Code
from tests.reference.callers import STAFF, Caller, Subject
from tests.reference.decide import may_filter
from tests.reference.fields import schema
from tests.reference.rules import categories, named
from tests.reference.scope import NODES, Scope, scope
from tests.reference.server import read
from tests.reference.world import World, now

DEPTH = 6
ROOT_PAGE, NESTED_PAGE = 20, 5
ROWS = 120
"""How many rows a path of an operation may ask for at most: the product of its pages."""

Name = TypeVar("Name")

RULED = 0.85
"""How many operations run under a purpose that the matrix names for the role."""

ROOTS = {
    "node": "User",
    "viewer": None,
    "user": "User",
    "users": "User",
    "policy": "Policy",
    "policies": "Policy",
    "beneficiary": "Beneficiary",
    "beneficiaries": "Beneficiary",
    "claim": "Claim",
    "claims": "Claim",
    "consents": "Consent",
    "products": None,
}
"""The root fields, with the type whose rows they give, or give first."""

PAGED = {
    **{(None, name): kind for name, kind in ROOTS.items() if name.endswith("s")},
    ("user", "policies"): "Policy",
    ("user", "claims"): "Claim",
    ("user", "consents"): "Consent",
    ("user", "devices"): "Device",
    ("policy", "claims"): "Claim",
}
"""The connections that are paged through, each under a root field or at the root."""

BESIDE = frozenset({"accessHistory", "receipt"})
"""Fields answered from the ledger, which the reference does not keep, or signed by a key that it does not hold."""

PARTNERS = {
    "INSURER": "insurer",
    "HEALTH_PROVIDER": "health_provider",
    "LOSS_ADJUSTER": "loss_adjuster",
    "AFFILIATE": "affiliate",
    "SERVICE_PROVIDER": "service_provider",
    "AD_PARTNER": "ad_partner",
}
FOREIGN_PURPOSES = (
    "account_service",
    "analytics",
    "research",
    "security",
    "policy_service",
    "claim_handling",
)
"""Purposes of which some are tried by every role, so that those without rules are met too."""


@dataclass(frozen=True)
class Paging:
    """How an operation is continued: the variable that takes a cursor, and where the response has it."""

    variable: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One request body, and how its next page is asked for."""

    document: str
    variables: dict[str, object] = field(default_factory=dict)
    operation_name: str | None = None
    paging: Paging | None = None


# --- Callers ------------------------------------------------------------------------------------------------


def callers(world: World, random: Random) -> list[Caller]:
    """Callers of every role, under purposes with rules and without; half have narrow tokens."""
    found = []
    order = list(schema().type_map["Purpose"].values)
    for role, who in _people(world, random):
        foreign = random.sample([purpose for purpose in FOREIGN_PURPOSES if purpose not in named(role)], k=2)
        purposes = tuple(sorted({*named(role), *foreign}, key=lambda purpose: order.index(purpose.upper())))
        for scoped in _token_categories(random):
            found += [Caller(role, purpose, **who, categories=scoped, purposes=purposes) for purpose in purposes]
    return found


def _people(world: World, random: Random) -> list[tuple[str, dict[str, str]]]:
    holders = {policy.policyholder for policy in world.all("Policy")}
    insured = {policy.insured for policy in world.all("Policy")} - holders
    accounts = world.all("Account")
    guardians = {link.guardian for link in world.all("GuardianLink")}
    people = []
    for role, group in (("customer", holders), ("customer", insured), ("guardian", guardians)):
        usernames = [account.username for account in accounts if account.user in group]
        people += [(role, {"username": name}) for name in _some(random, usernames, 4)]
    for role in sorted(STAFF):
        usernames = [staff.username for staff in world.all("Staff") if staff.role == role and not staff.leftAt]
        people += [(role, {"username": name}) for name in _some(random, usernames, 3)]
    for kind, role in PARTNERS.items():
        codes = [row.code for row in world.all("Organization") if row.kind == kind]
        people += [(role, {"org_code": code}) for code in _some(random, codes, 3)]
    return people


def _token_categories(random: Random) -> list[frozenset[str]]:
    every = categories()
    return [frozenset(every), frozenset(random.sample(every, k=random.randint(1, len(every) - 1)))]


def _some(random: Random, names: list[str], most: int) -> list[str]:
    return random.sample(sorted(names), k=min(most, len(names)))


# --- Operations ---------------------------------------------------------------------------------------------


def operation(world: World, caller: Caller, random: Random) -> Operation:
    """One operation that the contract allows; at most one of its arguments is refused."""
    while True:
        made = _Generator(world, caller, random).operation()
        if not isinstance(read(made.document), Code):
            return made


class _Generator:
    """Writes one operation from the schema, top down."""

    def __init__(self, world: World, caller: Caller, random: Random) -> None:
        self.world, self.caller, self.random = world, caller, random
        self.subject = Subject(world, caller, at=now())
        self.scope: Scope = scope(self.subject)
        self.variables: dict[str, object] = {}
        self.declared: list[str] = []
        self.fragments: list[str] = []
        self.leaf_fragments: dict[str, list[str]] = {}
        self.aliases = 0
        self.wraps = random.choice((0, 1, 3, 6))
        self.refusals = 1 if self.chance(0.06) else 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # Operations

    def operation(self) -> Operation:
        if self.chance(0.15):
            return self.paged()
        roots = [self.likely(ROOTS) for _ in range(self.random.choice((1, 1, 1, 2, 3)))]
        parts = [self.field(schema().query_type, name, 1, 1) for name in roots]
        if self.chance(0.1):
            parts.append("__typename")
        return self.written(parts)

    def likely(self, options: dict[Name, str | None]) -> Name:
        """One of the options, mostly one whose type has rows for the caller."""
        fruitful = [name for name, kind in options.items() if kind and self.scope.rows[kind]]
        return self.random.choice(fruitful if fruitful and self.chance(0.85) else list(options))

    def paged(self) -> Operation:
        """A connection whose cursor is a variable, forwards or backwards, at the root or under one row."""
        variable, size, end = self.random.choice((("after", "first", "endCursor"), ("before", "last", "startCursor")))
        parent, name = self.likely(PAGED)
        if name in ("products", "devices") or parent:
            variable, size, end = "after", "first", "endCursor"
        kind = schema().query_type if parent is None else schema().type_map[parent.capitalize()]
        self.declared.append(f"${variable}: String")
        given = [f"{size}: {self.random.randint(1, 7)}", f"{variable}: ${variable}"]
        if parent is None:
            given += self.filters(name)
        declared = get_named_type(kind.fields[name].type)
        node = self.node_type(declared)
        body = f"edges {{ cursor node {self.selection(node, 4, 20)} }} totalCount"
        page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        text = f"{name}({' '.join(given)}) {{ {body} {page} }}"
        path = (name, "pageInfo", end)
        if parent is not None:
            text = f"{parent}(id: {self.literal(self.row_id(parent.capitalize()))}) {{ {text} }}"
            path = (parent, *path)
        written = self.written([text])
        return Operation(written.document, written.variables, written.operation_name, Paging(variable, path))

    def written(self, parts: list[str]) -> Operation:
        selection = "{ " + " ".join(parts) + " }"
        if not self.declared and not self.fragments and self.chance(0.3):
            return Operation(selection)
        head = "query Asked" + (f"({', '.join(self.declared)})" if self.declared else "")
        definitions = [f"{head} {selection}", *self.fragments]
        name = None
        if self.chance(0.15):
            definitions.append("query Other { viewer { role } }")
            name = "Asked"
        self.random.shuffle(definitions)
        return Operation("\n".join(definitions), self.variables, name)

    # Selections

    def selection(self, kind: GraphQLObjectType, depth: int, rows: int) -> str:
        """A selection set of an object type: some of its values, and few of its links."""
        names = [name for name in kind.fields if name not in BESIDE]
        values = [name for name in names if is_leaf_type(_named(kind.fields[name]))]
        links = [name for name in names if name not in values and depth < DEPTH]
        chosen = self.random.choices(values, k=self.random.randint(1, 4 if kind.name in NODES else 2))
        if links and self.chance(0.9 - 0.12 * depth):
            chosen += self.random.choices(links, k=self.random.choice((1, 1, 2)))
        if self.chance(0.15):
            chosen.append("__typename")
        parts = [self.field(kind, name, depth, rows) for name in chosen]
        if self.wraps and self.chance(0.4):
            self.wraps -= 1
            parts.append(self.wrapped(kind, depth, rows))
        self.random.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def wrapped(self, kind: GraphQLObjectType, depth: int, rows: int) -> str:
        """A fragment, inline or named."""
        form = self.random.choice(("...", f"... on {kind.name}", "spread"))
        if form == "spread":
            return f"...{self.fragment(kind, depth, rows)} {self.directive()}"
        return f"{form} {self.directive()} {self.selection(kind, depth, rows)}"

    def fragment(self, kind: GraphQLObjectType, depth: int, rows: int) -> str:
        """A named fragment, sometimes one that has been used before."""
        known = self.leaf_fragments.setdefault(kind.name, [])
        if known and self.chance(0.4):
            return self.random.choice(known)
        leaf = self.chance(0.5)
        body = self.selection(kind, DEPTH if leaf else depth, rows)
        name = f"F{len(self.fragments) + 1}"
        self.fragments.append(f"fragment {name} on {kind.name} {body}")
        if leaf:
            known.append(name)
        return name

    def field(self, kind: GraphQLObjectType, name: str, depth: int, rows: int) -> str:
        """One field, sometimes twice under the same response key with different selections."""
        if name == "__typename":
            return self.aliased(name)
        declared = kind.fields[name]
        root = depth == 1
        refusals = self.refusals
        given, size = self.arguments(name, declared, root=root, rows=rows)
        head = self.aliased(name, often=bool(declared.args)) + given
        unsure = "" if refusals != self.refusals else self.directive()
        if is_leaf_type(_named(declared)):
            return f"{head} {unsure}"
        write: Callable[[], str] = lambda: self.sub_selection(declared, depth, rows * size)  # noqa: E731
        text = f"{head} {unsure} {write()}"
        return f"{text} {head} {write()}" if self.chance(0.06) else text

    def sub_selection(self, declared: GraphQLField, depth: int, rows: int) -> str:
        kind = _named(declared)
        if kind.name.endswith("Connection"):
            return self.connection(kind, depth, rows)
        if isinstance(kind, GraphQLInterfaceType):
            return self.interface(depth, rows)
        return self.selection(kind, depth + 1, rows)

    def connection(self, kind: GraphQLObjectType, depth: int, rows: int) -> str:
        parts = []
        if self.chance(0.9):
            cursor = "cursor " if self.chance(0.3) else ""
            parts.append(f"edges {{ {cursor}node {self.selection(self.node_type(kind), depth + 1, rows)} }}")
        if self.chance(0.3):
            wanted = ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor")
            parts.append(f"pageInfo {{ {' '.join(self.random.sample(wanted, k=self.random.randint(1, 4)))} }}")
        if self.chance(0.3) or not parts:
            parts.append(self.aliased("totalCount"))
        if self.chance(0.05):
            parts.append("__typename")
        self.random.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def interface(self, depth: int, rows: int) -> str:
        """A selection on Node: its own fields and some of its types."""
        parts = self.random.sample(("id", "__typename", "mine: id"), k=self.random.randint(0, 3))
        for name in self.random.sample(NODES, k=self.random.randint(1, len(NODES))):
            kind = schema().type_map[name]
            if self.chance(0.2):
                parts.append(f"...{self.fragment(kind, depth + 1, rows)}")
            else:
                parts.append(f"... on {name} {self.directive()} {self.selection(kind, depth + 1, rows)}")
        if self.chance(0.1):
            parts.append("... on Node { id }")
        return "{ " + " ".join(parts) + " }"

    def node_type(self, connection: GraphQLObjectType) -> GraphQLObjectType:
        edge = get_named_type(connection.fields["edges"].type)
        return get_named_type(edge.fields["node"].type)

    def aliased(self, name: str, *, often: bool = False) -> str:
        if not self.chance(0.6 if often else 0.12):
            return name
        self.aliases += 1
        return f"a{self.aliases}: {name}"

    def directive(self) -> str:
        if not self.chance(0.1):
            return ""
        name, value = self.random.choice(("skip", "include")), self.chance(0.5)
        condition = self.variable("Boolean!", value) if self.chance(0.6) else str(value).lower()
        return f"@{name}(if: {condition})"

    def variable(self, kind: str, value: object) -> str:
        """A new variable with that value, sometimes by its default."""
        name = f"v{len(self.declared)}"
        if self.chance(0.2) and kind in ("Boolean!", "Int"):
            self.declared.append(f"${name}: {kind} = {str(value).lower()}")
        else:
            self.declared.append(f"${name}: {kind}")
            self.variables[name] = value
        return f"${name}"

    # Arguments

    def arguments(self, name: str, declared: GraphQLField, *, root: bool, rows: int) -> tuple[str, int]:
        """The arguments of a field, written, and how many rows they ask for."""
        if "id" in declared.args:
            return f"(id: {self.id_argument(name)})", 1
        if "first" not in declared.args:
            return "", 1
        given, size = self.page(declared, root=root, rows=rows)
        if root:
            given += self.filters(name)
        elif "status" in declared.args and self.chance(0.2) and self.caller.purpose != "marketing":
            given.append(f"status: {self.enum(declared, 'status')}")
        self.random.shuffle(given)
        return (f"({', '.join(given)})" if given else ""), size

    def page(self, declared: GraphQLField, *, root: bool, rows: int) -> tuple[list[str], int]:
        most = min(ROOT_PAGE if root else NESTED_PAGE, max(1, ROWS // rows))
        if self.caller.purpose == "marketing":
            most = min(most, 10)
        if root and self.refusals and self.chance(0.4):
            self.refusals = 0
            both = "first: 2, last: 2" if "last" in declared.args else "first: -1"
            return [self.random.choice((both, "first: -3", "first: 101"))], 1
        if root and self.chance(0.15):
            return ["first: null"] if self.chance(0.2) else [], ROOT_PAGE
        size = self.random.randint(0 if self.chance(0.1) else 1, most)
        argument = "last" if "last" in declared.args and self.chance(0.25) else "first"
        value = self.variable("Int", size) if self.chance(0.3) else str(size)
        return [f"{argument}: {value}"], max(1, size)

    def filters(self, name: str) -> list[str]:
        """Some filters of a root connection, by values that exist and values that do not."""
        if name == "users":
            return self.user_filters()
        if self.caller.purpose == "marketing":
            return []
        if name in ("policies", "claims"):
            return self.number_filters(name)
        if name == "beneficiaries" and self.chance(0.5):
            return [f"policy: {self.literal(self.row_id('Policy'), 'ID')}"]
        return self.consent_filters() if name == "consents" else []

    def consent_filters(self) -> list[str]:
        declared = schema().query_type.fields["consents"]
        options = [f"{given}: {self.enum(declared, given)}" for given in ("purpose", "status")]
        if self.chance(0.25):
            options.append(f"user: {self.literal(self.row_id('User'), 'ID')}")
        return [option for option in options if self.chance(0.25) or option.startswith("user")]

    def user_filters(self) -> list[str]:
        """By phone or ID number if the caller may; otherwise only where a refusal is due."""
        argument = self.random.choice(("phone", "idNumber"))
        if may_filter(self.subject, f"User.{argument}"):
            if not self.chance(0.4):
                return []
        elif self.refusals:
            self.refusals = 0
        else:
            return []
        value = str(getattr(self.random.choice(self.world.all("User")), argument) or "")
        if self.chance(0.2):
            value = "19900000000"
        if self.chance(0.3):
            value = f" {value[:3]}-{value[3:].lower()}"
        return [f"{argument}: {self.literal(value)}"]

    def number_filters(self, name: str) -> list[str]:
        kind, number = {"policies": ("Policy", "policyNumber"), "claims": ("Claim", "claimNumber")}[name]
        declared = schema().query_type.fields[name]
        found = []
        if self.chance(0.25):
            found.append(f"status: {self.enum(declared, 'status')}")
        if self.chance(0.2):
            insurers = [row.code for row in self.world.all("Organization") if row.kind == "INSURER"]
            found.append(f"insurer: {self.literal(self.random.choice([*insurers, 'NOBODY']))}")
        if self.chance(0.15):
            rows = sorted(self.scope.rows[kind], key=lambda row: row.id) if self.chance(0.7) else self.world.all(kind)
            numbers = [getattr(row, number) for row in rows]
            found.append(f"{number}: {self.literal(self.random.choice(numbers or ['X1']))}")
        if self.chance(0.4):
            found.append(f"orderBy: {self.enum(declared, 'orderBy')}")
        return found

    def enum(self, declared: GraphQLField, argument: str) -> str:
        kind = get_named_type(declared.args[argument].type)
        assert isinstance(kind, GraphQLEnumType)
        return self.random.choice(list(kind.values))

    def id_argument(self, name: str) -> str:
        kind = self.likely({kind: kind for kind in NODES}) if name == "node" else name.capitalize()
        if self.refusals:
            self.refusals = 0
            wrong = to_global(NodeType.DEVICE, UUID(int=self.random.getrandbits(128)))
            return self.literal(
                self.random.choice(["", "nonsense"] if name == "node" else ["", "nonsense", wrong]), "ID!"
            )
        return self.literal(self.row_id(kind), "ID!")

    def row_id(self, kind: str) -> str:
        """A row that exists for the caller, mostly; else one that does not, or none at all."""
        audience = self.scope.audience
        visible = sorted(row.id if audience is None else audience[row] for row in self.scope.rows[kind])
        anywhere = [row.id for row in self.world.all(kind)]
        if kind == "User":
            anywhere += [row.audienceId for row in self.world.all("Consent") if row.purpose == "MARKETING"]
        if visible and self.chance(0.75):
            return self.random.choice(visible)
        if anywhere and self.chance(0.7):
            return self.random.choice(anywhere)
        return to_global(NodeType[kind.upper()], UUID(int=self.random.getrandbits(128), version=4))

    def literal(self, text: str, kind: str = "String") -> str:
        """A string, written out or as a variable."""
        return self.variable(kind, text) if self.chance(0.3) else '"' + text + '"'


def _named(declared: GraphQLField) -> GraphQLObjectType:
    return get_named_type(declared.type)


def pick(random: Random, found: Sequence[Caller]) -> Caller:
    """A caller: mostly of a role and purpose of the matrix, each as likely as any other."""
    ruled = random.random() < RULED
    some = [caller for caller in found if (caller.purpose in named(caller.role)) == ruled]
    role, purpose = random.choice(sorted({(caller.role, caller.purpose) for caller in some}))
    return random.choice([caller for caller in some if (caller.role, caller.purpose) == (role, purpose)])
