"""Minors: the ID number tells the age, the bundle the limit, and below it nobody acts without a guardian (C71)."""

from datetime import date

import pytest

from models.installation import InstallationError
from models.people import age
from privacy.bundles import AGE, BUNDLE, bundle_of
from resolvers.serving.settings import Settings
from tests.privacy import guarding
from tests.privacy.guarding import NEEDS_GUARDIAN, Guarded, born, number

# Each on their birthday, and on the day before it.
AGES = [(years, days) for years in (13, 14, 17, 18) for days in (0, 1)]


@pytest.fixture
def guarded(bundled):
    return Guarded(bundled)


def of_age(guarded, years, days):
    return years - (days > 0) >= guarded.bundle.age_of_majority


@pytest.mark.parametrize("years, days", AGES)
def test_c71_whoever_gives_an_id_number_that_tells_a_minor_needs_a_guardian(guarded, years, days):
    office, me = guarded.office, guarded.office.customer()
    given = {"idNumber": number(born(years, days=days))}
    found = office.write("updateProfile", given, token=me.token, purpose="account_service")
    kept = office.rows("SELECT birth_date_sealed IS NOT NULL FROM person WHERE id = $1", me.person)[0][0]
    if of_age(guarded, years, days):
        assert (found["__typename"], kept) == ("User", True)
        assert office.stored("User", me.person, owner=me.person)["birthDate"] == born(years, days=days).isoformat()
    else:
        assert (found["code"], found["clause"], kept) == (NEEDS_GUARDIAN, "C71", False)


@pytest.mark.parametrize("years, days", AGES)
def test_c71_below_the_limit_a_guardian_acts_and_from_the_birthday_on_the_person_alone(guarded, years, days):
    office, child = guarded.office, guarded.office.customer()
    office.know(child.person, birthDate=born(years, days=days).isoformat())
    guardian = office.guardian(child.person)
    alone, guided = guarded.nickname(child.token), guarded.nickname(guardian.token, child.id)
    if of_age(guarded, years, days):
        assert (alone, guided) == (None, "NOT_FOUND"), "a person of age has no guardian"
    else:
        assert (alone, guided) == (NEEDS_GUARDIAN, None)


def test_c71_the_age_is_the_bundles_unless_it_is_set_and_stands_in_one_place():
    assert [bundle_of({BUNDLE: name}).age_of_majority for name in ("seed", "pipl")] == [18, 14]
    for name in ("seed", "pipl"):
        found = Settings.read({BUNDLE: name, AGE: "16"}).bundle
        assert (found.age_of_majority, found.name) == (16, name)
    with pytest.raises(InstallationError, match="must be a number from 14 to 21"):
        bundle_of({AGE: "12"})


@pytest.mark.parametrize("today", [date(2028, 2, 28), date(2028, 2, 29), date(2027, 2, 28)])
def test_these_tests_know_who_is_of_age_in_leap_years_too(monkeypatch, today):
    monkeypatch.setattr(guarding, "today", lambda: today)
    assert [age(born(18, days=days), today) for days in (0, 1)] == [18, 17]
