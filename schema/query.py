"""The query root: declaration only; the plan runs everything here but what is the same for everybody, at the end."""

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from authz.reviews import USUAL_UNUSED_DAYS
from models.claims import ClaimStatus
from models.policies import PolicyStatus
from models.vocabulary import Purpose
from schema.access import AccessRecord, AffectedPersons, IncidentInput
from schema.beneficiaries import Beneficiary
from schema.claims import Claim, ClaimOrder
from schema.connections import Connection
from schema.consents import Consent, ConsentStatus
from schema.fields import edge
from schema.nodes import Node
from schema.notices import IN_FORCE, Notice
from schema.oversight import PartnerReport, ReviewedGrant
from schema.permissions import CATALOGUE, PermissionOffer
from schema.policies import Policy, PolicyOrder
from schema.products import Product
from schema.users import User
from schema.viewer import Viewer


@strawberry.type
class Query:
    """Everything that can be asked."""

    viewer: Viewer = edge()

    @edge
    def node(self, id: strawberry.ID) -> Node | None:  # noqa: A002 - the contract's name
        """The row of an opaque id, if it exists for the caller."""

    @edge
    def user(self, id: strawberry.ID) -> User | None:  # noqa: A002 - the contract's name
        """One user."""

    @edge
    def users(  # noqa: PLR0913 - the contract's arguments
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        phone: str | None = UNSET,
        id_number: str | None = UNSET,
    ) -> Connection[User]:
        """Users; `phone` and `idNumber` need the `filter` action and find equal values only."""

    @edge
    def policy(self, id: strawberry.ID) -> Policy | None:  # noqa: A002 - the contract's name
        """One policy."""

    @edge
    def policies(  # noqa: PLR0913 - the contract's arguments
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        status: PolicyStatus | None = UNSET,
        insurer: str | None = UNSET,
        policy_number: str | None = UNSET,
        order_by: PolicyOrder | None = UNSET,
    ) -> Connection[Policy]:
        """Policies; `insurer` is an organization's code."""

    @edge
    def beneficiary(self, id: strawberry.ID) -> Beneficiary | None:  # noqa: A002 - the contract's name
        """One beneficiary."""

    @edge
    def beneficiaries(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        policy: strawberry.ID | None = UNSET,
    ) -> Connection[Beneficiary]:
        """Beneficiaries, of one policy or of all."""

    @edge
    def claim(self, id: strawberry.ID) -> Claim | None:  # noqa: A002 - the contract's name
        """One claim."""

    @edge
    def claims(  # noqa: PLR0913 - the contract's arguments
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        status: ClaimStatus | None = UNSET,
        insurer: str | None = UNSET,
        claim_number: str | None = UNSET,
        order_by: ClaimOrder | None = UNSET,
    ) -> Connection[Claim]:
        """Claims; `insurer` is an organization's code."""

    @edge
    def consents(  # noqa: PLR0913 - the contract's arguments
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        user: strawberry.ID | None = UNSET,
        purpose: Purpose | None = UNSET,
        status: ConsentStatus | None = UNSET,
    ) -> Connection[Consent]:
        """Consents."""

    @edge
    def products(self, first: int | None = UNSET, after: str | None = None) -> Connection[Product]:
        """What can be bought."""

    @edge
    def access_records(  # noqa: PLR0913 - filters
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        role: str | None = UNSET,
        organization: str | None = UNSET,
        purpose: Purpose | None = UNSET,
        coordinate: str | None = UNSET,
        person: str | None = UNSET,
        decision: str | None = UNSET,
        kind: str | None = UNSET,
        token: str | None = UNSET,
        client: str | None = UNSET,
        account: strawberry.ID | None = UNSET,
        since: Annotated[datetime | None, strawberry.argument(name="from")] = UNSET,
        until: Annotated[datetime | None, strawberry.argument(name="to")] = UNSET,
    ) -> Connection[AccessRecord] | None:
        """Rows of the ledger, newest first; for auditors. `person` is a reference, `organization` a code.

        `account`, `token` and `client` are as records give them.
        """

    @edge
    def affected_persons(
        self, incident: IncidentInput, first: int | None = UNSET, after: str | None = UNSET
    ) -> AffectedPersons | None:
        """Whom an incident befell (C63); for auditors and privacy officers."""

    @edge
    def partner_report(
        self,
        organization: str | None = UNSET,
        since: Annotated[date | None, strawberry.argument(name="from")] = UNSET,
        until: Annotated[date | None, strawberry.argument(name="to")] = UNSET,
    ) -> list[PartnerReport] | None:
        """How partners behave; for auditors and the security team. By default the last seven days (C41)."""

    @edge
    def access_review(self, unused_days: int = USUAL_UNUSED_DAYS) -> list[ReviewedGrant] | None:
        """What roles and partners are granted and whether they use it; for auditors and the security team (C56)."""

    @edge
    def current_notice(self) -> Notice:
        """The privacy policy in force (C79)."""
        return IN_FORCE

    @edge
    def permission_catalogue(self) -> list[PermissionOffer]:
        """What app and website may be allowed, each alone; nothing is allowed until somebody says so (C13-C15)."""
        return list(CATALOGUE)
