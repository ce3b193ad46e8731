"""HTML → lines with levels: what programs put around quotes says more than marks do. One pass over the tags, no tree.

Blockquotes are levels; the classes and borders of mail programs are hints where an attribution or a header block
begins. The text is for matching and for showing what is whose; its layout is not kept (that is `htmltext`).
"""

from __future__ import annotations

import re
from html import unescape

from listserver.mail.htmltext import MAX_HTML, MAX_QUOTES
from listserver.mail.quotemarks import MAX_LINES, Line

_SIGNS = (
    "<blockquote", "gmail_quote", "gmail_attr", "moz-cite-prefix", "divrplyfwdmsg", "appendonsend", "yahoo_quoted", "protonmail_quote",
    "tutanota_quote", "border-top:solid #", "border-top: solid #", "outlookmessageheader", "\n&gt;", ">&gt;",
)  # fmt: skip
_UNSEEN = re.compile(r"<!--|<(script|style|head|title|template|noscript)\b", re.I)
# Tags within a line say nothing about quotes; taken out first, at the speed of the regular expressions.
_INLINE = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|img|ins|kbd|label|mark|o:p|q|s|samp|small|span|strike|strong|sub|sup|tt|u|"
    r"var|wbr|w:[a-z]+|v:[a-z]+|st1:[a-z]+|!doctype|html|meta|link|base|col|colgroup|input)(?=[\s/>])[^<>]*>",
    re.I,
)
_TOKEN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)([^<>]*)>|<[!?][^<>]*>|([^<]+)|<+(?=<)|<")
_MARKS = re.compile(r"(?:>[ \t]?)+")
_INTRODUCES = re.compile(
    r"gmail_attr|moz-cite-prefix|yahoo_quoted|protonmail_quote|tutanota_quote|OutlookMessageHeader|divRplyFwdMsg|mail-editor-reference",
    re.I,
)
_BLOCK = re.compile(r"divRplyFwdMsg|OutlookMessageHeader|border-top:\s?solid\s?#(?:E1E1E1|B5C4DF)", re.I)
_NO_BORDER = re.compile(r"border\s*:\s*(?:none|0)", re.I)
_CITES = re.compile(r"type\s*=\s*[\"']?cite|class\s*=\s*[\"']?[^\"'>]*quote|border-left", re.I)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.I)
_PRE = re.compile(r"white-space\s*:\s*(?:pre|break-spaces)", re.I)
# What one of the patterns above may find; most tags hold none of it.
_TELLING = re.compile(r"gmail_attr|quote|cite-prefix|divRply|OutlookM|border-top|mail-editor|display|mso-hide|white-space", re.I)
_NESTED = frozenset(("blockquote", "div", "pre", "p", "td", "table", "section", "article"))
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol", "table", "blockquote", "hr"))
_RULE = "-" * 20
_MAX_DEPTH = 300
_MOST_HINTED = 12  # lines


def has_quotes(html: str) -> bool:
    """Whether HTML shows by its tags that it quotes."""
    lowered = html[:MAX_HTML].lower()
    return any(sign in lowered for sign in _SIGNS)


def read_html(html: str) -> tuple[str, list[Line]]:
    """The text of HTML with `> ` before quoted lines, and its lines. Never raises; linear. Limits: half a million characters."""
    reader = _Reader()
    for match in _TOKEN.finditer(_INLINE.sub("", _without_unseen(html[:MAX_HTML]))):
        closing, name, attributes, words = match.groups()
        if words is not None:
            reader.add(words)
        elif name is None:
            if match[0][-1] == "<":
                reader.add(match[0])
        elif closing:
            reader.leave(name.lower())
        else:
            reader.begin(name.lower(), attributes)
    return reader.finish()


def _without_unseen(html: str) -> str:
    """HTML without comments, scripts and styles; what is not closed reaches to the end. Linear: looks for each end once."""
    match = _UNSEEN.search(html)
    if match is None:
        return html
    lowered = html.lower()
    missing: set[str] = set()
    out: list[str] = []
    position = 0
    while match is not None:
        out.append(html[position : match.start()])
        name = (match[1] or "").lower()
        sign = f"</{name}" if name else "-->"
        end = -1 if sign in missing else lowered.find(sign, match.end())
        if end >= 0:
            close = lowered.find(">", end)
            position = close + 1 if close >= 0 else len(html)
        elif name == "head":  # its end is left out in much mail
            missing.add(sign)
            position = match.end()
        else:
            position = len(html)
        match = _UNSEEN.search(html, position)
    out.append(html[position:])
    return "".join(out)


class _Reader:
    """Puts lines together from the tags as they come."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.out: list[str] = []
        self.size = 0
        self.words: list[str] = []
        self.stack: list[tuple[str, int, str, bool, bool]] = []
        self.opened: dict[str, int] = {}
        self.level = 0
        self.hint = ""
        self.hinted = 0
        self.pre = False
        self.hidden = False
        self.paragraph = False

    def add(self, words: str) -> None:
        if self.hidden:
            return
        if self.pre:
            first, *others = words.split("\n")
            self.words.append(first)
            for other in others:
                self.flush(blank=True)
                self.words.append(other)
        else:
            self.words.append(words)

    def begin(self, name: str, attributes: str) -> None:
        if name == "br":
            self.flush(blank=True)
            return
        self.flush()
        if name in _PARAGRAPHS:
            self.paragraph = True
        if name not in _NESTED or len(self.stack) >= _MAX_DEPTH or (name != "blockquote" and not attributes and name != "pre"):
            if name in _NESTED and len(self.stack) < _MAX_DEPTH:
                self.push(name)
            elif name == "hr":
                self.words.append(_RULE)
                self.flush()
            return
        self.push(name)
        if name == "blockquote":
            if not _NO_BORDER.search(attributes) or _CITES.search(attributes):
                self.level = min(self.level + 1, MAX_QUOTES)
                self.hint = "" if _CITES.search(attributes) else "indented"
        elif name == "pre":
            self.pre = True
        if _TELLING.search(attributes):
            if _BLOCK.search(attributes):
                self.hint, self.hinted = "block", 0
            elif _INTRODUCES.search(attributes):
                self.hint, self.hinted = "attribution", 0
            if _HIDDEN.search(attributes):
                self.hidden = True
            if _PRE.search(attributes):
                self.pre = True

    def push(self, name: str) -> None:
        self.stack.append((name, self.level, self.hint, self.pre, self.hidden))
        self.opened[name] = self.opened.get(name, 0) + 1

    def leave(self, name: str) -> None:
        self.flush()
        if name in _PARAGRAPHS:
            self.paragraph = True
        if not self.opened.get(name):
            return
        while self.stack:
            top, self.level, self.hint, self.pre, self.hidden = self.stack.pop()
            self.opened[top] -= 1
            if top == name:
                return

    def flush(self, *, blank: bool = False, last: bool = False) -> None:
        """End a line: of words, or a blank one where a break asks for it."""
        if len(self.lines) >= MAX_LINES and not last:
            self.words.append(" ")
            return
        text = "".join(self.words)
        self.words.clear()
        if "&" in text:
            text = unescape(text)
        text = text.replace("\u00a0", " ").replace("\r", "").replace("\n", " ").rstrip() if self.pre else " ".join(text.split())
        if not text:
            if blank and self.lines and self.lines[-1].text:
                self.append("")
            return
        if self.paragraph and self.lines and self.lines[-1].text:
            level, self.level = self.level, min(self.level, self.lines[-1].marks)
            self.append("")
            self.level = level
        self.paragraph = False
        self.append(text)

    def append(self, text: str) -> None:
        level = self.level
        prefix = "> " * level
        marks = _MARKS.match(text)
        more = min(marks[0].count(">"), MAX_QUOTES) if marks else 0
        body = self.size + len(prefix) + (marks.end() if marks else 0)
        shown = (prefix + text).rstrip() if not text else prefix + text
        end = self.size + len(shown) + 1
        line = Line(self.size, min(body, end - 1), end, level + more, text[marks.end() :].strip() if marks else text.strip())
        if text and self.hint == "indented":
            line.hint = self.hint
        elif text and self.hint and self.hinted < _MOST_HINTED:
            line.hint = self.hint
            self.hinted += 1
        self.lines.append(line)
        self.out.append(shown)
        self.size = end

    def finish(self) -> tuple[str, list[Line]]:
        self.flush(last=True)
        return "".join(f"{each}\n" for each in self.out), self.lines
