"""Texts of every mail program we know of, in many languages: all their spans and attributions, exactly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from listserver.mail.htmlquotes import read_html
from listserver.mail.quoting import Attribution, SplitText, split_lines, split_text

CORPUS = Path(__file__).parents[2] / "corpus" / "quotes"
FILES = sorted(CORPUS.glob("*.spans"))
MARK = re.compile(r"^⟦([^⟧]*)⟧\n|⟦([^⟧]*)⟧", re.M)


def _show(split: SplitText) -> str:
    """A split text in the form of the corpus."""
    shown = []
    for span in split.spans:
        head = f"{span.kind} {span.level}"
        if span.kind in ("attribution", "header_block"):
            assert span.attribution is not None
            head = " | ".join((head, *_say(split.attributions[span.attribution])))
        begins_line = span.start == 0 or split.text[span.start - 1] == "\n"
        shown.append(f"⟦{head}⟧" + ("\n" if begins_line else "") + split.text[span.start : span.end])
    return "".join(shown)


def _say(attribution: Attribution) -> list[str]:
    when = ""
    if attribution.when is not None:
        when = attribution.when.isoformat(timespec="minutes") if attribution.minute_known else f"{attribution.when:%Y-%m-%d}"
    said = [attribution.name, attribution.address, when]
    return [*said, attribution.message_id] if attribution.message_id else said


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_span_is_as_expected(file: Path) -> None:
    """The spans of a text, their levels and kinds, and who is quoted from when, are those that a person would mark."""
    expected = file.read_text(encoding="utf-8")
    page = file.with_suffix(".html")

    split = split_lines(*read_html(page.read_text(encoding="utf-8"))) if page.exists() else split_text(MARK.sub("", expected))

    assert _show(split) == expected


def test_the_corpus_is_whole() -> None:
    """Every page has its expectation, and there are enough of both."""
    pages = {file.stem for file in CORPUS.glob("*.html")}

    assert pages <= {file.stem for file in FILES}
    assert len(FILES) >= 80
