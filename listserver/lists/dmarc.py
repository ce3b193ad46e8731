"""Keep the author's name in From, or put the list's in its place: only where keeping it would get the post refused.

A pure prediction reads every author signature (`h=`, `l=`) and says which survive the list's edits. Over-signing is the
trap: Gmail names `reply-to` in `h=` although the mail has none, so *adding* one breaks that signature.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from listserver.lists.transform import EditedFields
from listserver.mail.headers import Header, unfold


class Policy(StrEnum):
    """What an author's domain asks receivers to do with mail that fails (RFC 9989)."""

    none = "none"
    quarantine = "quarantine"
    reject = "reject"
    unknown = "unknown"

    @property
    def enforces(self) -> bool:
        """Whether receivers would refuse or hide a copy that fails."""
        return self in (Policy.quarantine, Policy.reject)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFacts:
    """One DKIM-Signature: who signed, which fields, and (once checked) whether it holds and speaks for the author."""

    domain: str
    selector: str
    fields: tuple[str, ...]
    covers_body_to: int | None = None
    valid: bool | None = None
    aligned: bool = False


_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*?)\s*(?:;|$)")
_MOST_SIGNATURES = 8


def read_signatures(header: Header) -> tuple[SignatureFacts, ...]:
    """The DKIM-Signature fields of a mail (RFC 6376 §3.5), at most eight; what cannot be read is left out."""
    found = []
    for body in header.all("dkim-signature")[:_MOST_SIGNATURES]:
        tags = dict(_TAG.findall(unfold(body, 8192)))
        names = tuple(name.strip().lower() for name in tags.get("h", "").split(":") if name.strip())
        if not names or not tags.get("d"):
            continue
        length = tags.get("l", "")
        found.append(
            SignatureFacts(
                domain="".join(tags["d"].split()).lower(),
                selector="".join(tags.get("s", "").split()),
                fields=names,
                covers_body_to=int(length) if length.isascii() and length.isdigit() and len(length) < 12 else None,
            )
        )
    return tuple(found)


def survives(signature: SignatureFacts, header: Header, edits: EditedFields) -> bool:
    """Whether a signature that holds now will hold on the list's copies.

    An edited field breaks it when the signature covers an instance of it: one that is there (taken from the bottom up,
    RFC 6376 §5.4.2), or, over-signed, the absence of a further one.
    """
    if edits.body_changed:
        return False  # whatever l= covers, a receiver would be right to distrust it
    for name in set(signature.fields) & edits.names:
        signed, present = signature.fields.count(name), header.count(name)
        if present or signed > present:
            if name in REMOVED_ONLY and not present:
                continue  # nothing of that name was there, and none is added
            return False
    return True


REMOVED_ONLY = frozenset(
    ("return-path", "bcc", "disposition-notification-to", "return-receipt-to", "x-confirm-reading-to", "approved")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorDecision:
    """Whether copies carry the list's address in From, and why."""

    rewrite: bool
    reason: str


def decide_author(
    policy: Policy, signatures: Sequence[SignatureFacts], header: Header, edits: EditedFields, *, option: str
) -> AuthorDecision:
    """Keep or rewrite the author; `option` is the list's `rewrite_from`."""
    if option == "always":
        return AuthorDecision(rewrite=True, reason="the owner wants it always")
    if option == "never":
        return AuthorDecision(rewrite=False, reason="the owner wants it never")
    if not policy.enforces:
        return AuthorDecision(rewrite=False, reason=f"the author's domain asks for nothing ({policy})")
    holding = [s for s in signatures if s.valid and s.aligned]
    if not holding:
        return AuthorDecision(rewrite=True, reason=f"the author's domain asks for {policy}, and no signature of its own holds")
    if any(survives(signature, header, edits) for signature in holding):
        return AuthorDecision(rewrite=False, reason="a signature of the author's domain survives our edits")
    broken = sorted(set(holding[0].fields) & edits.names & {"reply-to", "subject", "from"}) or ["a field that we edit"]
    return AuthorDecision(
        rewrite=True, reason=f"our edits break the author's signature ({', '.join(broken)}), and the domain asks for {policy}"
    )
