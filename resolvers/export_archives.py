"""The archive: a ZIP of JSON files, one a noun or table, and a manifest: what they are, what is left out, and why."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from models.vocabulary import Retention
from resolvers.export_documents import Said
from resolvers.export_records import Stored, left_out
from resolvers.times import in_shanghai

FORMAT, VERSION = "needful-export", 1
"""The shape of the files; a member is added without a new version, never renamed or removed."""
MOST_BYTES = 64 * 1024 * 1024
"""Of all files together, before they are packed."""
MANIFEST, README = "manifest.json", "README.md"
_CLAUSES = ("C64", "C18", "C33", "C65", "C67", "C82")
_OTHERS = (
    "Other people's data, also where they stand in your contracts and claims: whom you insure, name or report for has"
    " a right of their own to see them. Of a beneficiary you named there are relation, order and share."
)
_CUT = "There are more: ask for them page by page in the API, or the privacy officer."
_README = """\
# 您的个人信息副本 / A copy of your personal data

本压缩包包含我们存储的、与您（或您监护的未成年人）有关的全部个人信息，依据隐私政策第七条第（一）款提供。

* `manifest.json`：文件清单、数量、校验值（SHA-256）、生成时间、依据的条款，以及未包含的内容及其原因。
* `api/`：接口以其名称给出的内容（个人资料、设备、授权、保单、受益人、理赔、同意及其凭证、更正、访问记录）。
* `stored/`：此外存储的内容。`SELF` 指您本人，`ANOTHER` 指他人；他人的信息不在其中。
* 文件为 UTF-8 编码的 JSON；时间为北京时间；金额为字符串。已删除（密钥已销毁）的类别列于 `manifest.json` 的 `erased`。

请妥善保管：任何拿到本压缩包的人都能读取其内容。内容有误时，可在应用中更正，或联系个人信息保护负责人。

---

Everything that we store about you (or the child whose guardian you are), as part seven (1) of the privacy policy says.

* `manifest.json`: the files, how many rows, their SHA-256, when it was made, under which clauses, and what is left out
  and why.
* `api/`: what the API says under its own names: profile, devices, permissions, policies, beneficiaries, claims,
  consents with receipts, corrections, who looked at your data.
* `stored/`: what is stored besides. `SELF` is you, `ANOTHER` somebody else, whose data are not in here.
* JSON in UTF-8; times are Shanghai's; amounts are texts. Classes of data that are erased, their keys destroyed, stand
  in `manifest.json` under `erased`.

Keep it safe: whoever has this file can read it. What is wrong can be corrected in the app, or by the privacy officer.
"""


class TooLargeError(Exception):
    """An archive of more bytes than are made at once."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What an archive is: of whom (a global id), asked for by whom, made when, under which rules."""

    person: str
    asked_by: str
    made_at: datetime
    ruleset: int


def pack(heading: Heading, said: Said, stored: Stored, further: Mapping[str, Sequence[Any]]) -> bytes:
    """The ZIP. `further`: rows of what other rooms know of the person, by name. Raises TooLargeError."""
    files: dict[str, bytes] = {}
    described, size = [], 0
    for name, rows in _lists(said, stored, further):
        body = orjson.dumps({"format": FORMAT, "version": VERSION, "rows": rows}, default=str, option=_PRETTY)
        size += len(body)
        if size > MOST_BYTES:
            raise TooLargeError
        files[name] = body
        digest = hashlib.sha256(body).hexdigest()
        described.append({"name": name, "rows": len(rows), "bytes": len(body), "sha256": digest})
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "person": heading.person,
        "askedBy": heading.asked_by,
        "madeAt": in_shanghai(heading.made_at).isoformat(timespec="seconds"),
        "ruleset": heading.ruleset,
        "clauses": list(_CLAUSES),
        "files": described,
        "erased": sorted(Retention(one).name for one in stored.erased),
        "leftOut": list(_left_out(said, stored)),
    }
    files[MANIFEST] = orjson.dumps(manifest, option=_PRETTY)
    files[README] = _README.encode()
    return _zipped(files, heading.made_at)


_PRETTY = orjson.OPT_INDENT_2


def _lists(said: Said, stored: Stored, further: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
    for folder, lists in (("api", said.rows), ("stored", {**stored.rows, **further})):
        yield from ((f"{folder}/{name}.json", rows) for name, rows in lists.items())


def _left_out(said: Said, stored: Stored) -> Iterator[dict[str, Any]]:
    yield {"what": "others", "why": _OTHERS}
    for what, why in left_out():
        yield {"what": what, "why": why}
    for (coordinate, reason), count in sorted({**said.denied, **stored.denied}.items()):
        yield {"what": coordinate, "count": count, "why": _why(reason)}
    for name in (*said.cut, *stored.cut):
        yield {"what": name, "why": _CUT}


_WHYS = {
    "RELATION": "It is another person's.",
    "BASIS": "It is another person's.",
    "UNAVAILABLE": "It cannot be opened: it is erased, or damaged. Ask the privacy officer, if it should not be.",
}


def _why(reason: str) -> str:
    return _WHYS.get(reason, "The rules in force do not show it to whoever asked.")


def _zipped(files: Mapping[str, bytes], made_at: datetime) -> bytes:
    archive = io.BytesIO()
    when = in_shanghai(made_at).timetuple()[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in files.items():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            packed.writestr(entry, body)
    return archive.getvalue()
