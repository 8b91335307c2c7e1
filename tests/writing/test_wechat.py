"""What WeChat supplies: four items, all of them and nothing else, tagged with that source (C02, C03)."""

import pytest

from tests.writing.test_profile import CHILD, stored, update, version

ITEMS = {
    "region": "广东 深圳",
    "gender": "FEMALE",
    "nickname": "小雨☔",
    "avatar": "https://thirdwx.qlogo.cn/mmopen/vi_32/Q0j4TwGTfTK/132",
}
SHOWN = "... on User { region gender nickname avatar profileSource counted: version corrections { coordinate } }"
WITHOUT = "Without them there is no account through WeChat, and no purchase with it; browsing products goes on."


@pytest.fixture(scope="module")
def refused(office):
    """Somebody of whom nothing that is refused is kept."""
    return office.customer()


def link(office, token, **given):
    return office.write("linkWechat", given, token=token, purpose="account_service", show=SHOWN)


def test_c02_wechat_supplies_region_gender_nickname_and_avatar_tagged_with_that_source(office):
    me = office.customer()
    found = link(office, me.token, **ITEMS)
    assert {item: found[item] for item in ITEMS} == ITEMS
    assert (found["profileSource"], found["counted"], found["corrections"]) == ("WECHAT", 2, [])
    known = {item for item, value in stored(office, me.person).items() if value is not None}
    assert known == {*ITEMS, "profileSource", "phone"}, "nothing else"


@pytest.mark.parametrize(
    "item, value", [("phone", "13812341234"), ("openId", "oabc"), ("name", "张三"), ("city", "深圳")]
)
def test_c02_any_other_item_is_refused(office, refused, item, value):
    me = refused
    document = "mutation($input: LinkWechatInput!) { linkWechat(input: $input) { __typename } }"
    body = office.post(document, {"input": {**ITEMS, item: value}}, token=me.token, purpose="account_service").json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert version(office, me.person) == 1


@pytest.mark.parametrize("left_out", [("region",), ("gender",), ("nickname",), ("avatar",), tuple(ITEMS)])
@pytest.mark.parametrize("blank", [False, True])
def test_c03_a_refused_item_is_named_with_what_follows_from_it(office, refused, left_out, blank):
    me = refused
    given = {item: value for item, value in ITEMS.items() if item not in left_out}
    if blank:
        given |= {item: None if item == "gender" else " " for item in left_out}
    found = link(office, me.token, **given)
    assert (found["code"], found["clause"], found["consequence"]) == ("ITEM_MISSING", "C03", WITHOUT)
    assert found["items"] == [{"field": item, "clause": "C02"} for item in left_out]
    assert version(office, me.person) == 1


def test_c02_a_second_time_changes_what_changed_and_keeps_what_it_was(office):
    me = office.customer()
    link(office, me.token, **ITEMS)
    assert link(office, me.token, **ITEMS)["counted"] == 2, "nothing changed"
    found = link(office, me.token, **{**ITEMS, "nickname": "大雨", "avatar": "https://wx.qlogo.cn/2"})
    assert (found["nickname"], found["avatar"], found["counted"]) == ("大雨", "https://wx.qlogo.cn/2", 3)
    assert {one["coordinate"] for one in found["corrections"]} == {"User.nickname", "User.avatar"}


def test_the_gender_of_the_identity_card_stays(office):
    me = office.customer()
    update(office, me.token, idNumber="110101199003074514", gender="MALE")
    assert link(office, me.token, **ITEMS)["gender"] == "MALE"


@pytest.mark.parametrize(
    "avatar",
    [
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "http://wx.qlogo.cn/1",
        "//wx.qlogo.cn/1",
        "https://",
        "https://localhost/1",
        "https://127.0.0.1/1",
        "https://[::1]/1",
        "https://2130706433/1",
        "https://user:pass@wx.qlogo.cn/1",
        "https://wx.qlogo.cn:22/1",
        'https://wx.qlogo.cn/"onload="alert(1)',
        "https://wx.qlogo.cn/<script>",
        "https://wx.qlogo.cn/a b",
        "https://wx.qlogo.cn/\n1",
        "https://wx.qlogo.cn/1#fragment",
        "https://wx.qlogo.cn/" + "a" * 512,
        "***",
    ],
)
def test_an_avatar_is_an_https_address_of_bounded_length(office, refused, avatar):
    me = refused
    found = link(office, me.token, **{**ITEMS, "avatar": avatar})
    assert (found["code"], found["field"]) == ("ITEM_INVALID", "avatar")
    assert version(office, me.person) == 1


def test_c71_a_minor_links_wechat_only_with_a_guardians_agreement(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD)
    assert link(office, child.token, **ITEMS)["code"] == "MINOR_NEEDS_GUARDIAN"
    mother = office.guardian(child.person)
    office.agree(mother, child.person, "account_service")
    assert link(office, child.token, **ITEMS)["__typename"] == "User"


def test_nobody_links_somebody_else(office):
    token = office.token("guardian", purposes=["account_service"])
    assert link(office, token, **ITEMS)["code"] == "WRITE_DENIED"
