"""An impact in the consumer's words, English or Chinese: whom something is revealed to, and what it breaks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from authz.vocabulary import Effect
from authz.workbench.impact_changes import REFUSED, Change, Moved
from ledger.rows import FOUND, WRITE
from models.vocabulary import Purpose, Role

if TYPE_CHECKING:
    from authz.workbench.impact import Impact

_NAMED = 5
"""How many operations of a team are named in a sentence; the list has all."""


class Language(StrEnum):
    """The language of sentences."""

    ENGLISH = "en"
    CHINESE = "zh"


def sentences(impact: "Impact", language: Language = Language.ENGLISH) -> list[str]:
    """What the impact says, the most operations first; the last ones say of which moments, and what was left out."""
    words = _WORDS[language]
    return [
        words.looked_at.format(
            operations=_number(impact.operations),
            registered=_number(impact.registered),
            since=impact.since.date().isoformat(),
            until=impact.until.date().isoformat(),
        ),
        *(list(_changed(impact, words)) or [words.nothing]),
        *_moments(impact, words),
        *_left_out(impact, words),
    ]


@dataclass(frozen=True, slots=True)
class _Words:
    """One language; `consumer` gives the role's word for a number of organizations, or 0 for the brokerage's own."""

    looked_at: str
    nothing: str
    shown: Mapping[tuple[str, str], str]
    """By effects before and after, what happens to `{what}` of `{who}`."""
    operations: str
    uncertain: str
    consumer: Callable[[str, int], str]
    purposes: Mapping[str, str]
    teams: Mapping[str, str]
    anybody: Mapping[str, str]
    comma: str
    moments: str
    worst: str
    left_out: Mapping[str, str]


def _changed(impact: "Impact", words: _Words) -> Iterator[str]:
    groups: defaultdict[tuple[str, str, str, str, str, bool], list[Change]] = defaultdict(list)
    for one in impact.changes:
        groups[one.role, one.purpose, one.coordinate, one.before, one.after, one.certain].append(one)
    counted = [(sum(one.operations for one in group), place, group) for place, group in groups.items()]
    for operations, place, group in sorted(counted, key=lambda one: (-one[0], one[1])):
        role, purpose, coordinate, before, after, certain = place
        partners = len({one.organization for one in group if one.organization})
        happens = words.shown[before, after].format(what=f"`{coordinate}`", who=words.consumer(role, partners))
        within = words.operations.format(
            operations=_number(operations),
            all=_number(impact.purposes[purpose]),
            purpose=words.purposes.get(purpose, purpose),
        )
        told = f"{happens}{within}"
        yield told if certain else words.uncertain.format(told=told)
    yield from _registered(impact.moved, words)


def _registered(moved: Iterable[Moved], words: _Words) -> Iterator[str]:
    """What becomes of each operation, with the others of its team; one that breaks may show more as well."""
    fates: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for one in moved:
        place = one.team, one.name, one.hash, one.role, one.purpose
        fates[place].add(0 if one.breaks else 1 if one.opens else _CHANGES)
    groups: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for (team, name, *_), found in fates.items():
        for fate in found - {_CHANGES} or found:
            groups[fate, team].append(name)
    for (fate, team), names in sorted(groups.items()):
        template = (words.teams if team else words.anybody)[_FATES[fate]]
        yield template.format(
            count=_number(len(names)),
            s="" if len(names) == 1 else "s",
            team=team,
            names=_listed(names, words.comma),
        )


_FATES = ("breaks", "opens", "changes")
_CHANGES = 2


def _moments(impact: "Impact", words: _Words) -> Iterator[str]:
    if impact.moments:
        yield words.moments.format(moments=words.comma.join(impact.moments))
    if impact.worst:
        yield words.worst.format(count=_number(impact.worst))


def _left_out(impact: "Impact", words: _Words) -> Iterator[str]:
    for name, template in words.left_out.items():
        count = getattr(impact, name)
        if count:
            yield template.format(count=_number(count))


def _listed(names: Sequence[str], comma: str) -> str:
    return comma.join((*names[:_NAMED], *(("…",) if len(names) > _NAMED else ())))


def _number(count: int) -> str:
    return f"{count:,}"


_REVEAL, _MASK, _DENY = (one.name for one in sorted(Effect, reverse=True))

_ROLES_EN: Mapping[str, tuple[str, str]] = {
    Role.CUSTOMER: ("customer", "customers"),
    Role.GUARDIAN: ("guardian", "guardians"),
    Role.BROKER_AGENT: ("broker agent", "broker agents"),
    Role.CUSTOMER_SERVICE: ("customer service", "customer service"),
    Role.CLAIMS_HANDLER: ("claims handler", "claims handlers"),
    Role.RISK_ANALYST: ("risk analyst", "risk analysts"),
    Role.MARKETER: ("marketer", "marketers"),
    Role.ANALYST: ("analyst", "analysts"),
    Role.PRIVACY_OFFICER: ("privacy officer", "privacy officers"),
    Role.SECURITY_ADMIN: ("security admin", "security admins"),
    Role.AUDITOR: ("auditor", "auditors"),
    Role.DEVELOPER: ("developer", "developers"),
    Role.INSURER: ("insurer", "insurers"),
    Role.HEALTH_PROVIDER: ("health provider", "health providers"),
    Role.LOSS_ADJUSTER: ("loss adjuster", "loss adjusters"),
    Role.AFFILIATE: ("affiliate", "affiliates"),
    Role.SERVICE_PROVIDER: ("service provider", "service providers"),
    Role.AD_PARTNER: ("ad partner", "ad partners"),
    Role.ANONYMOUS: ("anonymous caller", "anonymous callers"),
}
_ROLES_ZH: Mapping[str, str] = {
    Role.CUSTOMER: "客户",
    Role.GUARDIAN: "监护人",
    Role.BROKER_AGENT: "经纪代理人",
    Role.CUSTOMER_SERVICE: "客服",
    Role.CLAIMS_HANDLER: "理赔专员",
    Role.RISK_ANALYST: "风控分析员",
    Role.MARKETER: "营销人员",
    Role.ANALYST: "数据分析员",
    Role.PRIVACY_OFFICER: "个人信息保护负责人",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.AUDITOR: "审计员",
    Role.DEVELOPER: "开发人员",
    Role.INSURER: "保险公司",
    Role.HEALTH_PROVIDER: "健康服务机构",
    Role.LOSS_ADJUSTER: "公估机构",
    Role.AFFILIATE: "关联公司",
    Role.SERVICE_PROVIDER: "服务商",
    Role.AD_PARTNER: "广告合作方",
    Role.ANONYMOUS: "匿名访问者",
}
_PURPOSES_EN: Mapping[str, str] = {
    Purpose.ACCOUNT_SERVICE: "account",
    Purpose.POLICY_SERVICE: "policy",
    Purpose.CLAIM_HANDLING: "claim",
    Purpose.HEALTH_SERVICE: "health service",
    Purpose.SERVICE_MESSAGE: "service message",
    Purpose.RIGHTS_REQUEST: "rights request",
    Purpose.REGULATORY_DISCLOSURE: "disclosure",
    Purpose.PRODUCT_DISPLAY: "product display",
}
_PURPOSES_ZH: Mapping[str, str] = {
    Purpose.ACCOUNT_SERVICE: "账户服务",
    Purpose.APPLICATION: "投保",
    Purpose.POLICY_SERVICE: "保单服务",
    Purpose.CLAIM_HANDLING: "理赔",
    Purpose.VERIFICATION: "核验",
    Purpose.HEALTH_SERVICE: "健康服务",
    Purpose.SERVICE_MESSAGE: "服务通知",
    Purpose.MARKETING: "营销",
    Purpose.ANALYTICS: "分析",
    Purpose.RESEARCH: "研究",
    Purpose.SECURITY: "安全",
    Purpose.RIGHTS_REQUEST: "个人权利请求",
    Purpose.REGULATORY_DISCLOSURE: "监管披露",
    Purpose.PRODUCT_DISPLAY: "产品展示",
    Purpose.ADMINISTRATION: "管理",
}


def _consumer_en(role: str, partners: int) -> str:
    one, many = _ROLES_EN[role]
    return f"{partners} {one if partners == 1 else many}" if partners else many


def _consumer_zh(role: str, partners: int) -> str:
    return f" {partners} 家{_ROLES_ZH[role]}" if partners else _ROLES_ZH[role]


_WORDS = {
    Language.ENGLISH: _Words(
        looked_at="Looked at {operations} operations from {since} to {until}, and at {registered} registered ones:",
        nothing="nothing changes for anybody.",
        shown={
            (_DENY, _REVEAL): "reveals {what} to {who}",
            (_MASK, _REVEAL): "reveals {what}, masked so far, to {who}",
            (_DENY, _MASK): "shows {what} masked to {who}",
            (_REVEAL, _MASK): "masks {what}, revealed so far, for {who}",
            (_REVEAL, _DENY): "hides {what}, revealed so far, from {who}",
            (_MASK, _DENY): "hides {what}, masked so far, from {who}",
            (FOUND, REFUSED): "refuses to look up by {what} to {who}",
            (WRITE, REFUSED): "refuses {what} to {who}",
        },
        operations=" in {operations} of {all} {purpose} operations",
        uncertain="may, at most: {told} (their rows do not hold what these rules ask for)",
        consumer=_consumer_en,
        purposes=_PURPOSES_EN,
        teams={
            "breaks": "breaks {count} operation{s} of the {team} ({names})",
            "opens": "shows more in {count} operation{s} of the {team} ({names})",
            "changes": "changes {count} operation{s} of the {team} ({names})",
        },
        anybody={
            "breaks": "breaks {count} operation{s} that anybody may run ({names})",
            "opens": "shows more in {count} operation{s} that anybody may run ({names})",
            "changes": "changes {count} operation{s} that anybody may run ({names})",
        },
        comma=", ",
        moments="told is what changes now or at any moment at which such rules begin or end: {moments}",
        worst="such rules begin or end at {count} moments to come: told is the most that may be shown or hidden",
        left_out={
            "stale": "left out: {count} registered operations that are refused anyway",
            "unplanned": "no time was left for {count} registered operations: the command `rules impact` plans all",
            "taken": "left out: {count} decisions of a ceiling, a budget or a fault",
            "glass": "left out: {count} operations under a broken glass",
            "unreadable": "left out: {count} texts in the ledger that are no rows",
            "pending": "left out: {count} rows that are not sealed yet",
            "limited": "only the newest {count} rows were looked at: the command `rules impact` looks at all",
        },
    ),
    Language.CHINESE: _Words(
        looked_at="查看了 {since} 至 {until} 的 {operations} 次操作，以及 {registered} 个已登记的操作：",
        nothing="对任何人都没有变化。",
        shown={
            (_DENY, _REVEAL): "向{who}显示 {what}",
            (_MASK, _REVEAL): "向{who}完整显示此前打码的 {what}",
            (_DENY, _MASK): "向{who}打码显示 {what}",
            (_REVEAL, _MASK): "对{who}打码此前完整显示的 {what}",
            (_REVEAL, _DENY): "不再向{who}显示此前完整显示的 {what}",
            (_MASK, _DENY): "不再向{who}显示此前打码的 {what}",
            (FOUND, REFUSED): "不再允许{who}按 {what} 查找",
            (WRITE, REFUSED): "不再允许{who}执行 {what}",
        },
        operations="，涉及 {all} 次{purpose}操作中的 {operations} 次",
        uncertain="至多可能{told}（相应记录中没有这些规则所需的信息）",
        consumer=_consumer_zh,
        purposes=_PURPOSES_ZH,
        teams={
            "breaks": "破坏 {team} 的 {count} 个操作（{names}）",
            "opens": "在 {team} 的 {count} 个操作中显示更多（{names}）",
            "changes": "改变 {team} 的 {count} 个操作（{names}）",
        },
        anybody={
            "breaks": "破坏任何人可执行的 {count} 个操作（{names}）",
            "opens": "在任何人可执行的 {count} 个操作中显示更多（{names}）",
            "changes": "改变任何人可执行的 {count} 个操作（{names}）",
        },
        comma="、",
        moments="以上为现在或相关规则开始、终止的下列任一时刻的变化：{moments}",
        worst="相关规则将在 {count} 个时刻开始或终止：以上为任一时刻至多可能显示或不再显示的内容",
        left_out={
            "stale": "未计入：{count} 个本来就会被拒绝的已登记操作",
            "unplanned": "因时间不足未计入：{count} 个已登记操作；命令 rules impact 查看全部",
            "taken": "未计入：{count} 项由上限、额度或故障作出的决定",
            "glass": "未计入：{count} 次紧急授权下的操作",
            "unreadable": "未计入：账本中 {count} 条不是记录的文本",
            "pending": "未计入：{count} 条尚未封存的记录",
            "limited": "只查看了最新的 {count} 条记录；命令 rules impact 查看全部",
        },
    ),
}
