"""Users: persons known as account holder, policyholder or insured."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from authz.vocabulary import DataSubject
from models.audiences import MarketingChannel
from models.people import Gender, IdType
from models.vocabulary import Category
from schema.access import Access
from schema.connections import Connection
from schema.corrections import Correction
from schema.devices import Device
from schema.fields import edge, public, sensitive
from schema.nodes import Node
from schema.notices import Notice
from schema.permissions import Permission

if TYPE_CHECKING:
    from schema.claims import Claim
    from schema.consents import Consent
    from schema.policies import Policy

strawberry.enum(IdType)
strawberry.enum(Gender)
strawberry.enum(MarketingChannel)


@strawberry.type
class User(Node):
    """A data subject; `username` is null without an account."""

    username: str | None = sensitive(Category.ACCOUNT, of=DataSubject.USER)
    name: str | None = sensitive(Category.NAME, of=DataSubject.USER)
    id_type: IdType | None = public()
    id_number: str | None = sensitive(Category.GOVERNMENT_ID, of=DataSubject.USER)
    gender: Gender | None = sensitive(Category.DEMOGRAPHIC, of=DataSubject.USER)
    birth_date: date | None = sensitive(Category.DEMOGRAPHIC, of=DataSubject.USER)
    phone: str | None = sensitive(Category.PHONE, of=DataSubject.USER)
    virtual_phone: str | None = sensitive(Category.RELAY, of=DataSubject.USER)
    email: str | None = sensitive(Category.EMAIL, of=DataSubject.USER)
    address: str | None = sensitive(Category.ADDRESS, of=DataSubject.USER)
    bank_card: str | None = sensitive(Category.BANK_ACCOUNT, of=DataSubject.USER)
    occupation: str | None = sensitive(Category.OCCUPATION, of=DataSubject.USER)
    health_declaration: str | None = sensitive(Category.HEALTH, of=DataSubject.USER)
    region: str | None = sensitive(Category.PROFILE, of=DataSubject.USER)
    nickname: str | None = sensitive(Category.PROFILE, of=DataSubject.USER)
    avatar: str | None = sensitive(Category.PROFILE, of=DataSubject.USER, description="An address, as WeChat gave it.")
    profile_source: str | None = sensitive(
        Category.PROFILE, of=DataSubject.USER, description="Where the profile came from: `WECHAT`, or null."
    )
    tags: list[str] | None = sensitive(Category.TAG, of=DataSubject.USER)
    version: int | None = public(
        description="Counts changes, for `ifVersion`; of oneself and one's wards only, null of everybody else."
    )
    marketing_refusals: list[MarketingChannel] | None = public(
        description="By what the user refuses marketing; of oneself and one's wards only, null of everybody else (C20)."
    )
    pending_notices: list[Notice] | None = edge(
        description="What has still to be shown; of oneself and one's wards only, null of everybody else (C78)."
    )
    standing_notice: Notice | None = edge(
        description="Whose terms hold; of oneself and one's wards only, null of everybody else (C75)."
    )
    permissions: list[Permission] = edge(description="The user's own words on the app's permissions and cookies.")
    corrections: list[Correction] = edge(description="What was corrected, and who has to be told (C64).")

    @edge
    def devices(self, first: int | None = UNSET, after: str | None = None) -> Connection[Device]:
        """The user's devices."""

    @edge
    def policies(
        self, first: int | None = UNSET, after: str | None = None
    ) -> Connection[Annotated["Policy", strawberry.lazy("schema.policies")]]:
        """Policies the user holds or is insured under."""

    @edge
    def claims(
        self, first: int | None = UNSET, after: str | None = None
    ) -> Connection[Annotated["Claim", strawberry.lazy("schema.claims")]]:
        """Claims on policies the user holds or is insured under."""

    @edge
    def consents(
        self, first: int | None = UNSET, after: str | None = None
    ) -> Connection[Annotated["Consent", strawberry.lazy("schema.consents")]]:
        """What the user agreed to."""

    @edge
    def access_history(self, first: int | None = UNSET, after: str | None = UNSET) -> Connection[Access] | None:
        """Who was shown or changed what of the user, newest first; for the user, a guardian, an officer they asked."""
