"""Text for people; and text from data, made fit for a terminal, a page or a file name: it is shown, and never acts."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from urllib.parse import quote

# What a terminal would obey, what changes the direction of the text around it, and what cannot be seen; but not the
# joiners that emoji and some scripts are written with.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_BEYOND = re.compile("[^\x00-\x7f]")
_RESERVED = re.compile(r"(?i)(?=(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:\.|\Z)).")  # by Windows
_NAME_BYTES = 200  # of the 255 a file system takes, the rest being for endings


def count(number: float, noun: str, spec: str = ",.0f") -> str:
    """Write a number and its noun.

    >>> count(1, "object"), count(1_235, "object"), count(0, "query")
    ('1 object', '1,235 objects', '0 queries')
    """
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:{spec}} {noun if abs(number) == 1 else many}"


def percent(share: float) -> str:
    """Write a share for people: the smaller, the more exactly, and never as none or all where it is neither.

    >>> [percent(share) for share in (0, 0.0004, 0.052, 0.125, 0.5, 0.9999, 1)]
    ['0%', '0.04%', '5.2%', '12.5%', '50%', '>99.9%', '100%']
    """
    if 0 < share < 0.0001 or 0.999 < share < 1:
        return "<0.01%" if share < 0.5 else ">99.9%"
    return f"{hundredths(share)}%"


def hundredths(share: float) -> str:
    """Write how many hundredths a share is, also one of more than all.

    >>> hundredths(0.018), hundredths(12.5)
    ('1.8', '1,250')
    """
    number = round(100.0 * share, 9)  # 0.07 is 7, whatever a float makes of it
    if abs(number) >= 100 or number.is_integer():
        return f"{number:,.0f}"
    return f"{number:.1f}".removesuffix(".0") if abs(number) >= 1 else f"{number:.2g}"


def plain(text: str, *, keep: str = "") -> str:
    r"""Write every character that would act on a terminal or a page instead of being seen as its escape.

    Parameters
    ----------
    keep
        Characters that stay, such as the newlines of a text of several lines that is our own.

    >>> plain("red \x1b[31m and \u202e right to left" + chr(10))
    'red \\x1b[31m and \\u202e right to left\\n'
    """
    return _ACTING.sub(lambda match: match[0] if match[0] in keep else match[0].encode("unicode_escape").decode(), text)


def plain_json(text: str, *, ascii_only: bool = False) -> str:
    r"""Write the same characters of a JSON text, or all beyond ASCII, as JSON's own escapes; it means the same.

    >>> plain_json('{"a":"\u202e😀"}'), plain_json('"😀"', ascii_only=True)
    ('{"a":"\\u202e😀"}', '"\\ud83d\\ude00"')
    """

    def escaped(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) if match[0] != "\n" else "\n"

    text = _ACTING.sub(escaped, text)
    return _BEYOND.sub(escaped, text) if ascii_only else text


def file_name(name: str) -> str:
    """Return one file or folder name for any name: never a path, never hidden, never too long, and none for two.

    Letters, digits, ``_``, ``-``, dots within and blanks within stay; all else is written as in an address, as is the
    beginning of a name that Windows keeps for itself, and what is too long ends in the hash of the whole.

    >>> file_name("orders-2026.v1"), file_name("../../escaped"), file_name("a:b/c"), file_name("con.log")
    ('orders-2026.v1', '%2E.%2F..%2Fescaped', 'a%3Ab%2Fc', '%63on.log')
    """
    quoted = re.sub(r"[^\w. -]|\A[. ]|[. ]\Z", lambda match: _quoted(match[0]), name) or "%"
    if _RESERVED.match(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if len(quoted.encode()) <= _NAME_BYTES:
        return quoted
    start = quoted.encode()[: _NAME_BYTES - 40].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _quoted(text: str) -> str:
    return "%2E" if text == "." else quote(text, safe="", errors="surrogatepass")


def size(number: float) -> str:
    """Write a number of bytes for people.

    >>> size(1_234_567)
    '1.2 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def moment(at: datetime) -> str:
    """Write an instant for people, in the zone it is in, with its microseconds where it has any.

    >>> moment(datetime(2026, 11, 1, 12)), moment(datetime(2026, 11, 1, 12, 0, 0, 250))
    ('2026-11-01 12:00:00', '2026-11-01 12:00:00.000250')
    """
    return f"{at:%Y-%m-%d %H:%M:%S}{f'.{at.microsecond:06}' if at.microsecond else ''}"


def words(length: timedelta) -> str:
    """Write a length of time for people, in its two largest units.

    >>> [words(timedelta(seconds=n)) for n in (0, 0.0125, 1.5, 3725, 266_400)]
    ['0 s', '12.5 ms', '1.5 s', '1 h 2 min', '3 d 2 h']
    """
    micros = length // timedelta(microseconds=1)
    if abs(micros) < 60_000_000:
        scale, unit = next((each for each in ((1_000_000, "s"), (1_000, "ms")) if abs(micros) >= each[0]), (1, "µs"))
        return f"{micros / scale:.4g} {unit}" if micros else "0 s"
    parts: list[str] = []
    rest = abs(micros)
    for unit, micros_each in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000)):
        number, rest = divmod(rest, micros_each)
        parts += [f"{number} {unit}"] if number or parts else []
    shown = [part for part in parts[:2] if not part.startswith("0 ")]
    return ("-" if micros < 0 else "") + " ".join(shown)
