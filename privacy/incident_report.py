"""The report of an incident to the authority: facts, categories, numbers, harm, measures, contact; nothing of a person.

What it has to say: PIPL, article 57; article 5 of the national rule on reporting incidents, as far as it is known here.
"""

from typing import Any
from zoneinfo import ZoneInfo

from models.vocabulary import Category
from privacy.incident_extent import Counts
from privacy.incidents import Incident
from privacy.letter_words import WORDS
from privacy.notice_contents import Content

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_SEVERITIES = {"GENERAL": "一般", "CONSIDERABLE": "较大", "MAJOR": "重大", "EXTREME": "特别重大"}
_UNKNOWN = "待查 / not known yet"


def report(incident: Incident, counted: Counts, *, content: Content) -> dict[str, Any]:
    """The report as plain values; `content`: of the notice in force, which says who answers for personal data."""
    return {
        "incident": str(incident.id),
        "drill": incident.drill,
        "controller": content.controller,
        "severity": incident.severity.value,
        "facts": incident.facts,
        "noticed": _moment(incident.noticed_at),
        "from": counted.first and _moment(counted.first),
        "to": counted.last and _moment(counted.last),
        "persons": counted.total,
        "persons_without_account_record": counted.stand_ins,
        "persons_no_longer_known": counted.unknown,
        "persons_with_changed_records": counted.changed,
        "categories": {
            one.value: {"in_clear": counted.revealed.get(one, 0), "in_part": counted.masked.get(one, 0)}
            for one in Category
            if one in counted.revealed or one in counted.masked
        },
        "impact": incident.impact,
        "measures": incident.measures,
        "advice": incident.advice,
        "letters": incident.letters_at and _moment(incident.letters_at),
        "letters_withheld": incident.withheld_reason,
        "rows": incident.rows_known,
        "rows_not_read_yet": counted.pending,
        "contact": {
            "department": content.responsible.department,
            "contact": content.responsible.contact,
            "address": content.responsible.address,
        },
    }


def as_markdown(told: dict[str, Any]) -> str:
    """The same as a document in Chinese, with English beside."""
    heading = "演练：个人信息安全事件报告 / Drill" if told["drill"] else "个人信息安全事件报告 / Report of an incident"
    letters = f"暂不告知 / withheld: {told['letters_withheld']}" if told["letters_withheld"] else "尚未告知 / not yet"
    rows = [
        ("报告单位 / Operator", told["controller"]),
        ("级别 / Severity", f"{_SEVERITIES[told['severity']]} / {told['severity']}"),
        ("事件经过 / Facts", told["facts"]),
        ("发现时间 / Noticed", told["noticed"]),
        ("涉及时间 / Period", f"{told['from'] or _UNKNOWN} – {told['to'] or _UNKNOWN}"),
        ("涉及人数 / Persons", str(told["persons"])),
        ("其中非账户登记人 / Not users", str(told["persons_without_account_record"])),
        ("其中已删除 / No longer known", str(told["persons_no_longer_known"])),
        ("记录被更改 / Records changed", str(told["persons_with_changed_records"])),
        ("可能的危害 / Possible harm", told["impact"] or _UNKNOWN),
        ("已采取措施 / Measures", told["measures"] or _UNKNOWN),
        ("对个人的建议 / Advice", told["advice"] or _UNKNOWN),
        ("告知个人 / Persons told", told["letters"] or letters),
        ("联系方式 / Contact", "，".join(told["contact"].values())),
    ]
    lines = [f"# {heading}", "", *(f"* **{name}**：{value}" for name, value in rows), ""]
    lines += ["| 信息种类 / Category | 完整 / in clear | 部分 / in part |", "|---|---|---|"]
    for name, number in told["categories"].items():
        words = " / ".join(WORDS[Category(name)])
        lines.append(f"| {words} | {number['in_clear']} | {number['in_part']} |")
    return "\n".join(lines)


def _moment(moment: Any) -> str:  # noqa: ANN401 - a datetime
    text: str = moment.astimezone(_SHANGHAI).isoformat(timespec="minutes")
    return text
