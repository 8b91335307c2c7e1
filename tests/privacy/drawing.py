"""Draws histories: what happens to some people's consents, cases and notices, and then in which order."""

from collections.abc import Iterator, Sequence
from random import Random

from models.vocabulary import Category
from tests.privacy import naive
from tests.privacy.naive import Agreed, Asker, Closed, Granted, Opened, Published, Requested, Withdrawn

CATEGORIES = tuple(category.value for category in Category)
FUNCTIONS = (
    *((purpose, naive.BROKER) for purpose in ("verification", "marketing", "policy_service", "rights_request")),
    *(("verification", kind) for kind in ("AFFILIATE", "SERVICE_PROVIDER")),
    *(("marketing", kind) for kind in ("INSURER", "HEALTH_PROVIDER", "AFFILIATE")),
    ("policy_service", "INSURER"),
)
OF_CLAIM = ("risk_analyst", "service_provider")
"""The roles that verify claims."""


class Drawing:
    """Draws one history: what happens, and then in which order."""

    def __init__(self, random: Random, people: Sequence[naive.Known], askers: Sequence[Asker], bundle: str) -> None:
        self._random, self._known, self._askers = random, people, askers
        self._people = range(len(people))
        self._apart = sorted(naive.terms_of(bundle).apart)

    def events(self) -> Iterator[naive.Event]:
        found = [*self._notices(), *self._consents()]
        yield from sorted(found, key=lambda event: event.at)

    def _notices(self) -> Iterator[naive.Event]:
        chance = self._random
        told = {function: frozenset(CATEGORIES) for function in FUNCTIONS}
        count = chance.choice((0, 1, 2, 2, 3, 3, 4))
        for number in range(1, count + 1):
            at = -100.0 + 20 * number
            for function in chance.sample(FUNCTIONS, chance.randrange(4) if number > 1 else chance.choice((0, 0, 2))):
                told[function] = self._some(chance.choice((0, 5, 12, 17)))
            yield Published(at, number, chance.choice((at, at + 10, 5.0)), dict(told))
            for person in self._people:
                for _ in range(chance.choice((0, 1, 1, 2))):
                    yield Agreed(chance.uniform(at, 0), person, number, chance.choice((True, True, True, False, None)))

    def _some(self, size: int) -> frozenset[str]:
        return frozenset(self._random.sample(CATEGORIES, size))

    def _agreed_to(self) -> frozenset[str]:
        """Categories as people agree to them: all, some, such as stand apart, or nearly so."""
        chance = self._random
        kind = chance.randrange(4)
        if kind == 0 or not self._apart:
            return frozenset(CATEGORIES) if kind == 0 else self._some(chance.randrange(1, 17))
        apart = frozenset(chance.sample(self._apart, chance.randrange(1, len(self._apart) + 1)))
        return apart if kind < 3 else apart | self._some(1)

    def _consents(self) -> Iterator[naive.Event]:
        chance, consents = self._random, []
        askers = [one for one in self._askers if one.purpose in ("verification", "marketing")]
        for number in range(chance.randrange(3, 11)):
            asker = chance.choice(askers)
            at = chance.uniform(-90, -1) if chance.random() < 0.8 else chance.uniform(-1500, -90)
            expires = chance.choice((None, None, at / 2, 7.0))
            one = Granted(
                at, number, chance.choice(self._people), asker.purpose, asker.recipient, self._agreed_to(), expires
            )
            consents.append(one)
            yield one
            if chance.random() < 0.25:
                yield Withdrawn(chance.uniform(at, 0), number)
        workers = sorted({one.name for one in askers if one.role in OF_CLAIM})
        for number, consent in enumerate(chance.choices(consents, k=chance.randrange(6))):
            person = consent.person
            of_claim = self._known[person].claim is not None and chance.random() < 0.6
            yield Opened(
                chance.uniform(consent.at, 0), number, person, consent.consent, chance.choice(workers), of_claim
            )
            if chance.random() < 0.2:
                yield Closed(-0.01, case=number)
        for number in range(chance.randrange(3)):
            yield Requested(-20.0, number, chance.choice(self._people), chance.choice(("privacy01", "privacy02")))
            if chance.random() < 0.3:
                yield Closed(-10.0, request=number)
