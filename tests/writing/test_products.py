"""What each product needs is declared by the operator and told to everybody before they apply (C04-C08)."""

import pytest

from authz.commands import OperatorRefusedError
from cli import _parser
from models.products import Part
from resolvers.registered import house_documents
from tests.conftest import run_cli
from tests.plain import lines

ITEMS = "{ products(first: 100) { edges { node { code items { part item clause } } } } }"
_NEEDED = next(found for found, text in house_documents().items() if "query ProductItems" in text)


def needed(office, code):
    """What a product needs, as anybody reads it, by part."""
    answer = office.client.post(
        office.url, json={"documentId": f"sha256:{_NEEDED}", "variables": {"first": 100}}
    ).json()
    found = {edge["node"]["code"]: edge["node"]["items"] for edge in answer["data"]["products"]["edges"]}[code]
    return {(one["part"], one["item"]): one["clause"] for one in found}


def test_c07_anybody_reads_what_each_product_needs_without_an_account(office):
    told = {one["code"]: one["items"] for one in lines(office.plaintext)["Product"]}
    for code in sorted(told)[:5]:
        assert needed(office, code) == {(one["part"], one["item"]): one["clause"] for one in told[code]}
    assert needed(office, min(told))["POLICYHOLDER", "email"] == "C04"


@pytest.mark.parametrize(
    "role, purpose",
    [("customer", "account_service"), ("insurer", "marketing"), ("developer", "administration")],
)
def test_every_caller_reads_the_same_declaration(office, role, purpose):
    answer = office.post(ITEMS, token=office.token(role, purposes=[purpose]), purpose=purpose).json()
    told = {one["code"]: one["items"] for one in lines(office.plaintext)["Product"]}
    found = {edge["node"]["code"]: edge["node"]["items"] for edge in answer["data"]["products"]["edges"]}
    assert {code: found[code] for code in told} == told


def test_c06_a_declaration_replaces_the_one_before_with_the_clause_of_each_item(office):
    office.operate("product", "add", "INS01-TRIP", "--name", "旅行险（2027版）", "--insurer", "INS01")
    assert needed(office, "INS01-TRIP") == {}
    first = ["--policyholder", "name", "email", "--insured", "occupation", "--claim", "diagnosis"]
    office.operate("product", "items", "INS01-TRIP", *first)
    declared = ["--policyholder", "name", "gender", "--insured", "name", "phone", "birthDate"]
    office.operate(
        "product",
        "items",
        "INS01-TRIP",
        *declared,
        "--beneficiary",
        "name",
        "name",
        "--claim",
        "expenses",
        "occupation",
    )
    assert needed(office, "INS01-TRIP") == {
        ("POLICYHOLDER", "name"): "C04",
        ("POLICYHOLDER", "gender"): "C06",
        ("INSURED", "name"): "C05",
        ("INSURED", "phone"): "C05",
        ("INSURED", "birthDate"): "C06",
        ("BENEFICIARY", "name"): "C06",
        ("CLAIM", "expenses"): "C08",
        ("CLAIM", "occupation"): "C08",
    }
    (listed,) = [one for one in office.operate("product", "list") if one["code"] == "INS01-TRIP"]
    assert listed == {
        "code": "INS01-TRIP",
        "name": "旅行险（2027版）",
        "insurer": "INS01",
        "policyholder": "gender name",
        "insured": "birthDate name phone",
        "beneficiary": "name",
        "claim": "expenses occupation",
    }


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("add", "INS01-CI", "--name", "again", "--insurer", "INS01"), "already"),
        (("add", "lower", "--name", "n", "--insurer", "INS01"), "capital letters"),
        (("add", "A" * 33, "--name", "n", "--insurer", "INS01"), "1 to 32"),
        (("add", "A-", "--name", "n", "--insurer", "INS01"), "capital letters"),
        (("add", "NEW", "--name", " ", "--insurer", "INS01"), "printed"),
        (("add", "NEW", "--name", "n" * 121, "--insurer", "INS01"), "120"),
        (("add", "NEW", "--name", "a\nb", "--insurer", "INS01"), "printed"),
        (("add", "NEW", "--name", "n", "--insurer", "HP01"), "no insurer"),
        (("add", "NEW", "--name", "n", "--insurer", "NOBODY"), "no insurer"),
        (("items", "NOSUCH", "--policyholder", "name", "--insured", "name", "--claim", "diagnosis"), "no product"),
        (("items", "INS01-CI", "--policyholder", "name", "--claim", "diagnosis"), "--insured"),
    ],
)
def test_what_cannot_be_declared_is_refused_in_a_sentence_and_changes_nothing(office, arguments, told):
    before = office.rows("SELECT (SELECT count(*) FROM product), (SELECT count(*) FROM product_item)")
    with pytest.raises(OperatorRefusedError, match=told):
        office.operate("product", *arguments)
    assert office.rows("SELECT (SELECT count(*) FROM product), (SELECT count(*) FROM product_item)") == before


@pytest.mark.parametrize(
    "part, item",
    [("policyholder", "nickname"), ("insured", "tags"), ("beneficiary", "email"), ("claim", "cvv"), ("claim", "phone")],
)
def test_only_items_that_an_input_has_can_be_declared(part, item, capsys):
    with pytest.raises(SystemExit) as stop:
        _parser().parse_args(["product", "items", "INS01-CI", f"--{part}", item])
    assert stop.value.code == 2
    assert item in capsys.readouterr().err


def test_the_demo_products_declare_what_the_command_would(office):
    from resolvers.product_commands import clause_of  # noqa: PLC0415

    for product in lines(office.plaintext)["Product"]:
        for one in product["items"]:
            assert clause_of(Part(one["part"].lower()), one["item"]) == one["clause"]


_LEAST = ("--policyholder", "name", "--insured", "name", "--claim", "diagnosis")


def test_the_command_works_beside_the_running_server(office):
    refused = run_cli("product", "items", "NOSUCH", *_LEAST, data_dir=office.data_dir, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.strip() == "There is no product 'NOSUCH': see `product list`."


def test_the_service_itself_cannot_change_a_declaration(office):
    may = "SELECT has_table_privilege($1, $2, 'INSERT, UPDATE, DELETE')"
    role = office.database.application.user
    assert [office.rows(may, role, table)[0][0] for table in ("product", "product_item")] == [False, False]
