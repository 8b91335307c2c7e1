"""Every noun of the plan by its type name."""

from collections.abc import Mapping

from resolvers.beneficiaries import BENEFICIARY
from resolvers.claims import CLAIM
from resolvers.consents import CONSENT
from resolvers.devices import DEVICE
from resolvers.nouns import Noun
from resolvers.policies import POLICY
from resolvers.products import ORGANIZATION, PRODUCT
from resolvers.users import USER

NOUNS: Mapping[str, Noun] = {
    noun.name: noun for noun in (USER, DEVICE, POLICY, BENEFICIARY, CLAIM, CONSENT, PRODUCT, ORGANIZATION)
}
