"""People of these tests: what an office does, on the servers of both bundles; identity numbers of any birth date."""

import itertools
import secrets
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.vocabulary import BlindColumn
from resolvers.payloads import ProblemCode
from tests.privacy.conftest import Bundled
from tests.writing.conftest import Customer, Office
from vault.blind import blind
from vault.keyring import load

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_orders = itertools.count(secrets.randbelow(900))
ADULT = date(1990, 3, 7)
STANDING = "... on GuardianLinkStanding { id state }"


def today() -> date:
    """The day it is where the brokerage is."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def born(years: int, *, days: int = 0) -> date:
    """Who turned so many years old today; `days` from now instead.

    In a year without such a day: who has already, the latest born, or who is about to, the first born.
    """
    day = today() + timedelta(days=days)
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 3, 1) if days > 0 else date(day.year - years, 2, 28)


def number(birth: date) -> str:
    """A new resident's identity number of somebody born on a day."""
    order = next(_orders)
    plain = f"11010{order // 1000 % 2 + 5}{birth:%Y%m%d}{order % 1000:03d}"
    total = sum(int(one) * weight for one, weight in zip(plain, _WEIGHTS, strict=True))
    return plain + "10X98765432"[total % 11]


class Guarded:
    """What the tests of guardians do at one server."""

    def __init__(self, bundled: Bundled) -> None:
        self.bundle = bundled.bundle
        server = bundled.server
        self.office = Office(**vars(server), keyring=load(server.installation.keyring_path))

    def minor(self) -> date:
        """A birth date of somebody under age."""
        return born(self.bundle.age_of_majority - 3)

    def known(
        self, birth: date, name: str = "孙小明", *, found: bool = True, of: str | None = None
    ) -> tuple[Customer, str]:
        """Somebody with an account whose name, number (by default one of their own) and birth date are on record."""
        person, id_number = self.office.customer(), of or number(birth)
        self.office.know(person.person, name=name, idNumber=id_number, birthDate=birth.isoformat())
        self.office.execute("UPDATE person SET id_type = 'RESIDENT_ID' WHERE id = $1", person.person)
        if found:
            self.findable(person, id_number)
        return person, id_number

    def findable(self, person: Customer, id_number: str) -> None:
        """Let somebody be found by their number."""
        self.office.execute(
            'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)',
            *(int(BlindColumn.ID_NUMBER), blind(self.office.keyring, "id_number", id_number), person.person),
        )

    def holds_passport(self, person: Customer) -> str:
        """Let the document on somebody's record be a passport, whose number tells no birth date; that number."""
        passport = f"E{secrets.randbelow(10**8):08d}"
        self.office.know(person.person, idNumber=passport)
        self.office.execute("UPDATE person SET id_type = 'PASSPORT' WHERE id = $1", person.person)
        self.findable(person, passport)
        return passport

    def request(self, guardian: Customer, id_number: str, name: str = "孙小明", **more):
        """Ask for a link."""
        given = {
            "child": {"name": name, "idNumber": id_number, **more.pop("child", {})},
            "evidence": {"kind": "HOUSEHOLD_REGISTER", "reference": "柜台 2026-0017", **more},
        }
        return self.office.write(
            "requestGuardianLink", given, token=guardian.token, purpose="account_service", show=STANDING
        )

    @property
    def officer(self) -> str:
        """A privacy officer's token."""
        return self.office.token("privacy_officer", purposes=["administration"])

    def verify(self, link: str, guardian: tuple[str, str], child: tuple[str, str], *, token=None, purpose=None, **more):
        """Decide on a request with a document that names these two, each by name and number."""
        document = {
            "guardianName": guardian[0],
            "guardianIdNumber": guardian[1],
            "childName": child[0],
            "childIdNumber": child[1],
            **more.pop("births", {}),
        }
        given = {"id": link, "verdict": "APPROVED", "document": document, **more}
        return self.office.write(
            "verifyGuardianLink",
            given,
            token=token or self.officer,
            purpose=purpose or "administration",
            show=STANDING,
        )

    def revoke(self, link: str, token: str, purpose: str = "account_service"):
        """End a link."""
        return self.office.write("revokeGuardianLink", {"id": link}, token=token, purpose=purpose, show=STANDING)

    def as_guardian(self, person: Customer) -> str:
        """A token of somebody as a guardian."""
        return self.office.token("guardian", user=person.username, purposes=["account_service", "rights_request"])

    def birth_date_of(self, guardian: Customer, child: Customer):
        """What a guardian reads of a child; None where the child does not exist for them."""
        query = "query($id: ID!) { user(id: $id) { birthDate } }"
        answer = self.office.post(
            query, {"id": child.id}, token=self.as_guardian(guardian), purpose="account_service"
        ).json()
        return answer["data"]["user"] and answer["data"]["user"]["birthDate"]

    def nickname(self, actor_token: str, user: str | None = None):
        """Collect something, a nickname: by the person or, of `user`, by a guardian; the problem's code, or None."""
        given = {"nickname": f"n{secrets.token_hex(3)}", **({"user": user} if user else {})}
        found = self.office.write("updateProfile", given, token=actor_token, purpose="account_service")
        return found.get("code")

    def linked(self, child_name: str = "孙小明") -> tuple[Customer, Customer, str]:
        """A guardian, a child with an account, and the id of their verified link."""
        guardian, own = self.known(ADULT, "孙大明")
        child, theirs = self.known(self.minor(), child_name)
        link = self.request(guardian, theirs, child_name)["id"]
        assert self.verify(link, ("孙大明", own), (child_name, theirs))["state"] == "VERIFIED"
        return guardian, child, link


NEEDS_GUARDIAN = ProblemCode.MINOR_NEEDS_GUARDIAN.value
