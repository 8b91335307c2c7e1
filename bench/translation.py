"""Between a rig's words and the product's, for requests sent and answers compared; standard library only.

What differs is a matter of form: the product's ids are opaque, its claims' states are enumerated in capitals, its
relations are Chinese words, and it lists policies by their number, which therefore begins with the rig's id. And it
tells of each refused field by an error beside the null, where a rig's peers give the null alone.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

RELATIONS = {"spouse": "配偶", "child": "子女", "parent": "父母"}
_BACK = {stored: word for word, stored in RELATIONS.items()}
_DIGITS = 8
_REFUSED = "FIELD_DENIED", "Claim.diagnosis"
"""The only error that an answer may have: what of it is null is compared."""


def number_of(policy: int, number: str) -> str:
    """A policy's number in the product."""
    return f"{policy:0{_DIGITS}d}{number}"


class Translation:
    """Ids of one import, by kind: `policies` and `claims`."""

    def __init__(self, ids: Mapping[str, Mapping[str, str]]) -> None:
        """`ids`: of each kind, global ids by the rig's."""
        self._policies = ids["policies"]
        numbers = {made: int(number) for kind in ids.values() for number, made in kind.items()}
        self._words: Mapping[str, Callable[[str], Any]] = {
            "id": lambda made: numbers.get(made, made),
            "status": str.lower,
            "relation": lambda stored: _BACK.get(stored, stored),
            "policyNo": lambda number: number[_DIGITS:],
        }

    def policy(self, number: int) -> str:
        """The global id of a policy. Raises KeyError."""
        return self._policies[str(number)]

    def answer(self, text: str) -> str:
        """An answer in the rig's words; what has no word there stays as it is, and so compares as different."""
        found = json.loads(text)
        if all(_is_refusal(one) for one in found.get("errors", ())):
            found.pop("errors", None)
        return json.dumps({**found, "data": self._told(found.get("data"))}, ensure_ascii=False)

    def _told(self, value: Any, name: str = "") -> Any:  # noqa: ANN401 - a JSON text's values
        if isinstance(value, dict):
            return {key: self._told(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self._told(one, name) for one in value]
        word = self._words.get(name)
        return value if word is None or not isinstance(value, str) else word(value)


def _is_refusal(error: Mapping[str, Any]) -> bool:
    told = error.get("extensions", {})
    return (told.get("code"), told.get("coordinate")) == _REFUSED
