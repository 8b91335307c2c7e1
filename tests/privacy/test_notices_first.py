"""The first notice: it is the seed's policy, tells of all that the default rules show, and is never another one."""

import asyncio

import pytest

from authz.default_rules import RULES
from authz.law import Notices
from authz.rules import read_rules
from authz.vocabulary import Action, RuleEffect
from models.database import connect_once
from models.notices import FIRST
from models.organizations import OrganizationKind
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Category, Purpose, Role, to_bits
from privacy.notices import default_notice

SHOWING = {Action.REVEAL, Action.MASK}


def shown(role: Role, purpose: Purpose) -> set[Category]:
    found = [one for one in read_rules(RULES) if (one.role, one.purpose) == (role, purpose) and one.action in SHOWING]
    return {Category(one.object) for one in found if one.effect is RuleEffect.ALLOW}


def test_c82_the_first_version_is_the_published_one_for_good():
    found = default_notice()
    assert (found.version, found.digest) == FIRST
    assert found.effective_on.isoformat() == "2020-10-26"
    assert found.summary == "收集和使用个人信息的目的、范围、共享、存储、保护，以及您的权利。"


@pytest.mark.parametrize("role", sorted(set(Role) - PERSON_ROLES))
def test_c75_the_first_version_tells_of_all_that_the_default_rules_show_anybody(role):
    told = default_notice().told
    kind = OrganizationKind[role.name] if role in PARTNER_ROLES else OrganizationKind.BROKER
    for purpose in Purpose:
        missing = shown(role, purpose) - {one for one in Category if told.get((purpose, kind), 0) & one.bit}
        assert not missing, (role, purpose)
    # So no statement asks which version somebody agreed to, and reading costs what it did.
    notices = Notices({1: told})
    assert all(notices.versions(role, purpose, to_bits(shown(role, purpose))) == () for purpose in Purpose)


def test_the_first_version_is_no_blank_cheque():
    told = default_notice().told
    assert not told.get((Purpose.MARKETING, OrganizationKind.INSURER), 0) & to_bits({Category.PHONE, Category.HEALTH})
    assert told[Purpose.HEALTH_SERVICE, OrganizationKind.HEALTH_PROVIDER] == to_bits(
        {Category.NAME, Category.GOVERNMENT_ID, Category.PHONE}
    )
    assert (Purpose.MARKETING, OrganizationKind.AD_PARTNER) not in told
    assert (Purpose.MARKETING, OrganizationKind.SERVICE_PROVIDER) not in told
    assert (Purpose.RESEARCH, OrganizationKind.AFFILIATE) not in told


def test_the_first_version_holds_every_section_of_the_policy_by_its_numbers():
    numbers = [one.number for one in default_notice().clauses]
    sections = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一"]
    assert {one.split("(")[0].rstrip("0123456789").removesuffix("末段") for one in numbers[1:]} == set(sections)
    assert {"一(一)1", "二(八)", "三8", "四4", "五(一)5(1)", "七(二)5", "九6"} <= set(numbers)


def test_every_installation_has_it_published_from_its_first_start_on(bundled):
    async def rows():
        connection = await connect_once(bundled.server.database.owner)
        try:
            return await connection.fetch("SELECT version, digest, major, published_by FROM notice ORDER BY number")
        finally:
            await connection.close()

    assert [tuple(row) for row in asyncio.run(rows())][:1] == [(*FIRST, True, "needful")]
