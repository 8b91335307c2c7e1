"""What a letter to somebody affected by an incident says, in Chinese and in English; and the words for categories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from models.vocabulary import Category
from privacy.notice_contents import Party

_SHANGHAI = ZoneInfo("Asia/Shanghai")

WORDS: Mapping[Category, tuple[str, str]] = {
    Category.NAME: ("姓名", "name"),
    Category.GOVERNMENT_ID: ("身份证件信息", "identity document"),
    Category.DEMOGRAPHIC: ("出生日期和性别", "birth date and gender"),
    Category.PHONE: ("手机号码", "phone number"),
    Category.RELAY: ("虚拟号码", "relay number"),
    Category.EMAIL: ("电子邮箱", "email address"),
    Category.ADDRESS: ("地址", "address"),
    Category.BANK_ACCOUNT: ("银行账户", "bank account"),
    Category.OCCUPATION: ("职业", "occupation"),
    Category.HEALTH: ("健康和医疗信息", "health and medical data"),
    Category.INCIDENT: ("出险经过", "what a claim is about"),
    Category.EXPENSE: ("医疗及理赔费用", "expenses of a claim"),
    Category.FINANCIAL: ("保费和保险金额", "premiums and sums insured"),
    Category.DEVICE: ("设备信息", "device data"),
    Category.PROFILE: ("个人资料", "profile"),
    Category.ACCOUNT: ("用户名", "username"),
    Category.TAG: ("标签", "tags"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a letter says; `masked`: categories of which a part was shown, and nothing in clear."""

    facts: str
    impact: str
    measures: str
    advice: str
    first: datetime
    last: datetime
    revealed: tuple[Category, ...]
    masked: tuple[Category, ...]
    other: bool
    """Did records of them show besides: ids, numbers, states?"""
    changed: bool


def chinese(said: Said, responsible: Party) -> str:
    """The letter in Chinese."""
    lines = [
        "关于您个人信息的安全事件告知",
        f"发生了什么：{said.facts}",
        f"时间：{_moment(said.first)} 至 {_moment(said.last)}（北京时间）",
        _line("涉及您的信息（完整显示）：", _words(said.revealed, 0), "、"),
        _line("涉及您的信息（部分遮盖）：", _words(said.masked, 0), "、"),
        "涉及与您有关的记录的编号、状态和日期。" if said.other else "",
        "与您有关的记录在此期间被更改。" if said.changed else "",
        f"可能的影响：{said.impact}",
        f"已采取和将采取的措施：{said.measures}",
        f"建议您：{said.advice}",
        f"联系我们：{responsible.department}，{responsible.contact}，{responsible.address}",
        f"投诉：{responsible.complaints}",
    ]
    return "\n".join(line for line in lines if line)


def english(said: Said, responsible: Party) -> str:
    """The letter in English; what the brokerage wrote stands in it as it was written."""
    lines = [
        "A security incident that concerns your personal information",
        f"What happened: {said.facts}",
        f"When: {_moment(said.first)} to {_moment(said.last)} (Beijing time)",
        _line("Yours that was shown in clear: ", _words(said.revealed, 1), ", "),
        _line("Yours that was shown in part: ", _words(said.masked, 1), ", "),
        "Numbers, states and dates of records about you were shown." if said.other else "",
        "Records about you were changed in that time." if said.changed else "",
        f"What it may lead to: {said.impact}",
        f"What has been and will be done: {said.measures}",
        f"What you can do: {said.advice}",
        f"Contact: {responsible.department}, {responsible.contact}, {responsible.address}",
        f"Complaints: {responsible.complaints}",
    ]
    return "\n".join(line for line in lines if line)


def _words(categories: Sequence[Category], language: int) -> list[str]:
    return [WORDS[one][language] for one in categories]


def _line(head: str, words: Sequence[str], between: str) -> str:
    return head + between.join(words) if words else ""


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(_SHANGHAI):%Y-%m-%d %H:%M}"
