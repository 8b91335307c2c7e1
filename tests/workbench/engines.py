"""Random rulesets and requests, and engines that answer them: Casbin with all rules at once, and Cedar.

Each reads the rules by itself: words, times and precedence are put into its own terms here, and nothing that the
server decides with is used for it.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random

import casbin
import cedarpy

import authz
from authz.catalogue import Catalogue, Coordinate
from authz.compile import Snapshot, compile_ruleset
from authz.narrowing import Narrowing, Only, both, compares, effects_of, refused
from authz.rules import Rule, Ruleset, in_force, make_ruleset, moment_text
from authz.situations import pair_bit
from authz.vocabulary import ANY, Action, Basis, DataSubject, Effect, Relation, RuleEffect
from authz.workbench.explain import Failed, explain, idle_rules
from authz.workbench.missing import answered
from authz.workbench.reaching import reach, who
from authz.workbench.readings import Act, Reading, Token, compiled
from models.vocabulary import Category, Purpose, Role, to_bits

MODEL = Path(authz.__file__).parent / "model.conf"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIELDS = {
    "User.name": Category.NAME,
    "User.idNumber": Category.GOVERNMENT_ID,
    "Claim.bankCard": Category.BANK_ACCOUNT,
    "Claim.diagnosis": Category.HEALTH,
    "Claim.hospital": Category.HEALTH,
    "Policy.premium": Category.FINANCIAL,
}
WRITES = ("Mutation.submitClaim", "Mutation.surrenderPolicy")
CATALOGUE = Catalogue(
    {name: Coordinate(name, category, DataSubject.INSURED) for name, category in FIELDS.items()}, writes=WRITES
)
MASKED_FORMS = {"User.name", "User.idNumber", "Claim.bankCard"}
ROLES = (Role.CUSTOMER, Role.INSURER, Role.PRIVACY_OFFICER)
PURPOSES = (Purpose.CLAIM_HANDLING, Purpose.RIGHTS_REQUEST, Purpose.POLICY_SERVICE)
PAIRS = tuple(product(Relation, Basis))
OBJECTS = (*FIELDS, *(one.value for one in dict.fromkeys(FIELDS.values())))
MOMENTS = tuple(AT + timedelta(seconds=seconds) for seconds in (-86_400, -1, 0, 1, 86_400))


@dataclass(frozen=True)
class Request:
    role: Role
    purpose: Purpose
    coordinate: str
    act: Act
    held: frozenset
    token: Token | None = None
    whole: frozenset | None = None

    @property
    def situation(self) -> int:
        return sum(pair_bit(*pair) for pair in self.held)


# What is asked about.


def seeded(seed: int) -> Random:
    """The same questions for the same seed."""
    return Random(seed)  # noqa: S311 - no secrets


def random_rules(random: Random) -> list[Rule]:
    """A few rules that get in each other's way: about few things, and several alike but for a word or two."""
    rules: dict = {}
    fields = random.sample(list(FIELDS), random.choice((1, 2, 6)))
    objects = (*fields, *{FIELDS[name].value for name in fields})
    roles, purposes = (random.sample(some, random.randint(1, 2)) for some in (ROLES, PURPOSES))
    for _ in range(random.randint(1, 14)):
        if rules and random.random() < 0.5:
            rule = altered(random.choice(list(rules.values())), random)
        else:
            rule = random_rule(random, objects, roles, purposes)
        rules[rule.sentence, rule.valid_from, rule.valid_until] = rule
    return list(rules.values())


def random_rule(random: Random, objects=OBJECTS, roles=ROLES, purposes=PURPOSES) -> Rule:
    action = random.choices(list(Action), (5, 4, 1, 1))[0]
    return Rule(
        random.choices(list(RuleEffect), (3, 1))[0],
        random.choice(roles),
        random.choice(purposes),
        random.choice((ANY, *Relation)),
        random.choice((ANY, ANY, *Basis)),
        action,
        random.choice(WRITES if action == Action.WRITE and random.random() < 0.5 else objects),
        random.choice(("C08", "C24", "C46")),
        *random_bounds(random),
    )


def random_bounds(random: Random) -> tuple[str, str]:
    """Mostly none; else from a moment, until a moment or both."""
    if random.random() < 0.8:
        return "", ""
    begin, end = sorted(random.sample([moment_text(one) for one in MOMENTS], 2))
    return random.choice(((begin, end), (begin, ""), ("", end)))


def altered(rule: Rule, random: Random) -> Rule:
    """The same rule but for a word or two of another one: a duplicate, a deny of it, a near miss."""
    other = random_rule(random)
    words = {name: getattr(rule, name) for name in Rule.__slots__}
    changing = ["effect", "relation", "basis", "purpose", "time"]
    if rule.object not in WRITES:
        changing += ["action", "action"]
    for name in random.sample(changing, random.randint(1, 2)):
        if name == "time":
            words["valid_from"], words["valid_until"] = other.valid_from, other.valid_until
        elif name == "effect":
            words["effect"] = next(one for one in RuleEffect if one != rule.effect)
        elif name == "action":
            words["action"] = random.choice((Action.REVEAL, Action.MASK))
        else:
            words[name] = getattr(other, name)
    return Rule(**words)


def random_requests(rules: list[Rule], random: Random, count: int) -> list[Request]:
    """Requests about what the rules are about, more or less."""
    return [_random_request(random.choice(rules), random) for _ in range(count)]


def _random_request(rule: Rule, random: Random) -> Request:
    named = [name for name, category in FIELDS.items() if rule.object in (name, category)]
    coordinate = random.choice(named or WRITES) if random.random() < 0.9 else random.choice((*FIELDS, *WRITES))
    act = next(one for one in Act if rule.action in one.actions)
    if coordinate in WRITES:
        act = Act.WRITE
    role = rule.role if random.random() < 0.9 else random.choice(ROLES)
    purpose = rule.purpose if random.random() < 0.8 else random.choice(PURPOSES)
    held = random_pairs(rule, random)
    token, whole = None, None
    if act is not Act.WRITE and random.random() < 0.4:
        token = random_token(random)
        # What all records witness, beside what those left to the token do.
        whole = held | random_pairs(rule, random)
    return Request(role, purpose, coordinate, act, held, token, whole)


def random_pairs(rule: Rule, random: Random) -> frozenset:
    """Up to four pairs, most of them of a rule's words, or of one of them."""
    found = set()
    for _ in range(random.randint(1, 4)):
        relation = random.choice(list(Relation))
        basis = random.choice(list(Basis))
        if rule.relation != ANY and random.random() < 0.6:
            relation = Relation(rule.relation)
        if rule.basis != ANY and random.random() < 0.6:
            basis = Basis(rule.basis)
        found.add((relation, basis))
    return frozenset(found)


def random_token(random: Random) -> Token:
    categories = to_bits({one for one in Category if random.random() < 0.8})
    most = random.choices((Effect.REVEAL, Effect.MASK, Effect.DENY), (4, 4, 1))[0]
    return Token(categories, Narrowing(random.choice(list(Only)), most, step_up=random.random() < 0.5))


# Casbin, with one enforcer over all rules.


class Naive:
    """Casbin over all rules that are in force, as authz/model.conf has it, with functions of its own."""

    def __init__(self, rules: list[Rule], at: datetime = AT) -> None:
        logging.getLogger("casbin").setLevel(logging.CRITICAL)
        model = casbin.Model()
        model.load_model_from_text(MODEL.read_text())
        self._enforcer = casbin.Enforcer(model)
        self._enforcer.add_function("holds", self._holds)
        self._enforcer.add_function("covers", lambda field, obj: obj in (field, FIELDS.get(field)))
        self._enforcer.add_function("acts", self._acts)
        self._empty = True
        for rule in rules:
            if in_time(rule, at):
                words = rule.role, rule.purpose, rule.relation, rule.basis, rule.object, rule.action, rule.effect
                self._enforcer.add_policy(*(str(word) for word in words))
                self._empty = False

    @staticmethod
    def _holds(situation: str, relation: str, basis: str) -> bool:
        pairs = [pair.split("/") for pair in situation.split()]
        return any(relation in ("any", first) and basis in ("any", second) for first, second in pairs)

    @staticmethod
    def _acts(asked: str, action: str, effect: str) -> bool:
        return (asked, action, effect) in {
            *((one, one, effect) for one in ("reveal", "mask", "filter", "write")),
            ("mask", "reveal", "allow"),
            ("reveal", "mask", "deny"),
        }

    def answer(self, request: Request) -> Effect:
        def allows(action: str) -> bool:
            situation = " ".join(f"{relation}/{basis}" for relation, basis in request.held)
            asked = request.role.value, request.purpose.value, situation, request.coordinate, action
            return not self._empty and self._enforcer.enforce(*asked)

        return by_actions(request, allows)


def by_actions(request: Request, allows) -> Effect:
    if request.act is not Act.SHOW:
        return Effect.REVEAL if allows(request.act.value) else Effect.DENY
    if allows("reveal"):
        return Effect.REVEAL
    return Effect.MASK if request.coordinate in MASKED_FORMS and allows("mask") else Effect.DENY


def in_time(rule: Rule, at: datetime) -> bool:
    begin, end = (text and datetime.fromisoformat(text) for text in (rule.valid_from, rule.valid_until))
    return (not begin or begin <= at) and (not end or at < end)


# Cedar: permit and forbid, of which forbid overrides.

ENTITIES = cedarpy.Entities.from_json_str(
    str(
        [
            *(
                {
                    "uid": {"type": "Field", "id": name},
                    "attrs": {},
                    "parents": [{"type": "Category", "id": category.value}],
                }
                for name, category in FIELDS.items()
            ),
            *({"uid": {"type": "Field", "id": name}, "attrs": {}, "parents": []} for name in WRITES),
        ]
    ).replace("'", '"')
)
_SPOKEN_TO = {
    ("allow", "reveal"): ("reveal", "mask"),
    ("allow", "mask"): ("mask",),
    ("deny", "reveal"): ("reveal",),
    ("deny", "mask"): ("reveal", "mask"),
}


def cedar_policy(rule: Rule) -> str:
    """A rule as a policy of Cedar; the time for which it holds is a condition like another."""
    actions = _SPOKEN_TO.get((rule.effect.value, rule.action.value), (rule.action.value,))
    obj = f'== Field::"{rule.object}"' if "." in rule.object else f'in Category::"{rule.object}"'
    fitting = [
        f'"{relation}/{basis}"'
        for relation, basis in PAIRS
        if rule.relation in ("any", relation.value) and rule.basis in ("any", basis.value)
    ]
    conditions = [f'context.purpose == "{rule.purpose}"', f"context.pairs.containsAny([{', '.join(fitting)}])"]
    if rule.valid_from:
        conditions.append(f"context.at >= {_seconds(rule.valid_from)}")
    if rule.valid_until:
        conditions.append(f"context.at < {_seconds(rule.valid_until)}")
    word = "permit" if rule.effect == RuleEffect.ALLOW else "forbid"
    named = ", ".join(f'Action::"{one}"' for one in actions)
    scope = f'principal == Role::"{rule.role}", action in [{named}], resource {obj}'
    return f"{word} ({scope}) when {{ {' && '.join(conditions)} }};"


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def cedar_answers(rules: list[Rule], requests: list[Request], at: datetime = AT) -> list[Effect]:
    """What Cedar answers, with all rules at once."""
    policies = cedarpy.PolicySet.from_str("\n".join(map(cedar_policy, rules)))
    asked = [
        {
            "principal": f'Role::"{one.role}"',
            "action": f'Action::"{action}"',
            "resource": f'Field::"{one.coordinate}"',
            "context": {
                "purpose": one.purpose.value,
                "pairs": [f"{relation}/{basis}" for relation, basis in one.held],
                "at": int(at.timestamp()),
            },
        }
        for one in requests
        for action in _asked(one)
    ]
    results = iter(cedarpy.is_authorized_batch(asked, policies, ENTITIES))
    answers = []
    for one in requests:
        allowed = {}
        for action in _asked(one):
            result = next(results)
            assert not result.diagnostics.errors, result.diagnostics.errors
            allowed[action] = result.allowed
        answers.append(by_actions(one, allowed.__getitem__))
    return answers


def _asked(request: Request) -> tuple[str, ...]:
    return ("reveal", "mask") if request.act is Act.SHOW else (request.act.value,)


# All of them at once.


def snapshot_of(rules: list[Rule], at: datetime = AT) -> tuple[Snapshot, Ruleset]:
    """The rules compiled as they are at a moment, and all of them."""
    whole = make_ruleset(1, rules, catalogue=CATALOGUE)
    return compile_ruleset(in_force(whole, at), CATALOGUE), whole


def differences(seed: int, *, requests: int, thorough: int) -> tuple[list[str], list[Effect]]:
    """Where engines differ about one random ruleset, and what was answered; `thorough`: requests explained in full."""
    random = seeded(seed)
    rules = random_rules(random)
    asked = random_requests(rules, random, requests)
    snapshot, whole = snapshot_of(rules)
    naive, cedar = Naive(rules), cedar_answers(rules, asked)
    idle = idle_rules(whole, AT)
    found, answers = [], []
    for place, one in enumerate(asked):
        reached = {(each.coordinate, each.act): each for each in reach(snapshot, one.role, one.purpose)}
        reacher = {(each.role, each.purpose, each.act): each for each in who(snapshot, one.coordinate)}
        reading = Reading(snapshot, one.role, one.coordinate, one.act)
        said = {
            "casbin": naive.answer(one),
            "cedar": cedar[place],
            "compiled": answered(reading, one.purpose, (one.held,), None),
            "explainer": reading.answer(one.purpose, (one.held,), None),
            "reach": _reached(reached.get((one.coordinate, one.act)), one),
            "who": _reached(reacher.get((one.role, one.purpose, one.act)), one),
        }
        answers.append(said["casbin"])
        if len(set(said.values())) > 1:
            found.append(f"seed {seed}, {one}: {said}")
        found += _reason_differs(reading, one)
        if place < thorough:
            explained = explain(snapshot, one.role, one.purpose, one.coordinate, one.situation, act=one.act, idle=idle)
            if explained.effect is not said["casbin"]:
                found.append(f"seed {seed}, {one}: explained as {explained.effect}, answered {said['casbin']}")
            if {each.rule for each in explained.candidates if Failed.NOT_YET in each.failed} - set(whole.rules):
                found.append(f"seed {seed}, {one}: a candidate that is no rule")
        if one.token is not None:
            found += _token_differs(reading, one, seed)
    return found, answers


def _reached(one, request: Request) -> Effect:
    return Effect.DENY if one is None else one.effect(request.situation)


def _reason_differs(reading: Reading, one: Request) -> list[str]:
    """The reason of a denial, as clients are told it."""
    asked = compiled(reading, one.purpose)
    if one.act is Act.FILTER or reading.answer(one.purpose, (one.held,), None):
        return []
    because = asked.why_not_write if one.act is Act.WRITE else asked.reason
    compiled_reason, read = because(one.coordinate, one.situation), reading.reason(one.purpose, (one.held,), None)
    return [] if compiled_reason is read else [f"{one}: reason {compiled_reason}, read {read}"]


def _token_differs(reading: Reading, one: Request, seed: int) -> list[str]:
    """What a token leaves of it, and why no more: as the server narrows it, and as it is read."""
    asked = compiled(reading, one.purpose)
    narrowed = one.act is Act.SHOW and compares(asked, one.token.narrowing)
    parts = (one.held, one.whole) if narrowed else (one.held,)
    effect = answered(reading, one.purpose, parts, one.token)
    read = reading.answer(one.purpose, parts, one.token)
    if one.act is Act.FILTER:
        # As resolvers/compiler.py has it: a look-up by the full value is no less than to be shown it.
        whole = one.token.narrowing.most is Effect.REVEAL and one.token.categories & FIELDS[one.coordinate].bit
        allowed = whole and asked.may_filter(one.coordinate, one.situation)
        effect = Effect.REVEAL if allowed else Effect.DENY
    if effect is not read:
        return [f"seed {seed}, {one}: narrowed to {effect}, read {read}"]
    if effect or one.act is Act.FILTER:
        return []

    coordinate = CATALOGUE[one.coordinate]
    because = refused(coordinate.category, one.token.categories, one.token.narrowing)
    if because is None:
        numbers = [sum(pair_bit(*pair) for pair in held) for held in parts]
        situation = both(numbers[0], numbers[1]) if narrowed else numbers[0]
        because = effects_of(asked, coordinate, one.token.narrowing).reason(situation)
    told = reading.reason(one.purpose, parts, one.token)
    return [] if because is told else [f"seed {seed}, {one}: narrowed because {because}, read {told}"]
