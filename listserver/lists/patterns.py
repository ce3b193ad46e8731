"""Regular expressions that an owner writes and strangers' fields meet: none that could take for ever."""

from __future__ import annotations

import re


def may_take_for_ever(pattern: str) -> bool:
    """Whether a pattern may need exponential time, or more than quadratic: it meets strangers' fields.

    Conservative: a repeated group may neither repeat nor choose inside, and only two repetitions may be unbounded.
    """
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    inside, unbounded = [False], 0
    for index, sign in enumerate(plain):
        repeats = plain[index + 1 : index + 2] in ("*", "+", "{")
        if sign == "(":
            inside.append(False)
        elif sign == ")" and len(inside) > 1:
            if inside.pop() and repeats:
                return True
            inside[-1] = inside[-1] or repeats
        elif sign in "*+{|":
            inside[-1] = True
            unbounded += sign != "|"
    return unbounded > 2
