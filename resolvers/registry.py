"""Every noun of the plan by its type name, and every root field that is answered beside it."""

from collections.abc import Mapping

from resolvers.access_previews import ACCESS_PREVIEW
from resolvers.access_records import ACCESS_RECORDS
from resolvers.affected_people import AFFECTED_PEOPLE
from resolvers.asides import RootAside
from resolvers.beneficiaries import BENEFICIARY
from resolvers.campaigns import CAMPAIGNS
from resolvers.ceasings import OPERATIONS
from resolvers.claims import CLAIM
from resolvers.client_operations import REGISTERED_OPERATIONS
from resolvers.consents import CONSENT
from resolvers.corrections import CORRECTION, CORRECTIONS_TO_APPLY
from resolvers.decision_questions import EXPLAIN_DECISION, RECENT_DECISIONS
from resolvers.devices import DEVICE
from resolvers.disclosure_cases import DISCLOSURE_CASES, DISCLOSURE_CHOICES, RECIPIENTS
from resolvers.duties import DUTIES
from resolvers.guardians import GUARDIAN_LINKS, MINOR_CASES
from resolvers.impacts import RULE_IMPACT
from resolvers.incidents import INCIDENTS, LETTERS
from resolvers.notices import COMPARE_NOTICES, CURRENT_NOTICE, IMPACT_ASSESSMENTS, NOTICE, NOTICES
from resolvers.nouns import Noun
from resolvers.oversight import ACCESS_REVIEW, PARTNER_REPORT
from resolvers.permissions import PERMISSION
from resolvers.policies import POLICY
from resolvers.products import ORGANIZATION, PRODUCT, PRODUCT_ITEM
from resolvers.retention import LEGAL_HOLDS, RETENTION_OF
from resolvers.rights import RIGHTS_REQUESTS
from resolvers.rule_questions import EXPLAIN, REACH, WHO_CAN_REACH
from resolvers.rulesets import BROKEN_GLASSES, RULE_DRAFT, RULE_DRAFTS, RULESET, RULESETS
from resolvers.statistics import CLAIM_STATISTICS, POLICY_STATISTICS
from resolvers.users import USER
from resolvers.verifications import VERIFICATION_CASES

_ALL = (
    USER,
    DEVICE,
    PERMISSION,
    CORRECTION,
    POLICY,
    BENEFICIARY,
    CLAIM,
    CONSENT,
    PRODUCT,
    PRODUCT_ITEM,
    ORGANIZATION,
)
NOUNS: Mapping[str, Noun] = {noun.name: noun for noun in _ALL}

ASIDES: Mapping[str, RootAside] = {
    "accessPreview": ACCESS_PREVIEW,
    "accessRecords": ACCESS_RECORDS,
    "accessReview": ACCESS_REVIEW,
    "affectedPersons": AFFECTED_PEOPLE,
    "brokenGlasses": BROKEN_GLASSES,
    "compareNotices": COMPARE_NOTICES,
    "correctionsToApply": CORRECTIONS_TO_APPLY,
    "currentNotice": CURRENT_NOTICE,
    "operations": OPERATIONS,
    "impactAssessments": IMPACT_ASSESSMENTS,
    "notice": NOTICE,
    "notices": NOTICES,
    "campaigns": CAMPAIGNS,
    "claimStatistics": CLAIM_STATISTICS,
    "policyStatistics": POLICY_STATISTICS,
    "ruleDraft": RULE_DRAFT,
    "ruleDrafts": RULE_DRAFTS,
    "ruleset": RULESET,
    "rulesets": RULESETS,
    "registeredOperations": REGISTERED_OPERATIONS,
    "ruleImpact": RULE_IMPACT,
    "guardianLinks": GUARDIAN_LINKS,
    "minorCases": MINOR_CASES,
    "verificationCases": VERIFICATION_CASES,
    "rightsRequests": RIGHTS_REQUESTS,
    "duties": DUTIES,
    "incidents": INCIDENTS,
    "letters": LETTERS,
    "explain": EXPLAIN,
    "explainDecision": EXPLAIN_DECISION,
    "partnerReport": PARTNER_REPORT,
    "reach": REACH,
    "recentDecisions": RECENT_DECISIONS,
    "whoCanReach": WHO_CAN_REACH,
    "disclosureCases": DISCLOSURE_CASES,
    "disclosureChoices": DISCLOSURE_CHOICES,
    "recipients": RECIPIENTS,
    "legalHolds": LEGAL_HOLDS,
    "retentionOf": RETENTION_OF,
}
