"""Every clause of the privacy policy that software carries out has a place and a test, and the page says which."""

from tests.clauses import PAGE, SOFTWARE, clauses, guides, held, page, places


def test_there_are_82_clauses_in_their_order():
    assert [one.number for one in clauses()] == [f"C{number:02}" for number in range(1, 83)]


def test_every_clause_that_software_carries_out_has_a_test_of_its_number():
    tests = held()
    assert [one.number for one in clauses() if one.how & SOFTWARE and not tests[one.number]] == []


def test_the_table_has_no_hole():
    where, told, tests = places(), guides(), held()
    assert [one.number for one in clauses() if not (where[one.number] or told[one.number])] == []
    assert [one.number for one in clauses() if not tests[one.number]] == []


def test_no_test_names_a_clause_that_there_is_not():
    assert set(held()) <= {one.number for one in clauses()}


def test_the_page_is_what_the_tests_and_the_source_say():
    assert PAGE.read_text() == page(), "run python -m tests.clauses"
