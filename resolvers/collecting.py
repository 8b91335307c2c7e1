"""Which mutations collect data of people, and so end when operations cease (C30). Every mutation stands here once.

Collecting stops: nobody joins, applies, agrees to anything more or gives an item for a function. What is owed goes on:
claims under contracts in force and what keeps those contracts, every right of a data subject (a correction under
`rights_request` is one), the end of anything, logins that these need, and the house's own work. Whatever stands in
neither list is refused once operations have ceased.
"""

from models.vocabulary import Purpose
from privacy.ceasing import ceased_at
from resolvers.payloads import Problem, ProblemCode, Write

COLLECTS = frozenset(
    {
        "agreeRetention",
        "choosePublicDisclosure",
        "draftApplication",
        "grantConsent",
        "linkWechat",
        "openCampaign",
        "openVerification",
        "register",
        "setPushIdentifiers",
        "submitApplication",
        "updateProfile",
        "usePermission",
    }
)

GOES_ON = frozenset(
    {
        # Logins, which rights and claims need.
        *("logIn", "refresh", "logOut", "endSession", "changePassword", "stepUp"),
        *("setUpSecondFactor", "confirmSecondFactor"),
        # Rights of a data subject, and of who acts for one.
        *("withdrawConsent", "refuseMarketing", "setPermission", "acknowledgeNotice"),
        *("requestGuardianLink", "verifyGuardianLink", "revokeGuardianLink"),
        "endRetention",
        *("fileRightsRequest", "withdrawRightsRequest", "cancelAccount", "requestExport", "agreeToTransfer"),
        *("assignRightsRequest", "extendRightsRequest", "decideRightsRequest", "acknowledgeCorrection"),
        # Contracts in force, and what was applied for before.
        *("withdrawApplication", "recordUnderwriting", "recordPayment", "setBeneficiaries", "surrenderPolicy"),
        # Claims under them.
        *("draftClaim", "submitClaim", "withdrawClaim", "assignClaim", "requestMaterials", "recordClaimDecision"),
        *("recordClaimPayment", "closeClaim", "recordVerification", "closeVerification"),
        # The house's own work.
        *("publishNotice", "assessImpact", "endCampaign", "recertifyGrant", "lapseGrant", "restoreGrant"),
        *("registerOperation", "unregisterOperation", "draftRules", "editDraft", "withdrawDraft", "proposeRules"),
        *("reviewRules", "publishRules", "rollBackRules", "breakGlass", "endGlass", "reviewGlass"),
        *("openDisclosureCase", "reviewDisclosureCase", "closeDisclosureCase", "assignDisclosureCase"),
        *("openIncident", "describeIncident", "reportIncident", "closeIncident", "acknowledgeLetter"),
        *("sendIncidentLetters", "withholdIncidentLetters", "recordDuty"),
        *("placeHold", "liftHold"),
        *("proposeCeasing", "confirmCeasing", "takeBackCeasing"),
    }
)

_RIGHTS = frozenset({("updateProfile", Purpose.RIGHTS_REQUEST)})
"""What collects, and under this purpose is a right (C64)."""
_MESSAGE = (
    "Operations have ceased, and nothing is collected any more: `operations` has the announcement. Still there: claims"
    " under contracts in force, withdrawals of consents and applications, corrections (X-Purpose: rights_request),"
    " deletion, export, cancellation of the account and complaints."
)


async def ceased(write: Write) -> Problem | None:
    """CEASED where a write collects and operations have ceased. Raises the database's error."""
    if write.name in GOES_ON or (write.name, write.purpose) in _RIGHTS:
        return None
    since = await ceased_at(write.connection, now=write.now)
    return None if since is None else Problem(ProblemCode.CEASED, _MESSAGE, clause="C30")
