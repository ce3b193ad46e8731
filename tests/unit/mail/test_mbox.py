"""mbox files: reversible, streaming, and not fooled by text."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listserver.mail.mbox import MboxMessage, read_mbox, separator_date, separator_of, unix_lines, write_mbox

MOMENT = datetime(2026, 3, 2, 9, 12, tzinfo=UTC)
SEPARATOR = b"From gwen@example.net Mon Mar  2 09:12:00 2026\n"


def written(*messages: bytes) -> bytes:
    """The file that these messages make."""
    file = io.BytesIO()
    separator = separator_of("gwen@example.net", MOMENT)
    assert write_mbox(file, [MboxMessage(separator, raw) for raw in messages]) == len(messages)
    return file.getvalue()


def read(data: bytes) -> list[bytes]:
    """The messages of a file."""
    return [message.raw for message in read_mbox(io.BytesIO(data))]


def test_a_file_of_one_message() -> None:
    """Separator, message, empty line."""
    assert written(unix_lines(b"Subject: a\r\n\r\nFrom here on\r\n>From there\r\n")) == (
        SEPARATOR + b"Subject: a\n\n>From here on\n>>From there\n\n"
    )


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    b"From ",
                    b">From ",
                    b">>",
                    b"\n",
                    b"\n\n",
                    SEPARATOR,
                    b"x",
                    b" From",
                    b"Subject: a\n",
                    b"\x00\xff",
                    b"\r\n",
                    b"\r",
                ]
            ),
            max_size=12,
        ).map(lambda parts: b"".join(parts) + b"\n"),
        max_size=5,
    )
)
def test_what_is_written_is_read_back(messages: list[bytes]) -> None:
    """Byte for byte, whatever lines and line ends a message has."""
    assert read(written(*messages)) == messages


@pytest.mark.parametrize(
    "separator",
    [
        b"From gwen@example.net Mon Mar  2 09:12:00 2026\n",
        b"From gwen@example.net  Mon Mar 02 09:12:00 2026\r\n",
        b"From gwen at example.net  Mon Mar  2 09:12:00 2026\n",
        b"From gwen at mail.example.net (Gwen Pritchard)  Mon Mar  2 09:12:00 2026\n",
        b"From MAILER-DAEMON Mon Mar  2 09:12:00 2026\n",
        b"From gwen@example.net Mon Mar  2 09:12:00 +0100 2026\n",
        b"From gwen@example.net Mon Mar  2 09:12:00 GMT 2026\n",
        b"From gwen@example.net Mon Mar  2 09:12 2026\n",
        b"From gwen@example.net Mon, 2 Mar 2026 09:12:00 +0000\n",
        b"From - Mon Mar  2 09:12:00 2026\n",
        b'From "gwen p"@example.net Mon Mar  2 09:12:00 2026\n',
        b"From  Mon Mar  2 09:12:00 2026\n",
        b"From Mon Mar  2 09:12:00 2026\n",
    ],
)
def test_separators_of_real_files(separator: bytes) -> None:
    """As mail programs, mail servers and pipermail write them."""
    assert read(separator + b"Subject: a\n\nx\n\n" + separator + b"Subject: b\n\ny\n\n") == [
        b"Subject: a\n\nx\n",
        b"Subject: b\n\ny\n",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"From here on it rains.\n",
        b"From Monday on\n",
        b"From gwen@example.net\n",
        b"From Mon to Fri we open at 9\n",
        b"From: x\n",
        b"From \n",
    ],
)
def test_text_that_begins_with_from_is_text(line: bytes) -> None:
    """Files of programs that do not quote it: behind an empty line too."""
    assert read(SEPARATOR + b"Subject: a\n\n" + line + b"more\n\n") == [b"Subject: a\n\n" + line + b"more\n"]


def test_a_file_is_written_again_as_it_was() -> None:
    """Separators and line ends too, in a file where every message has its own habits."""
    file = (
        b"From gwen at example.net  Mon Mar  2 09:12:00 2026\nSubject: a\n\n>From x\n\n"
        b"From gwen@example.net Mon Mar  2 09:12:00 2026\r\nSubject: b\r\n\r\nx\r\n\r\n"
        b"From ???@??? Mon Mar 02 09:12:00 2026\nSubject: c\r\n\r\nx\r\n\n"
    )
    again = io.BytesIO()

    assert write_mbox(again, read_mbox(io.BytesIO(file))) == 3

    assert again.getvalue() == file


def test_a_separator_without_a_date_needs_a_header_section_behind_it() -> None:
    """Some programs write none; a line of text that only names somebody is no separator."""
    undated = b"From gwen@example.net\n"

    assert read(SEPARATOR + b"Subject: a\n\nx\n\n" + undated + b"Subject: b\nTo: x\n\ny\n") == [
        b"Subject: a\n\nx\n",
        b"Subject: b\nTo: x\n\ny\n",
    ]
    assert len(read(SEPARATOR + b"Subject: a\n\n" + undated + b"Note: rain\nand wind\n")) == 1


def test_a_separator_of_an_unusual_form_needs_a_field_behind_it() -> None:
    """A quoted log line in a file of a program that does not mark such lines."""
    line = b"From gwen at example.net  Mon Mar 02 09:12:00 GMT 2026\n"

    assert len(read(SEPARATOR + b"Subject: a\n\n" + line + b"she wrote that.\n")) == 1
    assert len(read(SEPARATOR + b"Subject: a\n\n" + line + b"Subject: b\n\nx\n")) == 2


@given(st.integers(262_000, 262_200), st.integers(1, 40))
@settings(max_examples=40)
def test_where_blocks_of_the_file_end_does_not_matter(length: int, more: int) -> None:
    """A separator may stand anywhere between two reads."""
    first = b"Subject: a\n\n" + b"x" * length + b"\n"
    rest = [b"Subject: b\n\n" + b"\n" * more] * 3

    assert read(written(first, *rest)) == [first, *rest]


def test_a_separator_inside_a_paragraph_is_text() -> None:
    """Only behind an empty line does a message begin."""
    assert read(SEPARATOR + b"Subject: a\n\ntext\n" + SEPARATOR + b"\n") == [b"Subject: a\n\ntext\n" + SEPARATOR]


@pytest.mark.parametrize("data", [b"", b"\n", b"no mbox\nat all\n", b"From nobody\n"])
def test_what_is_no_mbox_has_no_messages(data: bytes) -> None:
    """And what stands before the first separator is none."""
    assert read(data) == []
    assert read(data + b"\n" + SEPARATOR + b"A: 1\n\nx\n") == [b"A: 1\n\nx\n"]


def test_a_file_that_breaks_off() -> None:
    """The last message is what there is of it."""
    assert read(SEPARATOR + b"A: 1\n\nx") == [b"A: 1\n\nx"]
    assert read(SEPARATOR) == [b""]


@pytest.mark.parametrize(
    ("reverse_path", "sender"),
    [
        ("", b"MAILER-DAEMON"),
        ("a@b", b"a@b"),
        ("a b@c", b"MAILER-DAEMON"),
        ("a@b\nFrom x", b"MAILER-DAEMON"),
        ("jörg@x", b"MAILER-DAEMON"),
    ],
)
def test_a_separator_is_one_line_with_one_word(reverse_path: str, sender: bytes) -> None:
    """Whatever the reverse-path, in UTC."""
    separator = separator_of(reverse_path, MOMENT.astimezone(timezone(timedelta(hours=5))))

    assert separator == b"From " + sender + b" Mon Mar  2 09:12:00 2026\n"
    assert separator_date(separator) == MOMENT


@given(st.binary(max_size=400) | st.lists(st.sampled_from([SEPARATOR, b"From ", b"\n", b"x", b"\r"]), max_size=20).map(b"".join))
def test_reading_never_raises(data: bytes) -> None:
    """Any file has messages or none."""
    assert sum(map(len, read(data))) <= len(data)


def test_a_message_without_end_is_cut() -> None:
    """One message may not fill the memory; the next one is found."""
    file = io.BytesIO(SEPARATOR + b"x\n" * 5000 + b"\n" + SEPARATOR + b"A: 1\n")

    first, second = read_mbox(file, limit=1000)

    assert first.is_cut
    assert len(first.raw) <= 1002
    assert second.raw == b"A: 1\n"


def test_the_end_of_a_long_line_is_no_empty_line() -> None:
    """A line is read in pieces of 64 KB; what follows the last piece is in the same paragraph."""
    text = b"x" * 65_536 + b"\n" + SEPARATOR

    assert read(SEPARATOR + text) == [text]


def test_memory_does_not_grow_with_the_file() -> None:
    """Ten thousand messages in, ten thousand out, one at a time."""
    one = SEPARATOR + b"Subject: a\n\n" + b"text of a line\n" * 100 + b"\n"

    class Endless(io.RawIOBase):
        """A file made while it is read."""

        left = 10_000
        buffer = b""

        def readable(self) -> bool:
            return True

        def readinto(self, into: bytearray) -> int:  # type: ignore[override]
            if not self.buffer and self.left:
                self.buffer, self.left = one * 10, self.left - 10
            taken, self.buffer = self.buffer[: len(into)], self.buffer[len(into) :]
            into[: len(taken)] = taken
            return len(taken)

    def count(messages: Iterator[MboxMessage]) -> int:
        return sum(1 for _each in messages)

    tracemalloc.start()
    try:
        found = count(read_mbox(io.BufferedReader(Endless())))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == 10_000
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "line", [b"From " + b"a " * 5000 + b"\n", b"From Mon " * 500 + b"\n", b"From Mon Mar 1 " + b"1" * 5000 + b"\n"]
)
def test_lines_that_nearly_are_separators_cost_little(line: bytes) -> None:
    """Not one of them is a separator, and thousands are looked at quickly."""
    assert len(read(SEPARATOR + (line + b"\n") * 300)) == 1
