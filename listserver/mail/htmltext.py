"""HTML → readable text: layout by inscriptis over lxml, quotes as `> `, nothing that was hidden, no bomb that costs time.

Limits come before the parser, because parsers are quadratic on nesting and on attributes; HTML beyond them is read as
the words between its tags. Tables that only lay out a page are taken apart: laid out as tables they grow without end.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator

import lxml.html
from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml import etree

MAX_HTML = 500_000  # characters
MAX_DEPTH = 150
MAX_TAGS = 6_000
MAX_ATTRIBUTES = 500  # of one tag
MAX_QUOTES = 30  # levels that are shown
_MOST_LISTS = 10  # levels that are indented
_MOST_CELLS = 400
_WIDEST_CELL = 60
_LONGEST_URL = 500
_LONGEST_TAG = 5_000

_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"))
_ENDS_ITSELF = frozenset(("p", "li", "td", "tr", "th", "dt", "dd", "option"))
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|"
    r"(?:font-size|max-height|opacity)\s*:\s*0+(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:!\s*important\s*)?(?:;|$)",
    re.I,
)
_PRE = re.compile(r"white-space\s*:\s*(?:pre|break-spaces)", re.I)
_NO_BORDER = re.compile(r"border\s*:\s*(?:none|0)", re.I)
_TOKEN = re.compile(
    r"<!--|<(/?)(script|style|title|blockquote|br|p|div|tr|li|h[1-6]|table|ul|ol|pre|hr|td|th)\b|<[a-zA-Z/!?]|[^<]+|<", re.I
)
_CELLS = ("tbody", "thead", "tfoot", "tr", "td", "th", "caption")
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False, display_images=False)
# Where a quote begins and ends: characters of the private use area, which are taken out of the HTML first.
_OPEN, _CLOSE = "\ue000", "\ue001"
_NOT_IN_HTML = re.compile("[\x00\ue000\ue001]|&#(?:x0*e00[01]|0*5734[45])(?:;|(?![0-9a-f]))", re.I)
_SPACING = str.maketrans({"\u00a0": " ", "\u200b": None, "\u00ad": None})
_WHITE = re.compile(r"[ \t\r\n]+")
_ADDRESS = re.compile(r"https?://\S+", re.I)
_ADDRESS_START = re.compile(r"(?:https?://)?(?:www\.)?")


def html_to_text(text: str) -> str:
    """The text of an HTML part as a person would read it. Never raises. Limits: half a million characters."""
    text = _NOT_IN_HTML.sub("", text[:MAX_HTML])
    if is_bomb(text):
        return _mark_quotes(_words(text))
    try:
        parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True)
        tree = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
        _prepare(tree)
        laid_out = Inscriptis(tree, _CONFIG).get_text()
    except (etree.LxmlError, ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError):
        laid_out = _words(text)  # lxml and inscriptis disagree with much of the world's HTML; the words count
    return _mark_quotes(laid_out)


def is_bomb(text: str) -> bool:
    """Whether HTML is nested or tagged beyond what mail programs write; linear.

    Closing tags count only for what is open, else `<div></b>` would hide how deep it goes.
    """
    opened: dict[str, int] = {}
    depth = tags = last = 0
    for match in _TAG_NAME.finditer(text):
        if match.start() - last > _LONGEST_TAG and _attributes(text, last, match.start()) > MAX_ATTRIBUTES:
            return True
        last = match.end()
        name = match[2].lower()
        if match[1]:
            if opened.get(name):
                opened[name] -= 1
                depth -= 1
            continue
        tags += 1
        if name not in _VOID and name not in _ENDS_ITSELF:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
        if depth > MAX_DEPTH or tags > MAX_TAGS:
            return True
    return len(text) - last > _LONGEST_TAG and _attributes(text, last, len(text)) > MAX_ATTRIBUTES


def _attributes(text: str, start: int, end: int) -> int:
    """At most how many attributes stand here: quotes may hide where a tag ends, so the last `>` is taken for it."""
    return len(text[start : text.rfind(">", start, end) + 1].split()) if text.find(">", start, end) >= 0 else 0


def _prepare(tree: lxml.html.HtmlElement) -> None:
    """Take out what is hidden, write out what is only shown, and mark where quotes begin and end."""
    for element in list(tree.iter("template", "noscript")):
        _empty(element)
    for quote in list(tree.iter("blockquote")):
        _mark(quote)
    for element in list(tree.iter("*")):
        style = element.attrib.pop("style", "")  # a margin of a million columns is not laid out
        if element.get("hidden") is not None or (style and _HIDDEN.search(style)):
            _empty(element)
        elif _PRE.search(style):
            element.set("style", "white-space: pre")
    _flatten_tables(tree)
    for item in tree.iter("ul", "ol"):
        if sum(1 for _ in item.iterancestors("ul", "ol")) >= _MOST_LISTS:
            item.tag = "div"
    for item in tree.iter("li"):
        if item.getparent().tag not in ("ul", "ol"):
            item.tag = "div"
    for image in tree.iter("img"):
        alternative = " ".join((image.get("alt") or "").split())[:100]
        image.text = f"[{alternative}]" if any(map(str.isalnum, alternative)) else alternative  # an emoji needs no brackets
        image.tag = "span"
    for line in tree.iter("hr"):
        line.tag, line.text = "div", "---"
    for link in tree.iter("a"):
        _show_address(link)


def _empty(element: lxml.html.HtmlElement) -> None:
    """Take out an element's content; the text behind it stays."""
    tail = element.tail
    element.clear()
    element.tag, element.tail = "span", tail


def _flatten_tables(tree: lxml.html.HtmlElement) -> None:
    """Keep small tables of short cells as tables; whatever else is one serves to lay out a page."""
    tables = list(tree.iter("table"))
    outer = [next(table.iterancestors("table"), None) for table in tables]
    around = set(outer)
    for table, parent in zip(tables, outer, strict=True):
        if parent is not None or table in around or not _is_data(table):
            table.tag = "div"
    for element in tree.iter(*_CELLS):
        if next(element.iterancestors("table"), None) is None:
            element.tag = "div"


def _is_data(table: lxml.html.HtmlElement) -> bool:
    rows = sum(1 for _ in table.iter("tr"))
    cells = list(table.iter("td", "th"))
    if rows < 2 or not rows * 2 <= len(cells) <= _MOST_CELLS:
        return False
    return all(len(cell.text_content()) <= _WIDEST_CELL for cell in cells)


def _show_address(link: lxml.html.HtmlElement) -> None:
    """Put a link's address behind its text, where the text is not the address itself."""
    address = (link.get("href") or "").strip()
    text = " ".join(link.text_content().split())
    if not text or len(address) > _LONGEST_URL or not _ADDRESS.fullmatch(address):
        return
    if _bare(address) != _bare(text):
        shown = etree.SubElement(link, "span")
        shown.text = f" <{address}>"


def _bare(address: str) -> str:
    return _ADDRESS_START.sub("", address.lower(), count=1).rstrip("/")


def _mark(quote: lxml.html.HtmlElement) -> None:
    """Marks in the place of a blockquote; one without a border is how some programs indent."""
    quote.tag = "div"
    if _NO_BORDER.search(quote.get("style") or "") and quote.get("type") != "cite" and "quote" not in (quote.get("class") or ""):
        return
    begin, end = etree.Element("div"), etree.SubElement(quote, "div")
    begin.text, end.text = _OPEN, _CLOSE
    begin.tail, quote.text = quote.text, None
    quote.insert(0, begin)


def _mark_quotes(text: str) -> str:
    """The lines between the marks get one `> ` for each level; at most two blank lines in a row, none at a quote's edges."""
    out: list[str] = []
    level = blanks = 0
    fresh = True
    for line in text.translate(_SPACING).split("\n"):
        opening, closing = line.count(_OPEN), line.count(_CLOSE)
        content = line.replace(_OPEN, "").replace(_CLOSE, "").rstrip()
        prefix = "> " * min(level + opening, MAX_QUOTES)
        fresh = fresh or opening > 0
        while closing and not content and out and out[-1].startswith(">") and not out[-1].strip("> "):
            out.pop()
        if content:
            out.append(prefix + content)
            fresh, blanks = False, 0
        elif not (opening or closing or fresh) and blanks < 2:
            out.append(prefix.rstrip())
            blanks += 1
        level = max(0, level + opening - closing)
    shown = "\n".join(out).strip("\n")
    return shown + "\n" if shown else ""


def _words(text: str) -> str:
    """The words between the tags, with lines and quotes as the tags show them; linear, whatever the tags are."""
    return "".join(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    lowered = text.lower()
    position = 0
    while (match := _TOKEN.match(text, position)) is not None:
        position = match.end()
        sign = match[0]
        if not sign.startswith("<") or sign == "<":
            yield entities.unescape(_WHITE.sub(" ", sign))
            continue
        end_sign = "-->" if sign == "<!--" else ">"
        name = (match[2] or "").lower()
        if name in ("script", "style", "title") and not match[1]:
            end_sign = f"</{name}"
        end = lowered.find(end_sign, position)
        if end < 0:
            return  # nothing that is shown
        position = end if end_sign.startswith("</") else end + len(end_sign)
        if name == "blockquote":
            yield f"\n{_CLOSE if match[1] else _OPEN}\n"
        elif name in ("td", "th"):
            yield " "
        elif name and name not in ("script", "style", "title"):
            yield "\n"
