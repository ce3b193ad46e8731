"""What people write to a list is read as a careful postmaster would; when in doubt, nothing acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.lists.dialects import DialectLine, read_dialect
from listserver.lists.moments import Moments, Unusable, read_hour
from listserver.lists.vocabulary import Language, Meaning, Vocabulary
from listserver.lists.wordreading import Context, Reader, Reading, ReadingKind
from listserver.render.languages import read_vocabulary

TODAY = date(2026, 3, 3)
CONTEXT = Context(today=TODAY, names=("Gwen Pritchard",), lists=("toolshare", "Tool Share"))


@cache
def reader() -> Reader:
    return Reader(read_vocabulary())


def read(text: str, subject: str = "", *, is_reply: bool = False, **around: object) -> Reading:
    return reader().read_mail(subject, text, replace(CONTEXT, **around), is_reply=is_reply)  # type: ignore[arg-type]


def acts(reading: Reading) -> list[tuple[str, str]]:
    return [(command.meaning.value, command.value) for command in reading.commands]


LEAVE = [
    "unsubscribe", "Unsubscribe!", "UNSUBSCRIBE.", "Please unsubscribe me", "please, unsubscribe me from this list. Thank you!", "opt-out",
    "opt out", "Could you unsubscribe me?", "how do I unsubscribe?", "I want to leave",
    "stop", "Remove me from the mailing list",
    "Bitte abmelden", "mich bitte abmelden", "Bitte melden Sie mich ab", "merci de me désabonner",
    "me desinscrire svp", "Quiero darme de baja de la lista por favor",
    "darme de baja",
    "Quero sair da lista", "Vorrei cancellarmi", "haal me van de lijst", "Proszę mnie wypisać", "ta bort mig från listan tack",
    "abonelikten çıkmak istiyorum", "ABONELİKTEN ÇIK", "إلغاء الاشتراك", "退订", "请退订", "请帮我退订，谢谢", "unsuscribe", "unsubscribe toolshare",
    "leave\n\nSent from my iPhone", "unsubscribe\n-- \nGwen Pritchard\nHartley Vale", "Hi,\n\nunsubscribe\n\nThanks\nGwen", "* unsubscribe",
    "“unsubscribe”", "unsubscribe\n\nGesendet von meinem Handy",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAVE)
def test_these_ask_to_leave(text: str) -> None:
    """Every way of people to say so, in every language."""
    assert acts(read(text)) == [("leave", "")]


NOTHING_ACTS = [
    ("don't unsubscribe me", ReadingKind.negated), ("I do not want to leave the list", ReadingKind.negated), ("不要退订", ReadingKind.negated),
    ("bitte nicht abmelden", ReadingKind.negated), ("abonelikten çıkmak istemiyorum", ReadingKind.negated), ("nie wypisz", ReadingKind.negated),
    ("digset", ReadingKind.near), ("unsubscribee", ReadingKind.near), ("abmeldem", ReadingKind.near), ("wycizs", ReadingKind.near),
    ("digest\neach", ReadingKind.excluding), ("yes\nno", ReadingKind.excluding), ("unsubscribe?", ReadingKind.question),
    ("Is digest free?", ReadingKind.unknown), ("pause until 03/04", ReadingKind.unclear), ("", ReadingKind.empty), ("Thanks", ReadingKind.empty),
    ("Gwen", ReadingKind.empty), ("the mixer", ReadingKind.unknown), ("unsubscribe later maybe", ReadingKind.unknown),
    ("Hello all, does anybody know who has got the long ladder, please?", ReadingKind.letter),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), NOTHING_ACTS)
def test_these_never_act(text: str, kind: ReadingKind) -> None:
    """A slip, a negation, a question, contradictions: nothing is done."""
    reading = read(text)
    assert (reading.kind, reading.commands) == (kind, ())


SETTINGS = [
    ("digest at 18:00", "digest", "18:00"), ("digest at 6 pm", "digest", "18:00"), ("Digest um 18 Uhr", "digest", "18:00"),
    ("pause until 20 March", "pause", "2026-03-20"), ("pause 2 weeks", "pause", "2026-03-17"), ("pause until 20/3", "pause", "2026-03-20"),
    ("pause until 1 March", "pause", "2027-03-01"),
    ("Urlaub bis 20. März", "pause", "2026-03-20"), ("vacances jusqu'au 20 mars", "pause", "2026-03-20"),
    ("pause until Friday", "pause", "2026-03-06"), ("pause until tomorrow", "pause", "2026-03-04"), ("pause", "pause", ""),
    ("language Deutsch", "language", "de"), ("text", "format", "text"), ("classic-mime", "format", "classic-mime"), ("receipts on", "receipts", "on"),
    ("send 123", "send", "123"), ("move to new@example.net", "move", "new@example.net"), ("remove my posts", "remove_posts", ""),
    ("invite a@example.org b@example.org", "invite", "a@example.org b@example.org"), ("timezone Europe/London", "timezone", "europe/london"),
    ("?", "help", ""), ("How do I get help?", "help", ""), ("approve always", "approve_always", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meaning", "value"), [s for s in SETTINGS if "How do I get" not in s[0]])
def test_words_with_their_values(text: str, meaning: str, value: str) -> None:
    """Hours, days, zones, languages, addresses."""
    assert acts(read(text)) == [(meaning, value)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("pause until 31 February", "no such day"), ("pause until 1 March 2026", "gone by"), ("digest at 25:00", "no such hour")],
)
def test_a_value_that_cannot_be_used_is_said(text: str, problem: str) -> None:
    """The command is understood, and what is wrong with its value."""
    assert [command.problem for command in read(text).commands] == [problem]


def test_a_missing_accent_is_decided_by_the_writers_language() -> None:
    """Résumé is the digest; without its accent a French reader means that, an English one to resume, others are asked."""
    assert acts(read("résumé")) == [("digest", "")]
    assert acts(read("resume", language="fr")) == [("digest", "")]
    assert acts(read("resume", language="en")) == [("resume", "")]
    assert read("resume", language="de").kind is ReadingKind.unclear


def test_the_subject_wins_when_it_is_wholly_a_word_and_no_reply() -> None:
    """Unless the text takes it back."""
    assert acts(read("Thanks\nGwen", "Unsubscribe")) == [("leave", "")]
    assert acts(read("digest", "Re: each", is_reply=True)) == [("digest", "")]
    assert read("I do not want to leave", "unsubscribe").kind is ReadingKind.negated
    assert read("digest", "each").kind is ReadingKind.excluding


def test_several_lines_are_several_commands() -> None:
    """Repeated ones once; `end` ends; a short line that was not understood is mentioned."""
    assert acts(read("digest\npause until Friday\ndigest\nend\nleave")) == [("digest", ""), ("pause", "2026-03-06")]
    assert read("digest\nfree mixer").unread == ("free mixer",)


def test_opposites_one_letter_apart_are_both_named() -> None:
    """A slip that could be either opposite offers both, and does neither."""
    assert set(read("ammelden").offers) == {Meaning.join, Meaning.leave}
    assert set(read("wycipsz").offers) == {Meaning.mute, Meaning.leave}
    assert set(read("aanmeldenn").offers) == {Meaning.join, Meaning.leave}


def test_how_do_i_is_a_command_only_at_role_addresses() -> None:
    """Sent to everyone it is a question about leaving."""
    assert read("how do I unsubscribe?", at_role_address=False).kind in (ReadingKind.question, ReadingKind.commands)


def test_two_languages_may_not_give_one_word_two_meanings() -> None:
    """A clash is refused by name."""
    one = Language(code="xx", names=(), words={Meaning.join: ("vamos",)}, phrases={}, values={})
    other = Language(code="yy", names=(), words={Meaning.leave: ("Vamos!",)}, phrases={}, values={})
    with pytest.raises(ValueError, match="'vamos' has two meanings: join in xx, leave in yy"):
        Vocabulary([one, other])


def test_every_language_has_every_word() -> None:
    """The words for joining, leaving, help and the settings are there in each language."""
    for language in read_vocabulary().languages.values():
        missing = {m for m in Meaning if m not in language.words} - {
            Meaning.format, Meaning.timezone, Meaning.language, Meaning.receipts, Meaning.reminders, Meaning.notices, Meaning.send,
            Meaning.move, Meaning.invite, Meaning.remove, Meaning.moderate,
        }  # fmt: skip
        assert not missing, (language.code, missing)
        assert set(language.phrases) == {"negation", "polite", "how", "probably_leave", "closing", "device", "disclaimer"}
        assert len(language.values["months"]) == 12
        assert len(language.values["weekdays"]) == 7


@given(st.text(max_size=400), st.text(max_size=80), st.booleans())
def test_reading_never_raises_and_acts_only_as_commands(text: str, subject: str, is_reply: bool) -> None:
    """Any text has a reading; commands come with their kind only."""
    reading = read(text, subject, is_reply=is_reply)
    assert bool(reading.commands) == (reading.kind is ReadingKind.commands)


@given(
    st.sampled_from([text for text in LEAVE if "\n" not in text]),
    st.sampled_from(["not", "never", "don't", "nicht", "pas", "nie", "inte"]),
)
def test_a_negation_before_a_word_never_acts(text: str, negation: str) -> None:
    """Whatever stands before it."""
    assert ("leave", "") not in acts(read(f"{negation} {text}"))


DIALECTS = [
    ("SUB toolshare Gwen Pritchard", DialectLine(meaning=Meaning.join, list_name="toolshare", name="Gwen Pritchard")),
    ("SUBSCRIBE toolshare", DialectLine(meaning=Meaning.join, list_name="toolshare")),
    ("subscribe digest address=ann@example.org", DialectLine(meaning=Meaning.join, address="ann@example.org", delivery="digest")),
    ("subscribe toolshare ann@example.org", DialectLine(meaning=Meaning.join, list_name="toolshare", address="ann@example.org")),
    ("SIGNOFF *", DialectLine(meaning=Meaning.leave, list_name="*")),
    ("SIG toolshare", DialectLine(meaning=Meaning.leave, list_name="toolshare")),
    ("QUIET SIGNOFF toolshare", DialectLine(meaning=Meaning.leave, list_name="toolshare")),
    ("unsubscribe uZ9q2x", DialectLine(meaning=Meaning.leave)),
    ("unsubscribe garden", DialectLine(meaning=Meaning.leave, list_name="garden")),
    ("SET toolshare NOMAIL", DialectLine(meaning=Meaning.pause, list_name="toolshare")),
    ("SET toolshare DIGEST", DialectLine(meaning=Meaning.digest, list_name="toolshare")),
    ("set digest off", DialectLine(meaning=Meaning.each)),
    ("set delivery off", DialectLine(meaning=Meaning.pause)),
    ("QUERY toolshare", DialectLine(meaning=Meaning.settings, list_name="toolshare")),
    ("INFO toolshare", DialectLine(meaning=Meaning.help, list_name="toolshare")),
    ("confirm 7f3a9c2b41", DialectLine(meaning=None, code="7f3a9c2b41")),
    ("auth 5d9e1f77 subscribe toolshare", DialectLine(meaning=None, code="5d9e1f77")),
    ("unsubscribe later", None), ("subscribe to nothing", None), ("set the table", None), ("leave it alone", None), ("join us tomorrow", None),
    ("info please", None), ("confirm it", None), ("subscribe", None), ("sub", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), DIALECTS)
def test_lines_of_other_list_managers(line: str, expected: DialectLine | None) -> None:
    """Mailman, Majordomo, LISTSERV, Sympa; what is not wholly one of their lines is none."""
    assert read_dialect(line, {"toolshare"}, lambda name: name == "garden") == expected


@given(st.text(max_size=200))
def test_dialects_never_raise(line: str) -> None:
    """Any line has a reading or none."""
    read_dialect(line, {"toolshare"}, lambda _name: False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-01", date(2026, 4, 1)), ("20.3.", date(2026, 3, 20)), ("3/20", date(2026, 3, 20)), ("20 March 2026", date(2026, 3, 20)),
        ("March 20th", date(2026, 3, 20)), ("le 14 juillet", date(2026, 7, 14)),
        ("14 de julio", date(2026, 7, 14)), ("29 February", date(2028, 2, 29)),
        ("1 day", date(2026, 3, 4)), ("3 semaines", date(2026, 3, 24)), ("03/04", Unusable("two meanings", ("2026-04-03", "2026-03-04"))),
        ("31 February", Unusable("no such day")), ("1999-01-01", Unusable("gone by")), ("soon", None), ("99 March", Unusable("no such day")),
    ],
)  # fmt: skip
def test_days_as_people_write_them(text: str, expected: object) -> None:
    """The next such day, two meanings, or none."""
    assert Moments(read_vocabulary()).read_day(text, TODAY) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", "18:00"),
        ("7", "07:00"),
        ("7.30", "07:30"),
        ("18h30", "18:30"),
        ("12 am", "00:00"),
        ("25:00", None),
        ("13 pm", None),
        ("noon", None),
    ],
)
def test_hours_as_people_write_them(text: str, expected: str | None) -> None:
    """HH:MM or none."""
    assert read_hour(text) == expected
