"""Keep the author's name in From, or put the list's in its place: only where keeping it would get the post refused.

A pure prediction reads every author signature (`h=`, `l=`) and says which survive the list's edits. Over-signing is the
trap: Gmail names `reply-to` in `h=` although the mail has none, so *adding* one breaks that signature; Exim and Proton
name List-* fields, which every list adds. SPF never speaks for a copy: it leaves from our server under our return-path
(RFC 7960 §3.2), so an author without a signature of its own has nothing that survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from listserver.lists.transform import EditedFields
from listserver.mail.dkim import read_tags
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
    """None: not checked, or the DNS gave no answer."""
    aligned: bool = False
    position: int = 0
    """Which of the DKIM-Signature fields it is, from the top."""


_MOST_SIGNATURES = 8
_LONGEST_SIGNATURE = 8192


def read_signatures(header: Header) -> tuple[SignatureFacts, ...]:
    """The DKIM-Signature fields of a mail (RFC 6376 §3.5), the first eight; what cannot be read is left out."""
    found = []
    for position, body in enumerate(header.all("dkim-signature")[:_MOST_SIGNATURES]):
        tags = read_tags(unfold(body, _LONGEST_SIGNATURE)) if len(body) <= _LONGEST_SIGNATURE else None
        names = tuple(name.strip().lower() for name in (tags or {}).get("h", "").split(":"))
        if not tags or not tags.get("d") or not tags.get("s") or "from" not in names:
            continue  # without From it says nothing of the author (RFC 6376 §5.4)
        length = tags.get("l", "")
        found.append(
            SignatureFacts(
                domain="".join(tags["d"].split()).lower(),
                selector="".join(tags["s"].split()),
                fields=names,
                covers_body_to=int(length) if length.isascii() and length.isdigit() and len(length) < 12 else None,
                position=position,
            )
        )
    return tuple(found)


# Edited only by taking away what is there: that a mail has none of them stays true.
REMOVED_ONLY = frozenset(
    ("return-path", "bcc", "disposition-notification-to", "return-receipt-to", "x-confirm-reading-to", "approved")
)


def survives(signature: SignatureFacts, header: Header, edits: EditedFields) -> bool:
    """Whether a signature that holds now will hold on the list's copies.

    A field that is added, changed or removed breaks it when `h=` names it: either an instance that is there (they are
    taken from the bottom up, RFC 6376 §5.4.2), or, over-signed, the absence of a further one.

    Invariant: never true of a signature that breaks. It is false of one that holds only where a field is written anew
    with the very words it had, and where `l=` leaves out the footer: receivers are right not to count such a signature.
    """
    if edits.body_changed:
        return False
    return not any(header.count(name) or name not in REMOVED_ONLY for name in edits.names.intersection(signature.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorDecision:
    """Whether copies carry the list's address in From, and why."""

    rewrite: bool
    reason: str


def decide_author(
    policy: Policy, signatures: Sequence[SignatureFacts], header: Header, edits: EditedFields, *, option: str
) -> AuthorDecision:
    """Keep or rewrite the author; `option` is the list's `rewrite_from`, `edits` what it changes with From kept.

    A signature that could not be checked, because the DNS did not answer, counts as one that holds.
    """
    if option == "always":
        return _rewrite("the owner wants it always")
    if option == "never":
        return _keep("the owner wants it never")
    if not policy.enforces:
        return _keep(
            "what the author's domain asks for is not known"
            if policy is Policy.unknown
            else "the author's domain does not ask for failing mail to be refused"
        )
    asks = f"receivers refuse failing mail of the author's domain ({policy})"
    aligned = [signature for signature in signatures if signature.aligned]
    if not aligned:
        return _rewrite(f"{asks}; it signs nothing, and SPF cannot speak for copies that our server sends")
    holding = [signature for signature in aligned if signature.valid is not False]
    if not holding:
        return _rewrite(f"{asks}, and its signature did not hold as it came")
    kept = next((signature for signature in holding if survives(signature, header, edits)), None)
    if kept is not None:
        return _keep(f"the signature of {kept.domain[:100]} survives our edits")
    return _rewrite(f"{asks}, and we break its signature: {_broken_by(holding[0], header, edits)}")


def _broken_by(signature: SignatureFacts, header: Header, edits: EditedFields) -> str:
    """What breaks a signature, in words for the record."""
    if edits.body_changed:
        return "the footer changes the text"
    touched = sorted(
        name for name in edits.names.intersection(signature.fields) if header.count(name) or name not in REMOVED_ONLY
    )
    return ", ".join(name if header.count(name) else f"{name} (signed as absent)" for name in touched[:6])


def _keep(reason: str) -> AuthorDecision:
    return AuthorDecision(rewrite=False, reason=reason)


def _rewrite(reason: str) -> AuthorDecision:
    return AuthorDecision(rewrite=True, reason=reason)
