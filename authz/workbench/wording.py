"""Rules and what is said of them, as sentences for whoever asks on the command line or in the console."""

from authz.rules import Rule
from authz.vocabulary import ANY, Effect, Reason, Relation
from authz.workbench.explain import Candidate, Explanation, Failed
from authz.workbench.missing import Missing
from authz.workbench.readings import Act

_FAILED = {
    Failed.PURPOSE: "it is for another purpose",
    Failed.RELATION: "the relation does not hold",
    Failed.BASIS: "the basis is not open",
    Failed.NOTICE: "no notice that the person agreed to tells of this use",
    Failed.TOGETHER: "relation and basis hold, but by different records",
    Failed.ACTION: "it allows something else",
    Failed.UNMASKABLE: "this field has no masked form",
    Failed.OVERRIDDEN: "a rule that denies wins over it",
    Failed.NOT_YET: "it is not in force yet",
    Failed.EXPIRED: "it is no longer in force",
}
_REASONS = {
    Reason.UNAVAILABLE: "it could not be decided or recorded",
    Reason.LIMIT: "a ceiling of the token or of the rules was reached",
    Reason.TOKEN_SCOPE: "the token narrows it",
    Reason.STEP_UP: "a second factor is needed",
    Reason.RULE_DENIES: "a rule denies it",
    Reason.ROLE: "no rule gives it to this role for any purpose",
    Reason.PURPOSE: "no rule gives it to this role for this purpose",
    Reason.RELATION: "nothing ties the subject to the person as a rule asks",
    Reason.BASIS: "no basis that a rule asks for is open",
}
_NONE = Relation.NONE.value
_TOKENS = {Reason.TOKEN_SCOPE: "a token that is not narrowed so", Reason.STEP_UP: "a second factor"}


def rule_said(rule: Rule) -> str:
    """A rule as a sentence, with its clause and the time for which it holds."""
    when = f" from {rule.valid_from}" if rule.valid_from else ""
    when += f" until {rule.valid_until}" if rule.valid_until else ""
    return (
        f"{rule.effect} {rule.role} for {rule.purpose}, {_condition(rule.relation, rule.basis)},"
        f" to {rule.action} {rule.object}{when} ({rule.clause})"
    )


def pair_said(relation: str, basis: str) -> str:
    """A pair as `situation` has it in records."""
    return f"{relation}/{basis}"


def effect_said(effect: Effect | None, act: Act) -> str:
    """What is answered, in a word."""
    if effect is None:
        return "not told"
    return effect.name if act is Act.SHOW else "ALLOWED" if effect else "DENIED"


def reason_said(reason: Reason) -> str:
    """A reason as a clause of a sentence."""
    return _REASONS[reason]


def candidate_said(candidate: Candidate) -> str:
    """What of a candidate does not hold."""
    if candidate.failed:
        return ", and ".join(_FAILED[one] for one in candidate.failed)
    return "it speaks here" if candidate.holds else "it is for this: whether it holds is not told"


def missing_said(missing: Missing, act: Act) -> str:
    """What would give more."""
    said = []
    if missing.pair is not None:
        said.append(f"one record that witnesses {pair_said(*missing.pair)}")
    if missing.purpose is not None:
        said.append(f"the purpose {missing.purpose}")
    said += [_TOKENS[one] for one in missing.token]
    said += ["a notice that tells of this use, agreed to by the person,"] if missing.notice else []
    gives = "more" if missing.gives is None else effect_said(missing.gives, act)
    return f"{' and '.join(said)} would give {gives}"


def answer_said(one: Explanation) -> str:
    """The answer and its reason."""
    said = f"{one.role} for {one.purpose}, {one.act} {one.coordinate}: {effect_said(one.effect, one.act)}"
    if one.missing is not None and one.missing.notice:
        said += f", since {_FAILED[Failed.NOTICE]} ({one.reason}, C75)"
    elif one.reason is not None:
        said += f", since {reason_said(one.reason)} ({one.reason})"
    elif one.effect is not None and one.by_rules is not None and one.effect < one.by_rules:
        said += f": the rules give {effect_said(one.by_rules, one.act)}, the token narrows it"
    return said


def _condition(relation: str, basis: str) -> str:
    if relation == basis == ANY:
        return "whatever holds"
    words = [
        f"no {what}" if word == _NONE else word
        for what, word in (("relation", relation), ("basis", basis))
        if word != ANY
    ]
    return f"when {' and '.join(words)}"
