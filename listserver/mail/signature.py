"""What stands below what somebody wrote: signatures, the list's footers, advertisements of devices, armour.

`-- ` by RFC 3676 §4.3; footers by their shape, a rule with addresses or links below it at the end; devices by the names
of products, which are the same in all languages.
"""

from __future__ import annotations

import re

from listserver.mail.quotemarks import Line

LONGEST_SIGNATURE = 20  # lines with text
_LONGEST_FOOTER = 14
_LONGEST_RULE = 160  # characters
_RULE = re.compile(r"[_=*~-]{15,}|-{2,}\s?~.{0,60}|-{20,}[^\n]{0,40}-{2,}[~>-]*")
_FOOTER_WORDS = re.compile(
    r"unsubscribe|mailing[ -]?list|subscri(?:be|ption)|list ?info|listinfo|abbestell|désinscri|désabonn|desuscrib|darse de baja|disiscri|"
    r"https?://|www\.|@|subscribe|列表|退订|рассылк|отписа",
    re.I,
)
_OPENS_FOOTER = re.compile(
    r"you received this (?:message|email|mail) because|to unsubscribe(?:,| from| send|:)|sent via |this sf\.net email|"
    r"unsubscribe:|list archives?:|to post to this (?:group|list)",
    re.I,
)
_DEVICE_WORDS = (
    "iphone ipad ipod android blackberry samsung galaxy huawei xiaomi nokia lumia windows pixel outlook yahoo protonmail proton gmail k-9 "
    "k9 thunderbird mailspring spark airmail nine mail.ru mobile mobil mobilen mobiltelefon mobila handheld smartphone handy téléphone "
    "teléfono móvil telemóvel телефона телефон"
)
_DEVICES = frozenset(_DEVICE_WORDS.split())
_DEVICE_SIGNS = ("手机", "手機", "スマートフォン", "iphone", "ipad", "휴대")
_DEVICE_WORD = re.compile(r"[\w.-]*\w")
_SENT = re.compile(
    r"sent|get |gesendet|verschickt|envoy|obtenir|télécharge|enviado|inviato|scarica|verzonden|verstuurd|skickat|sendt|wysłan|odesl|odoslan|"
    r"отправлен|надіслан|lähetetty|gönderil|küld|trimis|στάλ|发自|發自|从我|来自|より送信|から送信|보냄|"
    r"from my|von meinem|von mir|mit der|holen sie",
    re.I,
)
_LONGEST_DEVICE = 160
_MOST_WORDS = 14
_ARMOUR = re.compile(r"-----(BEGIN|END) (PGP [A-Z ,/0-9]{3,40}|PRIVACY-ENHANCED MESSAGE)-----")


def mark_armour(lines: list[Line]) -> None:
    """Armour of OpenPGP (RFC 4880 §6.2): all of a signature or key, but only the edges of a signed text."""
    index, count = 0, len(lines)
    limit = count
    while index < count:
        match = _ARMOUR.fullmatch(lines[index].text) if lines[index].text.startswith("-----") else None
        if match is None:
            index += 1
            continue
        last = index + 1
        if match[1] == "BEGIN" and match[2] == "PGP SIGNED MESSAGE":
            while last < count and last < index + 6 and lines[last].text:
                last += 1
        elif match[1] == "BEGIN":
            while last < limit and not lines[last].text.startswith("-----END PGP"):
                last += 1
            if last == count:
                limit = 0  # none of what follows has an end
            last = last + 1 if last < limit else index + 1
        for line in lines[index:last]:
            line.kind = "armour"
        index = last


def mark_below(lines: list[Line], first: int, last: int) -> None:
    """Mark signature, footer and device lines of one stretch, which one person wrote: `lines[first:last]`, one level."""
    end = _mark_footer(lines, first, last)
    _mark_signature(lines, first, end)
    _mark_device(lines, first, end)


def _mark_footer(lines: list[Line], first: int, last: int) -> int:
    """Mark a footer at the end of a stretch; returns where it begins, `last` if there is none."""
    end = last
    for _ in range(3):  # list upon list
        start = _footer_start(lines, first, end)
        if start < 0:
            break
        for line in lines[start:end]:
            line.kind = line.kind or ("footer" if line.text else "")
        end = start
    return end


def _footer_start(lines: list[Line], first: int, last: int) -> int:
    """Where a footer begins that ends at `last`: its rule, or its first words where these are known; -1 for none."""
    texts = 0
    found = -1
    for index in range(last - 1, first - 1, -1):
        line = lines[index]
        if line.kind:
            break
        if not line.text:
            continue
        texts += 1
        if texts > _LONGEST_FOOTER:
            break
        if line.text[0] in "_-=*~" and len(line.text) <= _LONGEST_RULE and _RULE.fullmatch(line.text):
            if texts == 1:
                continue
            return index if any(_FOOTER_WORDS.search(each.text[:300]) for each in lines[index + 1 : last]) else found
        if _OPENS_FOOTER.match(line.text):
            found = index
    return found


def _mark_signature(lines: list[Line], first: int, last: int) -> None:
    for index in range(first, last):
        if lines[index].text == "--" and not lines[index].kind:
            texts = 0
            for line in lines[index:last]:
                texts += bool(line.text)
                if texts > LONGEST_SIGNATURE + 1:
                    break
                line.kind = line.kind or ("signature" if line.text else "")
            return


def _mark_device(lines: list[Line], first: int, last: int) -> None:
    """Mark the line that a device writes, the last of what its owner wrote, perhaps above a signature."""
    index = last - 1
    while index >= first and (not lines[index].text or lines[index].kind in ("signature", "footer")):
        index -= 1
    if index < first or lines[index].kind:
        return
    text = lines[index].text
    if len(text) <= _LONGEST_DEVICE and len(text.split()) <= _MOST_WORDS:
        lowered = text.lower()
        named = not _DEVICES.isdisjoint(_DEVICE_WORD.findall(lowered))
        named = named or (not text.isascii() and any(sign in lowered for sign in _DEVICE_SIGNS))
        if named and _SENT.search(text):
            lines[index].kind = "device"
