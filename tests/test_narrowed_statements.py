"""No statement of a narrowed token reads what the token leaves out; without a caveat its text is the one it was."""

import re
from functools import cache
from importlib import import_module
from inspect import isclass
from unittest import mock
from uuid import UUID

from graphql.execution.values import get_variable_values
from tortoise.models import Model

from authz.narrowing import NARROWED_TABLES, Narrowing, Only
from models.database import MODULES
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers import statements
from resolvers.compiler import Compiler
from resolvers.documents import Documents
from resolvers.selection import Selector, abstract_types
from schema.build import build_schema
from tests.rules import default_snapshot

EVERYTHING = """query($text: String!, $id: ID!) {
  viewer { user { id name } }
  node(id: $id) { ... on Policy { id premium policyholder { name } } }
  beneficiary(id: $id) { name policy { premium } }
  claim(id: $id) { diagnosis reporterName bankCard policy { premium } }
  user(id: $id) { name idNumber phone virtualPhone username tags healthDeclaration
    permissions { kind granted } corrections { coordinate recipients }
    devices(first: 2) { edges { node { model } } }
    consents(first: 2) { totalCount edges { node { status user { name } } } }
    claims(first: 2) { totalCount edges { node { diagnosis policy { premium } } } }
    policies(first: 3, after: $text) { totalCount pageInfo { hasNextPage hasPreviousPage } edges { node { premium
      insured { phone } beneficiaries { name policy { premium } }
      claims(first: 2) { totalCount edges { node { diagnosis } } } } } } }
  users(first: 3) { totalCount pageInfo { hasNextPage } edges { node { name devices(first: 1) { edges { node
    { model } } } } } }
  policies(first: 3, before: $text, policyNumber: $text, status: IN_FORCE, insurer: $text, orderBy: STARTS_ON) {
    totalCount pageInfo { hasNextPage } edges { node { premium insurer { code } product { code } } } }
  claims(first: 3, claimNumber: $text, after: $text, orderBy: REPORTED_AT) { totalCount pageInfo { hasNextPage }
    edges { node { diagnosis payee: bankCard } } }
  beneficiaries(policy: $id) { totalCount edges { node { name } } }
  consents(user: $id) { totalCount edges { node { status user { name } } } }
  products { totalCount edges { node { code insurer { name } items { item } } } }
}"""
BLIND = "query($text: String!) { users(phone: $text, idNumber: $text) { totalCount edges { node { name } } } }"
UNBOUND = {
    "account",
    "assignment",
    "blind_index",
    "correction_recipient",
    "data_key",
    "disclosure_case",
    "organization",
    "product",
    "product_item",
    "virtual_phone",
}
"""Tables that hold no row of a policy or person, or only what is joined to a row that is narrowed."""


@cache
def built():
    schema = build_schema()
    return schema, Documents(schema), default_snapshot(schema)


def compiled(text, role, purpose, narrowing) -> list[str]:
    """The SQL of every statement of a document's plan."""
    schema, documents, snapshot = built()
    document = documents.read(text, read_only=True)
    operation = document.operation(None)
    policy = to_global(NodeType.POLICY, UUID(int=1))
    given = {one.variable.name.value: "x" for one in operation.variable_definitions} | {"id": policy}
    variables = get_variable_values(schema, operation.variable_definitions, given)
    selector = Selector(operation, document.fragments, variables=variables, abstract=abstract_types(schema))
    found = []
    made = statements.statement

    def noting(text):
        found.append(made(text).sql)
        return made(text)

    compiler = Compiler(schema, snapshot, role, purpose, to_bits(set(Category)), narrowing)
    with mock.patch.object(statements, "statement", noting):
        compiler.compile(selector, variables.coerced)
    return found


def may_filter(role, purpose) -> bool:
    rules = built()[2].slice(role, purpose)
    return all(rules.may_filter(name, 0) for name in ("User.phone", "User.idNumber"))


@cache
def tables() -> frozenset[str]:
    """Every table there is."""
    found = [vars(import_module(name)).values() for name in MODULES]
    return frozenset(
        one.Meta.table for ones in found for one in ones if isclass(one) and issubclass(one, Model) and one is not Model
    )


def test_no_statement_of_any_role_purpose_and_kind_reads_a_policy_bound_table_un_narrowed():
    seen = set()
    for role in Role:
        for purpose in Purpose:
            documents = [EVERYTHING, BLIND] if may_filter(role, purpose) else [EVERYTHING]
            for kind in (Only.POLICIES, Only.PRODUCTS):
                for document in documents:
                    for sql in compiled(document, role, purpose, Narrowing(kind)):
                        seen |= _checked(sql, kind)
    assert seen >= set(NARROWED_TABLES), set(NARROWED_TABLES) - seen


@cache
def _checked(sql, kind) -> set[str]:
    """The tables that a statement reads, once it is found to read none un-narrowed."""
    head, body = _parted(sql)
    _check_head(head, kind)
    read = tables().intersection(re.findall(r"\w+", body))
    assert read <= {*NARROWED_TABLES, *UNBOUND}, read
    # A schema's name before a table's, or a WITH of its own, would get around the narrowed names.
    assert "public." not in body
    assert "every_" not in body
    assert not re.search(r"\bWITH\b", body)
    return read


def _parted(sql) -> tuple[str, str]:
    """The WITH of a statement, and the statement it stands before."""
    end = 0
    while True:
        end = sql.index(") SELECT ", end) + 1
        if sql.count("(", 0, end) == sql.count(")", 0, end):
            return sql[:end], sql[end + 1 :]


@cache
def _check_head(head, kind):
    """Every name is defined once, the policies first and by the caveat, and each of the others by those before it."""
    defined = re.findall(r"(?:WITH |, )(\w+) AS (?:NOT MATERIALIZED )?\(SELECT", head)
    assert sorted(defined) == sorted([*NARROWED_TABLES, *(f"every_{one}" for one in NARROWED_TABLES), "party"])
    bound = {Only.POLICIES: r"policy_number = ANY\(\$\d+::text\[\]\)", Only.PRODUCTS: r"code = ANY\(\$\d+::text\[\]\)"}
    assert re.search(rf"every_policy WHERE .*{bound[kind]}", head)
    for table in NARROWED_TABLES:
        assert re.search(rf" {table} AS NOT MATERIALIZED \([^()]* every_{table} WHERE ", head)
        assert defined.index(f"every_{table}") == defined.index(table) - 1


def test_without_a_caveat_on_policies_a_statement_is_the_very_text_it_was():
    for role in Role:
        for purpose in Purpose:
            plain = compiled(EVERYTHING, role, purpose, Narrowing())
            assert not any(re.search(r"\bWITH\b|every_", sql) for sql in plain)
            narrowed = compiled(EVERYTHING, role, purpose, Narrowing(Only.POLICIES))
            # The same text stands behind the WITH, but for the numbers of its parameters.
            unnumbered = [re.sub(r"\$\d+", "$", _parted(sql)[1]) for sql in narrowed]
            assert unnumbered == [re.sub(r"\$\d+", "$", sql) for sql in plain]
