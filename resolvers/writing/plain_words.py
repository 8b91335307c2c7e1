"""Words of the staff beside a case or link: where something is filed, what a source is called. Of no person."""

from models.formats import FormatError
from models.never_collected import never_collected
from privacy.records import filed_under
from resolvers.payloads import Problem
from resolvers.writing.items import invalid, never


def plain_words(text: str, where: str, longest: int) -> str | Problem:
    """The words, or NEVER_COLLECTED or ITEM_INVALID at their place in the input: numbers of people, for one."""
    secret = never_collected(text[: 2 * longest])
    if secret:
        return never(where, secret)
    try:
        return filed_under(text, longest=longest)
    except FormatError as expected:
        return invalid(where, str(expected))
