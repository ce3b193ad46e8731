"""HTML → readable text: layout by inscriptis over lxml, quotes as `> `, nothing that was hidden, no bomb that costs time.

Limits: depth is counted before any parser sees the text (parsers are quadratic on nesting); beyond it the tags are
simply taken out.
"""

from __future__ import annotations

import html as html_entities
import re

import lxml.html
from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml import etree

MAX_HTML = 500_000  # characters
MAX_DEPTH = 200
MAX_TAGS = 30_000

_OPENING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})[^>]{0,5000}>")
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "td",
        "tr",
        "th",
        "dt",
        "dd",
        "option",
    ]
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em)?\s*(?:;|$)|"
    r"max-height\s*:\s*0(?:px)?\s*(?:;|$)",
    re.I,
)
_TAG = re.compile(r"<[^<>]{0,5000}>")
_DROPPED = re.compile(r"<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->", re.S | re.I)
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False, display_images=False)
_OPEN, _CLOSE = "\ue000", "\ue001"  # mark where a quote begins and ends; private characters are removed first


def is_bomb(text: str) -> bool:
    """Whether HTML is nested or tagged beyond what any mail program writes; linear."""
    depth = deepest = tags = 0
    for match in _OPENING.finditer(text):
        tags += 1
        if match[2].lower() not in _VOID:
            depth = max(0, depth - 1) if match[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest > MAX_DEPTH or tags > MAX_TAGS


def html_to_text(text: str) -> str:
    """The text of an HTML part as a person would read it. Never raises."""
    text = text[:MAX_HTML].replace("\x00", "").replace(_OPEN, "").replace(_CLOSE, "")
    if is_bomb(text):
        return _plain(text)
    try:
        tree = lxml.html.document_fromstring(text)
        _prepare(tree)
        laid_out = Inscriptis(tree, _CONFIG).get_text()
    except (
        etree.ParserError,
        etree.XMLSyntaxError,
        ValueError,
        RecursionError,
        AssertionError,
        IndexError,
        KeyError,
        AttributeError,
        TypeError,
    ):
        return _plain(text)  # lxml and inscriptis disagree with much of the world's HTML; the words count
    return _mark_quotes(laid_out)


def _prepare(tree: lxml.html.HtmlElement) -> None:
    """Take out what is hidden, and mark where quotes begin and end."""
    for element in list(tree.iter(etree.Comment, etree.ProcessingInstruction)):
        element.drop_tree()
    for element in list(tree.iter("script", "style", "title", "head")):
        _drop(element)
    for element in list(tree.iter()):
        if isinstance(element.tag, str) and (element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "")):
            _drop(element)
    for quote in list(tree.iter("blockquote")):
        quote.tag = "div"
        begin = _marker(_OPEN)
        begin.tail, quote.text = quote.text, None
        quote.insert(0, begin)
        quote.append(_marker(_CLOSE))


def _drop(element: lxml.html.HtmlElement) -> None:
    if element.getparent() is not None:
        element.drop_tree()


def _marker(text: str) -> lxml.html.HtmlElement:
    element = lxml.html.Element("div")
    element.text = text
    return element


def _mark_quotes(text: str) -> str:
    """Lines between the marks get one `> ` for each level."""
    out: list[str] = []
    level = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped and not stripped.strip(_OPEN + _CLOSE):
            level = max(0, level + stripped.count(_OPEN) - stripped.count(_CLOSE))
            continue
        level_here = level + line.count(_OPEN)
        level = max(0, level_here - line.count(_CLOSE))
        clean = line.replace(_OPEN, "").replace(_CLOSE, "").rstrip()
        out.append(
            "> " * min(level_here, 30) + clean if level_here and (clean.strip() or (out and out[-1].startswith(">"))) else clean
        )
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(out)).strip("\n") + "\n"


def _plain(text: str) -> str:
    """The words without the tags, where the tags cannot be trusted."""
    cut = _TAG.sub(
        " ", _DROPPED.sub(" ", text[:200_000]) if text.count("<!--") + text.lower().count("<s") < 500 else text[:200_000]
    )
    return html_entities.unescape(re.sub(r"[ \t]{2,}", " ", cut)).strip() + "\n"
