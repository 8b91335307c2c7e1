"""Media types: in which of the two to answer, and what counts as JSON."""

from functools import lru_cache

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
_KEPT, _LONGEST_KEPT = 256, 256
"""Header texts whose meaning is kept, and the characters that they have at most: clients send the same few."""


def media_type(accept: str) -> str | None:
    """The media type to answer in: the better liked of the two; JSON where both are equal or nothing is said."""
    return _kept_media_type(accept) if len(accept) <= _LONGEST_KEPT else _media_type(accept)


def is_json(content_type: str) -> bool:
    """Is this JSON in UTF-8?"""
    return _kept_is_json(content_type) if len(content_type) <= _LONGEST_KEPT else _is_json(content_type)


def _media_type(accept: str) -> str | None:
    liked: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if kind:
            liked[kind] = max(liked.get(kind, 0.0), _quality(parameters))
    if not liked:
        return JSON
    wild = max(liked.get("*/*", 0.0), liked.get("application/*", 0.0))
    graphql, plain = liked.get(GRAPHQL, 0.0), liked.get(JSON, 0.0)
    if graphql and graphql >= plain:
        return GRAPHQL
    return JSON if plain or wild else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _is_json(content_type: str) -> bool:
    kind, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [piece.removeprefix("charset=").strip('"') for piece in parameters if piece.startswith("charset=")]
    return kind == JSON and all(charset in ("utf-8", "utf8") for charset in charsets)


_kept_media_type = lru_cache(_KEPT)(_media_type)
_kept_is_json = lru_cache(_KEPT)(_is_json)
