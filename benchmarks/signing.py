"""What DKIM signatures cost: personal copies of one 4 KiB post, built unsigned and signed, on one thread.

    python benchmarks/signing.py [COPIES]

The unsigned figure is the yardstick of the same run; the body is hashed once whatever the number of copies.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from listserver.authentication.keys import Signing, make_keys, read_keys
from listserver.authentication.sign import Signable
from listserver.flows.ports import Body
from listserver.lists.model import ListOptions, MailingList
from listserver.lists.tokens import PermissionSigner
from listserver.lists.transform import PostFactsForCopy, copy_content
from listserver.mail.headers import read_header
from listserver.mail.listfields import unsubscribe_fields

_LINE = b"The gutter of the chapel hall needs doing before the christening.\r\n"


def _post(alist: MailingList) -> bytes:
    raw = (
        b"From: Gwen <gwen@example.net>\r\nTo: toolshare@lists.example.org\r\nSubject: The long ladder\r\n"
        b"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\nMessage-ID: <m1@example.net>\r\n\r\n" + _LINE * 60
    )
    facts = PostFactsForCopy(
        message_id="<m1@example.net>", reply_token="abcdefghjk", author=None, rewrite_author=False, hostname="lists.example.org"
    )
    return copy_content(alist, raw, read_header(raw), facts)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    alist = MailingList(id=7, address="toolshare@lists.example.org", options=ListOptions(name="Tool Share"))
    now, leave, raw = datetime.now(UTC), PermissionSigner(b"x" * 32, "leave", 7, 20_000), _post(alist)
    with tempfile.TemporaryDirectory() as folder:
        keys = read_keys(",".join(f"{selector}={path}" for selector, path in make_keys(Path(folder))))
    yardstick = 0.0
    for name, chosen in (("unsigned", ()), ("RSA 2048", keys[:1]), ("Ed25519", keys[1:]), ("both", keys)):
        signing, body = Signing(chosen), Body(raw)
        mail, begun = Signable(body.raw), time.process_time()
        for member in range(count):
            token = leave.sign(member)
            head = unsubscribe_fields(f"toolshare-leave+{token}@lists.example.org", f"https://lists.example.org/u/{token}")
            if chosen:
                head = signing.sign(alist.host, mail, head, now=now) + head
        rate = count / (time.process_time() - begun)
        yardstick = yardstick or rate
        print(f"{name:10} {rate:10,.0f} copies per CPU second   {1e6 / rate:8.1f} µs each   {rate / yardstick:6.3f} of unsigned")


if __name__ == "__main__":
    main()
