"""What peers answer, from the tidy to the hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.reply import Reply, parse_reply


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (b"250 2.0.0 Ok\r\n", Reply(250, "2.0.0", "Ok")),
        (b"250 Ok", Reply(250, "", "Ok")),
        (b"250", Reply(250, "", "")),
        (b"250 ", Reply(250, "", "")),
        (b"354 End data with <CR><LF>.<CR><LF>\r\n", Reply(354, "", "End data with <CR><LF>.<CR><LF>")),
        (b"250-mx.example.net\r\n250-SIZE 1000\r\n250 PIPELINING\r\n", Reply(250, "", "mx.example.net\nSIZE 1000\nPIPELINING")),
        (b"550-5.1.1 No such\r\n550 5.1.1 mailbox\r\n", Reply(550, "5.1.1", "No such\nmailbox")),
        (b"550-5.1.1\n550 mailbox\n", Reply(550, "5.1.1", "mailbox")),
        (b"451 4.7.1 Greylisted", Reply(451, "4.7.1", "Greylisted")),
        (b"250 2.0.0.1 no code", Reply(250, "", "2.0.0.1 no code")),
        (b"250 3.0.0 no class", Reply(250, "", "3.0.0 no class")),
        (b"421-gone\r\n450 later", Reply(450, "", "gone\nlater")),
        ("550 Postfach nicht gefunden: grüße".encode(), Reply(550, "", "Postfach nicht gefunden: grüße")),
        (b"550 \xff\x00\x1b[31m\x07x", Reply(550, "", "\ufffd [31m x")),
    ],
)
def test_replies_are_read(lines: bytes, reply: Reply) -> None:
    """One line or several, with and without enhanced codes; no control character gets into a log."""
    assert parse_reply(lines) == reply


@pytest.mark.parametrize(
    "lines",
    [b"", b"\r\n", b"hello", b"25 x", b"2500 x", b"150 x", b"650 x", b"250x", b"250-a\r\nb", b"\xb2\xb2\xb2 x", b" 250 x"],
)
def test_what_is_no_reply_is_refused(lines: bytes) -> None:
    """A ValueError, for the transport to end the connection."""
    with pytest.raises(ValueError, match="not an SMTP reply"):
        parse_reply(lines)


def test_an_endless_reply_is_cut() -> None:
    """Neither long lines nor many of them are kept; the last line still decides."""
    reply = parse_reply(b"250-" + b"x" * 100_000 + b"\r\n" + b"250-x\r\n" * 10_000 + b"550 no\r\n")

    assert reply.code == 550
    assert len(reply.text) <= 1000


@pytest.mark.parametrize(
    ("code", "positive", "temporary", "permanent"),
    [(250, True, False, False), (354, True, False, False), (451, False, True, False), (550, False, False, True)],
)
def test_what_a_code_means(code: int, positive: bool, temporary: bool, permanent: bool) -> None:
    """RFC 5321 §4.2.1."""
    reply = Reply(code, "", "")

    assert (reply.is_positive, reply.is_temporary, reply.is_permanent) == (positive, temporary, permanent)


def test_a_reply_is_shown_on_one_line() -> None:
    """Code, enhanced code, text."""
    assert str(Reply(550, "5.1.1", "No such\nmailbox")) == "550 5.1.1 No such mailbox"
    assert str(Reply(250, "", "")) == "250"


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(b"250-|250 |2.0.0|x|\r\n|\n|\r|\xff|550 ".split(b"|")), max_size=20).map(b"".join)
)
def test_any_bytes_are_a_reply_or_a_value_error(lines: bytes) -> None:
    """And its text is fit for a log line."""
    try:
        reply = parse_reply(lines)
    except ValueError:
        return

    assert 200 <= reply.code <= 599
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in str(reply))
