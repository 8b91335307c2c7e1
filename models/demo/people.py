"""People, their accounts, devices, relay numbers and guardian links."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from models.demo.books import Book
from models.demo.draws import Draws
from models.demo.timeline import ANCHOR, CHINA, LAST_GRANT, LAST_REPORT, MAJORITY, age, years_later
from models.demo.values import any_phone, bank_card, ip_address, personal_phone, relay_phone, resident_id
from models.demo.vocabulary import (
    COMMUNITIES,
    DEVICE_MODELS,
    DISTRICTS,
    FOREIGN_NAMES,
    GIVEN_FEMALE,
    GIVEN_MALE,
    HEALTH_DECLARATIONS,
    MAIL_HOSTS,
    MINORITY_NAMES,
    NICKNAMES,
    PUPIL,
    RETIRED,
    STREETS,
    SURNAMES,
    TAGS,
    TODDLER,
    WORK,
    District,
    Surname,
)
from models.people import Gender, IdType, PersonSource

_OPENED_FROM = date(2016, 1, 1)
_OUTSIDERS_BORN = date(1945, 1, 1), date(2005, 12, 31)
_PENSION_AGE = 60
_SCHOOL_AGE = 6
_OWN_THINGS_AGE = 8


@dataclass(frozen=True, slots=True)
class Home:
    """Where a household lives and the family name it passes on."""

    district: District
    address: str
    surname: Surname


@dataclass(frozen=True, slots=True)
class Profile:
    """Who is to be drawn. `complete`: every column is filled, and an account opened."""

    born: date
    gender: Gender
    home: Home
    family_name: bool
    complete: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """What documents say: name, its reading in Latin letters, kind and number of the document."""

    name: str
    reading: str
    id_type: IdType
    id_number: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Member:
    """One person as the rest of the household's rows needs them."""

    id: UUID
    name: str
    id_number: str
    phone: str | None
    bank_card: str | None
    born: date
    account: bool
    minor: bool


def draw_home(draws: Draws) -> Home:
    """A household's address and family name."""
    district = draws.pick(DISTRICTS)
    address = (
        f"{district.place}{draws.one(STREETS)}{draws.number(1, 899)}号{draws.one(COMMUNITIES)}"
        f"{draws.number(1, 30)}栋{draws.number(1, 4)}单元{draws.number(1, 28)}{draws.number(1, 4):02d}室"
    )
    return Home(district=district, address=address, surname=draws.pick(SURNAMES))


def draw_gender(draws: Draws) -> Gender:
    """One of the two that resident identity numbers know."""
    return Gender.FEMALE if draws.chance(0.49) else Gender.MALE


def draw_identity(draws: Draws, profile: Profile) -> Identity:
    """A name and a document that fit a profile."""
    surname = profile.home.surname if profile.family_name else draws.pick(SURNAMES)
    name, reading = _draw_name(draws, surname, gender=profile.gender)
    kind = draws.random()
    if profile.complete or kind < _RESIDENTS:
        return Identity(name, reading, IdType.RESIDENT_ID, _resident_number(draws, profile))
    if kind < _MINORITIES:
        name, reading = draws.one(MINORITY_NAMES)
        return Identity(name, reading, IdType.RESIDENT_ID, _resident_number(draws, profile))
    if kind < _PASSPORTS:
        return Identity(name, reading, IdType.PASSPORT, f"E{draws.one('ABCDEFGHJK')}{draws.digits(7)}")
    if kind < _PERMITS:
        return Identity(name, reading, IdType.HK_MACAU_TAIWAN_PERMIT, f"{draws.one('HM')}{draws.digits(8)}")
    name, reading = draws.one(FOREIGN_NAMES)
    return Identity(name, reading, IdType.FOREIGNER_PERMIT, _foreigner_number(draws, profile))


def _draw_name(draws: Draws, surname: Surname, *, gender: Gender) -> tuple[str, str]:
    pool = GIVEN_MALE if gender is Gender.MALE else GIVEN_FEMALE
    first, sound = draws.one(pool)
    if draws.chance(0.13):
        return surname.text + first, surname.reading + sound[0]
    second, last_sound = draws.one(pool)
    return surname.text + first + second, surname.reading + sound[0] + last_sound[0]


_RESIDENTS, _MINORITIES, _PASSPORTS, _PERMITS = 0.970, 0.976, 0.984, 0.994


def _resident_number(draws: Draws, profile: Profile) -> str:
    area = profile.home.district if draws.chance(0.65) else draws.pick(DISTRICTS)
    order = draws.number(0, 499) * 2 + (profile.gender is Gender.MALE)
    return resident_id(area.code, profile.born, order=order)


def _foreigner_number(draws: Draws, profile: Profile) -> str:
    # GA/T 1186-2023: 9, the issuing province, the country (ISO 3166 numeric), then as a citizen's number.
    area = f"9{profile.home.district.code[:2]}{draws.one(('840', '826', '392', '410', '380', '643'))}"
    order = draws.number(0, 499) * 2 + (profile.gender is Gender.MALE)
    return resident_id(area, profile.born, order=order)


def add_person(book: Book, profile: Profile) -> Member:
    """Draw one person, with an account where they have one."""
    draws, years = book.draws, age(profile.born)
    number, identity = book.next_person(), draw_identity(book.draws, profile)
    likely = _Likelihoods.of(profile, years=years)
    member = Member(
        id=draws.uuid(),
        name=identity.name,
        id_number=identity.id_number,
        phone=personal_phone(draws, number) if draws.chance(likely.phone) else None,
        bank_card=bank_card(draws) if draws.chance(likely.bank_card) else None,
        born=profile.born,
        account=draws.chance(likely.account),
        minor=years < MAJORITY,
    )
    _add_person_row(book, profile, member=member, identity=identity, likely=likely)
    if member.account:
        add_account(book, member, username=f"{identity.reading}{number:04d}")
    return member


@dataclass(frozen=True, slots=True)
class _Likelihoods:
    """How likely each column that may be missing is filled."""

    phone: float
    email: float
    bank_card: float
    account: float
    health: float
    profile: float
    tags: float

    @classmethod
    def of(cls, profile: Profile, *, years: int) -> "_Likelihoods":
        """By age; a complete profile has everything."""
        if profile.complete:
            return _CERTAIN
        if years >= MAJORITY:
            return _ADULT
        return _PUPIL if years >= _OWN_THINGS_AGE else _TODDLER


_CERTAIN = _Likelihoods(1, 1, 1, 1, 1, 1, 1)
_ADULT = _Likelihoods(0.99, 0.82, 0.88, 0.8, 0.75, 0.68, 0.7)
_PUPIL = _Likelihoods(0.4, 0.15, 0.15, 0.12, 0.75, 0.15, 0)
_TODDLER = _Likelihoods(0, 0, 0.03, 0, 0.8, 0, 0)


def _add_person_row(
    book: Book,
    profile: Profile,
    *,
    member: Member,
    identity: Identity,
    likely: _Likelihoods,
) -> None:
    draws = book.draws
    gender = Gender.OTHER if identity.id_type is IdType.PASSPORT and draws.chance(0.1) else profile.gender
    texts = (
        member.name,
        member.id_number,
        gender,
        member.born.isoformat(),
        member.phone,
        _email(draws, identity.reading) if draws.chance(likely.email) else None,
        profile.home.address,
        member.bank_card,
        _occupation(draws, age(member.born)),
        draws.pick(HEALTH_DECLARATIONS) if draws.chance(likely.health) else None,
        profile.home.district.region if draws.chance(likely.profile) else None,
        draws.one(NICKNAMES) if draws.chance(likely.profile) else None,
        _tags(draws) if draws.chance(likely.tags) else None,
    )
    plain = (PersonSource.DEMO, identity.id_type)
    book.batch.rows["person"].append((member.id, member.id, plain, texts))


def _email(draws: Draws, reading: str) -> str:
    return f"{reading}{draws.number(10, 99_999)}@{draws.one(MAIL_HOSTS)}"


def _occupation(draws: Draws, years: int) -> str:
    if years < _SCHOOL_AGE:
        return TODDLER
    if years < MAJORITY:
        return PUPIL
    return RETIRED if years >= _PENSION_AGE and draws.chance(0.85) else draws.pick(WORK)


def _tags(draws: Draws) -> str:
    # As JSON; no tag holds anything to escape.
    tags = sorted({draws.one(TAGS) for _ in range(draws.number(1, 4))})
    return '["' + '", "'.join(tags) + '"]'


def add_account(book: Book, member: Member, *, username: str) -> None:
    """Open an account; nobody opens one before eight years of age."""
    draws = book.draws
    opened = draws.moment(max(_OPENED_FROM, years_later(member.born, _OWN_THINGS_AGE)), LAST_GRANT)
    book.batch.rows["account"].append((draws.uuid(), member.id, (member.id, opened), (username,)))


def add_device(book: Book, member: Member) -> None:
    """A device with its push id, seen last in the year before the anchor."""
    draws = book.draws
    seen = draws.moment(ANCHOR - timedelta(days=365), ANCHOR - timedelta(days=1))
    texts = (
        draws.pick(DEVICE_MODELS),
        ip_address(draws),
        f"{draws.getrandbits(128):032x}",
        seen.astimezone(CHINA).isoformat(),
    )
    book.batch.rows["device"].append((draws.uuid(), member.id, (member.id,), texts))


def add_virtual_phone(book: Book, member: Member, *, organization: UUID | None, ended: bool = False) -> None:
    """A relay number of a recipient (None: the brokerage)."""
    draws = book.draws
    issued = draws.moment(date(2022, 1, 1), date(2025, 12, 31))
    over = draws.moment(date(2026, 1, 1), date(2026, 9, 30)) if ended else None
    plain = (member.id, organization, issued, over)
    book.batch.rows["virtual_phone"].append((draws.uuid(), member.id, plain, (relay_phone(draws),)))


def add_guardian(book: Book, guardian: Member, *, child: Member, verified: bool, revoked: bool = False) -> None:
    """A guardian's tie to a child, made before the child came of age."""
    draws = book.draws
    first = max(date(2016, 1, 1), child.born + timedelta(days=30))
    last = min(LAST_REPORT, years_later(child.born, MAJORITY))
    verified_at = draws.moment(first, min(last, date(2026, 8, 31))) if verified else None
    revoked_at = draws.moment(date(2026, 9, 1), LAST_GRANT) if revoked else None
    book.batch.add("guardian_link", draws.uuid(), plain=(guardian.id, child.id, verified_at, revoked_at))


class Outsider(NamedTuple):
    """Someone a policy or claim names who is not known as a person."""

    name: str
    id_number: str
    phone: str


def draw_outsider(draws: Draws, *, home: Home, family_name: bool) -> Outsider:
    """A relative or a friend outside the household."""
    gender = draw_gender(draws)
    name, _ = _draw_name(draws, home.surname if family_name else draws.pick(SURNAMES), gender=gender)
    order = draws.number(0, 499) * 2 + (gender is Gender.MALE)
    number = resident_id(draws.pick(DISTRICTS).code, draws.day(*_OUTSIDERS_BORN), order=order)
    return Outsider(name, number, any_phone(draws))
