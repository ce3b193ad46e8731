"""Bytes to text by an allow-list of charsets; an unknown or lying label never raises.

Only text codecs of real mail are allowed: Python's others (zlib, rot13, idna, utf-7, …) are not charsets, or are unsafe.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

_ALLOWED = frozenset(
    codecs.lookup(name).name
    for name in [
        "utf-8",
        "us-ascii",
        "iso8859-1",
        "iso8859-2",
        "iso8859-3",
        "iso8859-4",
        "iso8859-5",
        "iso8859-6",
        "iso8859-7",
        "iso8859-8",
        "iso8859-9",
        "iso8859-10",
        "iso8859-11",
        "iso8859-13",
        "iso8859-14",
        "iso8859-15",
        "iso8859-16",
        "cp437",
        "cp850",
        "cp852",
        "cp855",
        "cp866",
        "cp874",
        "cp932",
        "cp936",
        "cp949",
        "cp950",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "koi8-r",
        "koi8-u",
        "koi8-t",
        "mac-roman",
        "mac-cyrillic",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "big5hkscs",
        "hz",
        "euc-jp",
        "euc-kr",
        "euc-jis-2004",
        "shift_jis",
        "shift_jis_2004",
        "iso2022_jp",
        "iso2022_jp_1",
        "iso2022_jp_2",
        "iso2022_jp_3",
        "iso2022_jp_ext",
        "iso2022_kr",
        "johab",
        "tis-620",
        "ptcp154",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
    ]
)
_WIDER = {
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis-620": "cp874",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
}
_ALIASES = {
    "iso-8859-8-i": "iso8859-8",
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac-roman",
    "windows-874": "cp874",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
}


_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")


def _plain_name(label: str) -> str:
    return _NOT_IN_NAME.sub("_", label).strip("_")


def _known_labels() -> dict[str, str]:
    """Every label that we read, spelt plainly, with Python's name of its charset."""
    modules = {aliases.get(_plain_name(name), _plain_name(name)): name for name in _ALLOWED}
    labels = {alias: modules[module] for alias, module in aliases.items() if module in modules}
    labels |= modules | {name: name for name in _ALLOWED} | _ALIASES
    return {_plain_name(label): name for label, name in labels.items()}


# Labels come from strangers: `codecs.lookup` would try to import each unknown one, and remember it for ever.
_LABELS = _known_labels()


@lru_cache(maxsize=512)
def find_codec(label: str) -> str | None:
    """Python's name of a charset, or None when the label is not one we read."""
    name = _LABELS.get(_plain_name(label[:60].lower())) if label.isascii() else None
    return None if name is None else _WIDER.get(name, name)


def decode_bytes(data: bytes, label: str) -> str:
    """Text of bytes: by the label, else UTF-8, else windows-1252 with replacement; never raises."""
    codec = find_codec(label) if label else None
    for name in (codec, "utf-8"):
        if name is not None:
            try:
                return data.decode(name)
            except UnicodeError:
                continue
    if codec is not None and codec not in ("utf-8", "utf-16", "utf-32"):
        return data.decode(codec, "replace")
    if codec == "utf-8" and _mostly_utf8(data):
        return data.decode("utf-8", "replace")
    return data.decode("cp1252", "replace")


def _mostly_utf8(data: bytes) -> bool:
    """Whether a few broken octets, not another charset, are what is wrong."""
    text = data.decode("utf-8", "replace")
    return text.count("\ufffd") * 20 < sum(c > "\x7f" for c in text)
