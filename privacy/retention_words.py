"""Until when a class of data is kept and why, in plain words, for whoever they are about (C27, C28)."""

from models.vocabulary import Retention
from privacy.retention import Criterion, Explained

_WHAT = {
    Retention.ACCOUNT: "Account data",
    Retention.CONTRACT: "Data of contracts",
    Retention.CLAIM: "Data of claims",
    Retention.DEVICE: "Data of devices",
    Retention.RESTRICTED: "What the law keeps of an account that is gone",
}
_WHY = {
    Criterion.FUNCTION: "what they are for",
    Criterion.QUALITY: "the security and quality of the service",
    Criterion.CONSENTED: "the longer period that was agreed to",
    Criterion.SPECIAL: "a special agreement",
    Criterion.LAW: "a law",
}
_HELD = " A legal hold stands: nothing of it is erased until that ends, whatever the day."


def in_words(one: Explained) -> str:
    """One class in a sentence or two; of a hold that there is one, and no more."""
    what = _WHAT[one.retention]
    if one.winner is None:
        told = f"{what}: nothing is known that they are kept for."
    else:
        why = f"{_WHY[one.winner]} ({one.law})" if one.winner is Criterion.LAW and one.law else _WHY[one.winner]
        kept = f"kept until {one.until}" if one.until else "kept, with no last day yet,"
        told = f"{what}: {kept} for {why}."
    return told + _HELD if one.holds else told
