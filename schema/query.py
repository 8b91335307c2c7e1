"""The query root: declaration only; the plan runs everything here but what is the same for everybody, at the end."""

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from authz.reviews import USUAL_UNUSED_DAYS
from authz.vocabulary import Reason
from authz.workbench.impact import USUAL_DAYS
from authz.workbench.readings import Act
from models.claims import ClaimStatus
from models.guardian_links import LinkState
from models.policies import PolicyStatus
from models.rulesets import DraftState
from models.statistics import Dimension
from models.vocabulary import Purpose
from resolvers import corrections, disclosure_cases, guardians, retention, verifications
from resolvers.rulesets import RULES_PAGE, USUAL_PAGE
from schema.access import AccessRecord, AffectedPersons, IncidentInput
from schema.beneficiaries import Beneficiary
from schema.campaigns import Campaign
from schema.ceasing import Operations
from schema.claims import Claim, ClaimOrder
from schema.connections import Connection
from schema.consents import Consent, ConsentStatus
from schema.corrections import CorrectionToApply
from schema.disclosures import DisclosureCase, DisclosureChoice, Recipient
from schema.duties import Duty
from schema.fields import edge
from schema.guardians import GuardianLink, MinorCase
from schema.impacts import RuleImpact
from schema.incidents import Incident, Letter
from schema.nodes import Node
from schema.notices import ImpactAssessment, Notice, NoticeComparison
from schema.oversight import PartnerReport, ReviewedGrant
from schema.permissions import CATALOGUE, PermissionOffer
from schema.policies import Policy, PolicyOrder
from schema.previews import FieldAccess, RegisteredOperation
from schema.products import Product
from schema.retention import DataRetention, LegalHold
from schema.rights import RightsRequest
from schema.rule_questions import DecisionExplanation, Explanation, PairInput, Reachable, RecentDecision
from schema.rulesets import BrokenGlass, RuleDraft, Ruleset, RulesetContent
from schema.statistics import ClaimStatisticsFilter, PolicyStatisticsFilter, Statistics
from schema.users import User
from schema.verifications import VerificationCase
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
        campaign: strawberry.ID | None = UNSET,
    ) -> Connection[User]:
        """Users; `phone` and `idNumber` need the `filter` action and find equal values only.

        `campaign`, under marketing: of the caller's audience those whom a campaign of its own meets (C21).
        """

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
    def corrections_to_apply(self, first: int = corrections.USUAL_PAGE) -> list[CorrectionToApply] | None:
        """What was corrected after the caller's organization had it, until it is acknowledged; for partners (C64)."""

    @edge
    def products(self, first: int | None = UNSET, after: str | None = None) -> Connection[Product]:
        """What can be bought."""

    @edge
    def campaigns(self, first: int | None = UNSET, after: str | None = UNSET) -> Connection[Campaign] | None:
        """Campaigns, the last opened first; for the brokerage's marketers (C20, C21)."""

    @edge
    def policy_statistics(
        self,
        group_by: list[Dimension] | None = UNSET,
        where: PolicyStatisticsFilter | None = UNSET,
    ) -> Statistics | None:
        """How many policies and policyholders there are, in groups that tell of nobody; drafts are left out (C40).

        For analysts and advertising partners. `groupBy` and `where` together name what one table is published by.
        """

    @edge
    def claim_statistics(
        self,
        group_by: list[Dimension] | None = UNSET,
        where: ClaimStatisticsFilter | None = UNSET,
    ) -> Statistics | None:
        """How many claims and persons insured, in the same way (C40)."""

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
    def rulesets(self, first: int = USUAL_PAGE, before: int | None = UNSET) -> list[Ruleset] | None:
        """Published rulesets, the latest first; for those who look after the rules, here and below (C46, C56)."""

    @edge
    def ruleset(self, number: int | None = UNSET, first: int = RULES_PAGE, offset: int = 0) -> RulesetContent | None:
        """One ruleset with its rows, at most a thousand at once; by default the one in force."""

    @edge
    def rule_drafts(self, states: list[DraftState] | None = UNSET, first: int = USUAL_PAGE) -> list[RuleDraft] | None:
        """Drafts, the last changed first; by default in all states."""

    @edge
    def rule_draft(self, id: strawberry.ID) -> RuleDraft | None:  # noqa: A002 - as the contract's names
        """One draft: its changes, findings, cases, reviews, and what is missing before it may be published."""

    @edge
    def broken_glasses(self, first: int = USUAL_PAGE) -> list[BrokenGlass] | None:
        """For whom the glass was broken, the latest first (C55)."""

    @edge
    def access_preview(
        self,
        document: str,
        purpose: Purpose,
        operation_name: str | None = UNSET,
        variables: JSON | None = UNSET,
        as_role: str | None = UNSET,
    ) -> list[FieldAccess]:
        """What an operation would be shown, without reading data; a developer may ask as any role.

        Variables that are not given may be anything. What only data can say (a ceiling, a budget) is left out.
        """

    @edge
    def rule_impact(
        self, draft: strawberry.ID, days: int = USUAL_DAYS, language: str | None = UNSET
    ) -> RuleImpact | None:
        """What a draft would change of the last days' operations; for security team, auditor and privacy officer.

        `language` of the sentences: `en` or `zh`. Only sealed rows are looked at, and no more than a limit (C46, C55).
        """

    @edge
    def registered_operations(
        self, first: int | None = UNSET, after: str | None = UNSET, team: str | None = UNSET
    ) -> Connection[RegisteredOperation] | None:
        """What has been registered, in the order of teams and names; for developers, auditors and the security team."""

    @edge
    def explain(  # noqa: PLR0913 - what a decision depends on
        self,
        role: str,
        purpose: Purpose,
        coordinate: str,
        pairs: list[PairInput] | None = UNSET,
        ruleset: int | None = UNSET,
        act: Act | None = UNSET,
    ) -> Explanation | None:
        """Why a role would be answered so where these pairs hold, by default none; under the rules in force.

        For the security team, auditors and developers. `act`: by default a mutation is written and a field shown.
        """

    @edge
    def explain_decision(self, decision: str) -> DecisionExplanation | None:
        """Why a decision; for the security team, auditors, and whoever made it.

        Null for anybody else, for an id that there is not, and for the second or two until its row is sealed.
        """

    @edge
    def reach(self, role: str, purpose: Purpose, ruleset: int | None = UNSET) -> list[Reachable] | None:
        """What a role can reach for a purpose; for the security team, auditors and developers."""

    @edge
    def who_can_reach(self, coordinate: str, ruleset: int | None = UNSET) -> list[Reachable] | None:
        """Who can reach a field or mutation; for the security team, auditors and developers."""

    @edge
    def recent_decisions(  # noqa: PLR0913 - filters
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        role: str | None = UNSET,
        organization: str | None = UNSET,
        purpose: Purpose | None = UNSET,
        coordinate: str | None = UNSET,
        effect: str | None = UNSET,
        reason: Reason | None = UNSET,
        ruleset: int | None = UNSET,
        since: Annotated[datetime | None, strawberry.argument(name="from")] = UNSET,
        until: Annotated[datetime | None, strawberry.argument(name="to")] = UNSET,
        break_glass: bool | None = UNSET,  # noqa: FBT001 - GraphQL passes arguments by name
    ) -> Connection[RecentDecision] | None:
        """Operations and what was decided in them, newest first; for the security team and auditors.

        `organization` is a code. A page may hold fewer than asked for: go on while `hasNextPage`.
        """

    @edge
    def guardian_links(
        self, state: LinkState | None = UNSET, first: int = guardians.USUAL_PAGE
    ) -> list[GuardianLink] | None:
        """One's own guardian links from either side; for privacy officers all, of nobody by name (C71, C73)."""

    @edge
    def minor_cases(
        self,
        open: bool | None = UNSET,  # noqa: A002, FBT001 - GraphQL's name, and it passes arguments by name
        first: int = guardians.USUAL_PAGE,
    ) -> list[MinorCase] | None:
        """Minors whose data are held without a guardian's verifiable consent; for privacy officers (C72)."""

    @edge
    def duties(self) -> list[Duty] | None:
        """The operator's duties, the first due before all; for privacy officers and the security team (C61, C62)."""

    @edge
    def incidents(
        self,
        open: bool | None = UNSET,  # noqa: A002, FBT001 - as above
    ) -> list[Incident] | None:
        """Incidents and drills, open ones first; for privacy officers and the security team (C63)."""

    @edge
    def letters(self) -> list[Letter] | None:
        """What one is told of incidents that concern one's own data, or a ward's; the latest first (C63)."""

    @edge
    def verification_cases(
        self,
        open: bool | None = UNSET,  # noqa: A002, FBT001 - as above
        first: int = verifications.USUAL_PAGE,
    ) -> list[VerificationCase] | None:
        """Verification cases that one opened, or has in hand, the latest first (C11)."""

    @edge
    def disclosure_cases(
        self,
        id: strawberry.ID | None = UNSET,  # noqa: A002 - GraphQL's name
        first: int = disclosure_cases.USUAL_PAGE,
    ) -> list[DisclosureCase] | None:
        """Disclosure cases, the last opened first; for privacy officers and auditors. Of nobody by name (C25, C45)."""

    @edge
    def disclosure_choices(self, user: strawberry.ID | None = UNSET) -> list[DisclosureChoice] | None:
        """What one chose to have made public or taken over; of a ward by `user` (C42-C44)."""

    @edge
    def recipients(self, user: strawberry.ID | None = UNSET) -> list[Recipient] | None:
        """Who got, or may get, one's data; by `user` a ward's, or of whom one has a request in hand (C33, C64)."""

    @edge
    def rights_requests(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        open: bool | None = UNSET,  # noqa: A002, FBT001 - as above
        due_within: int | None = UNSET,
    ) -> Connection[RightsRequest] | None:
        """One's own requests and one's wards', or those that an officer looks after; the first due before all.

        A privacy officer under `rights_request`: those in hand; under `administration`: all, without words.
        `dueWithin`: open ones whose last day is within so many working days, overdue ones included (C65, C80).
        """

    @edge
    def retention_of(self, user: strawberry.ID | None = UNSET) -> list[DataRetention] | None:
        """Until when one's data are kept and why; by `user` a ward's, or of whom one has a request in hand (C27)."""

    @edge
    def legal_holds(
        self,
        lifted: bool = False,  # noqa: FBT001, FBT002 - as above
        first: int = retention.USUAL_PAGE,
    ) -> list[LegalHold] | None:
        """Holds that stand, the first placed before all, with `lifted` also the others; for privacy officers (C28)."""

    @edge
    def operations(self) -> Operations:
        """Whether the house operates, for anybody (C30)."""

    @edge
    def current_notice(self) -> Notice:
        """The privacy policy in force, for anybody (C79)."""

    @edge
    def notices(self) -> list[Notice]:
        """Every published version, the latest first; one that is not in force yet too."""

    @edge
    def notice(self, version: str) -> Notice | None:
        """One version; null where there is none of this name."""

    @edge
    def compare_notices(
        self,
        since: Annotated[str, strawberry.argument(name="from")],
        until: Annotated[str, strawberry.argument(name="to")],
    ) -> NoticeComparison:
        """What changed from one version to another, and by which ground it is major (C76)."""

    @edge
    def impact_assessments(
        self,
        is_open: Annotated[bool | None, strawberry.argument(name="open")] = UNSET,
    ) -> list[ImpactAssessment] | None:
        """Impact assessments, the last first; for privacy officers and auditors. `open`: a notice is asked for."""

    @edge
    def permission_catalogue(self) -> list[PermissionOffer]:
        """What app and website may be allowed, each alone; nothing is allowed until somebody says so (C13-C15)."""
        return list(CATALOGUE)
