"""Forms as browsers send them: fields by name, and nothing but text."""

from urllib.parse import parse_qsl

from starlette.requests import Request

_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 500


def fields_of(http: Request, body: bytes) -> dict[str, str]:
    """The fields of a form; of a name that stands several times the values, a line each. Of another type: none."""
    if http.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        return {}
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return {name: "\n".join(values) for name, values in found.items()}


def between(text: str, least: int, most: int) -> int | None:
    """A whole number in these bounds, in ASCII digits; None for any other text, of whatever length."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    return int(text) if least <= int(text) <= most else None
