"""Every noun of the plan by its type name, and every root field that is answered beside it."""

from collections.abc import Mapping

from resolvers.access_records import ACCESS_RECORDS
from resolvers.affected_people import AFFECTED_PEOPLE
from resolvers.asides import RootAside
from resolvers.beneficiaries import BENEFICIARY
from resolvers.claims import CLAIM
from resolvers.consents import CONSENT
from resolvers.corrections import CORRECTION
from resolvers.devices import DEVICE
from resolvers.nouns import Noun
from resolvers.oversight import ACCESS_REVIEW, PARTNER_REPORT
from resolvers.permissions import PERMISSION
from resolvers.policies import POLICY
from resolvers.products import ORGANIZATION, PRODUCT, PRODUCT_ITEM
from resolvers.users import USER

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
    "accessRecords": ACCESS_RECORDS,
    "accessReview": ACCESS_REVIEW,
    "affectedPersons": AFFECTED_PEOPLE,
    "partnerReport": PARTNER_REPORT,
}
