"""Authentication-Results: whose they are and what they say, never what a comment or a quote pretends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listserver.mail.authresults import MAX_FIELD, read_results

TOKENS = (
    b"mx.example.org", b";", b" ", b"dkim", b"=", b"pass", b'"', b"\\", b"(", b")", b" header.d=", b"/1", b"none", b"\xff", b"\x00",
)  # fmt: skip
pieces = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)


def test_a_usual_field() -> None:
    """Results in order, with their properties (RFC 8601 §2.2)."""
    found = read_results(
        b" mx.example.org;\r\n dkim=pass (2048-bit key) header.d=Example.net header.s=s1;\r\n"
        b' SPF=Fail reason="no; really" smtp.mailfrom=gwen@example.net; dmarc/1 = none'
    )

    assert found is not None
    assert found.authserv_id == "mx.example.org"
    assert found.results == (
        ("dkim", "pass", {"header.d": "Example.net", "header.s": "s1"}),
        ("spf", "fail", {"reason": "no; really", "smtp.mailfrom": "gwen@example.net"}),
        ("dmarc", "none", {}),
    )


@pytest.mark.parametrize(
    ("body", "authserv_id", "methods"),
    [
        (b"mx.example.org 1; none", "mx.example.org", []),
        (b'"mx.example.org"; none', "mx.example.org", []),
        (b"(a comment) mx.example.org (another); dkim=pass", "mx.example.org", ["dkim"]),
        (b"mx.example.org; (dkim=pass) spf=fail", "mx.example.org", ["spf"]),
        (b"mx.example.org; (; dkim=pass", "mx.example.org", []),
        (b'mx.example.org; x="; dkim=pass"', "mx.example.org", ["x"]),
        (b"mx.example.org; (a (b) ; dkim=pass) spf=fail", "mx.example.org", ["spf"]),
        (b'mx.example.org; (a ") dkim=pass', "mx.example.org", ["dkim"]),
        (b"mx.example.org; dkim=fail dkim=pass", "mx.example.org", ["dkim"]),
        (b"mx.example.org evil.example; dkim=pass", None, []),
        (b"; dkim=pass", None, []),
        (b'""; dkim=pass', None, []),
        (b"dkim=pass", None, []),
        (b"", None, []),
    ],
)
def test_nobody_slips_in_a_result(body: bytes, authserv_id: str | None, methods: list[str]) -> None:
    """Comments and quoted strings hold no statements; a field that does not say whose it is is none."""
    found = read_results(body)

    assert (found.authserv_id if found else None) == authserv_id
    assert [method for method, _result, _properties in (found.results if found else ())] == methods


def test_of_a_property_written_twice_the_first_counts() -> None:
    """The writer's, not what was put behind it; and a second pair never replaces the result."""
    found = read_results(b"mx.example.org; dkim=fail header.d=evil.example header.d=bank.example dkim=pass")

    assert found is not None
    assert found.results == (("dkim", "fail", {"header.d": "evil.example", "dkim": "pass"}),)


def test_a_statement_that_is_cut_is_left_out() -> None:
    """A field over 4 KB: `dkim=pass` may have been `dkim=passable`."""
    body = b"mx.example.org; spf=pass; dkim=pass" + b"x" * MAX_FIELD

    found = read_results(body)

    assert found is not None
    assert [method for method, _result, _properties in found.results] == ["spf"]


@given(pieces)
def test_reading_never_raises(body: bytes) -> None:
    """Whatever stands there: methods and results are lower-cased and without spaces."""
    found = read_results(body)

    for method, result, _properties in found.results if found else ():
        assert method == method.strip().lower()
        assert result == result.lower()
