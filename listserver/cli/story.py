"""What the demonstration's community of six has to say; written for it, and all of it invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

LIST = "toolshare@lists.example.org"
NAME = "Hartley Vale Tool Share"
SHORT = "Tool Share"
BEGIN = datetime(2026, 3, 2, 9, 12, tzinfo=UTC)

PEOPLE = {
    "ruth": ("Ruth Adeyemi", "ruth@example.net"),
    "priya": ("Priya Nair", "priya@example.com"),
    "tom": ("Tom Okafor", "tom@example.net"),
    "marek": ("Marek Nowak", "marek@example.org"),
    "gwen": ("Gwen Pritchard", "gwen@example.net"),
    "dilys": ("Dilys Hughes", "dilys@example.com"),
}
DIGEST_READER = "dilys"
NEWCOMER = "gwen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One post: who, after how many minutes of the day, what; `answers` names the key of an earlier one."""

    key: str
    who: str
    minute: int
    subject: str
    text: str
    answers: str = ""
    with_header: bool = True


STORY = (
    Said(
        key="hours",
        who="ruth",
        minute=0,
        subject="Saturday opening hours",
        text=(
            "Could we open at nine? I keep meeting people at the locked door\n"
            "with a borrowed hedge trimmer under one arm and no idea when we\n"
            "open. Ten is late for anybody who wants to use the day.\n\nRuth\n"
        ),
    ),
    Said(
        key="damp",
        who="marek",
        minute=50,
        subject="Damp in the shed",
        text=(
            "The north wall is wet up to the second shelf. I have moved the drills\n"
            "and the sander, and hung the ropes outside. Somebody who knows about\n"
            "gutters should look before the next rain.\n\nMarek\n"
        ),
    ),
    Said(
        key="hours-priya",
        who="priya",
        minute=62,
        subject="Re: Saturday opening hours",
        answers="hours",
        text=(
            "On Mon, 2 Mar 2026 at 09:12, Ruth Adeyemi <ruth@example.net> wrote:\n"
            "> Could we open at nine? I keep meeting people at the locked door\n"
            "> with a borrowed hedge trimmer under one arm and no idea when we\n"
            "> open.\n\n"
            "Nine is fine with me, the dog gets me up anyway. I can open on the\n"
            "first and third Saturday, if somebody else takes the other two.\n\nPriya\n"
        ),
    ),
    Said(
        key="hours-tom",
        who="tom",
        minute=208,
        subject="Re: Saturday opening hours",
        answers="hours-priya",
        with_header=False,
        text=(
            "Priya Nair wrote:\n\n"
            "> I can open on the first and third Saturday, if somebody else takes\n"
            "> the other two.\n\n"
            "I will take the second Saturday. Who has the spare key?\n\n-- \nTom Okafor\n"
        ),
    ),
    Said(
        key="damp-priya",
        who="priya",
        minute=240,
        subject="Re: Damp in the shed",
        answers="damp",
        text=(
            "> Somebody who knows about gutters should look before the next rain.\n\n"
            "Ours came down in the storm too. I could look on Thursday, if\n"
            "somebody holds the ladder. Which brings me to the ladder.\n"
        ),
    ),
    Said(
        key="ladder",
        who="dilys",
        minute=300,
        subject="Who has the long ladder?",
        text=(
            "I borrowed it in October and took it back, but it is not on its hook.\n"
            "The gutter of the chapel hall needs doing before the christening.\n\nDilys\n"
        ),
    ),
    Said(
        key="damp-marek",
        who="marek",
        minute=330,
        subject="Re: Damp in the shed",
        answers="damp-priya",
        text=(
            "> I could look on Thursday, if somebody holds the ladder.\n\nYes please. I will be there from four, and bring tea.\n"
        ),
    ),
)

NEWCOMER_SAYS = Said(
    key="hours-gwen",
    who=NEWCOMER,
    minute=480,
    subject="Re: Saturday opening hours",
    answers="hours-tom",
    text=(
        "On Mon, 2 Mar 2026, Tom Okafor wrote:\n"
        "> I will take the second Saturday. Who has the spare key?\n\n"
        "It hangs in our hall. Ring at number 14, any evening after six. And\n"
        "hello, everybody: I moved in last month, with a shed full of nothing.\n\nGwen\n"
    ),
)

DIGEST_ANSWER = "Mine is the blue bucket under the drip. Bring the long ladder\nback from wherever it is and I will hold it on Thursday.\n\nDilys\n"
DIGEST_ANSWERS = "damp-priya"
