"""Pages that need nothing outside themselves: what would run, load or lead elsewhere by itself is not in them."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Doctype, Tag
from bs4.element import PreformattedString

_ALLOWED = re.compile(
    """html|head|title|body|main|header|footer|section|article|aside|nav|div|span|p|h[1-6]|hr|br|wbr|pre|code|samp|kbd|var
    |tt|b|strong|i|em|u|s|small|big|sub|sup|mark|del|ins|abbr|cite|dfn|q|blockquote|address|time|bdi|center|font|ul|ol|li
    |dl|dt|dd|table|caption|colgroup|col|thead|tbody|tfoot|tr|th|td|a|img|figure|figcaption|details|summary|style""",
    re.VERBOSE,
)
_ATTRIBUTES = re.compile(
    """class|id|title|lang|dir|alt|src|href|width|height|colspan|rowspan|span|scope|headers|style|tabindex|role|datetime
    |open|start|reversed|value|align|valign|border|cellpadding|cellspacing|color|bgcolor|aria-[a-z]+""",
    re.VERBOSE,
)
# What shows something that a page cannot hold, of which a word is left, and what goes with all in it. Of other tags the
# text stays.
_SHOWS = {
    **{"iframe": "frame", "frame": "frame", "object": "object", "embed": "object", "applet": "object"},
    **{"video": "video", "audio": "audio", "canvas": "drawing", "svg": "drawing"},
}
_GOES = re.compile(
    """script|noscript|template|link|meta|base|source|track|param|form|input|button|select|textarea|option|portal
    |frameset|noframes|noembed|xmp|plaintext|math|dialog|slot|map|area""",
    re.VERBOSE,
)
_SVG = re.compile(r"<svg\b.*?</svg\s*>", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(r"https?:|mailto:|[^:/?#]*(?:[/?#]|\Z)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp|svg\+xml)[;,]", re.IGNORECASE)
_BLANK = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|([g-zG-Z@(:/-]))")
_CSS_LOADS = re.compile(
    r"""@(?:import|namespace|charset)\b[^;{}]*;?
    |[\w-]*(?:image-set|url-prefix|expression|src|element)\s*\([^)]*\)?
    |url\s*\(\s*+(?!["']?data:image/)[^)]*\)?
    |(?:-moz-binding|behavior)\s*:|javascript:|</?""",
    re.IGNORECASE | re.VERBOSE,
)


def offline(page: str, folders: Sequence[Path] = ()) -> str:
    """Return a page without anything that runs, loads, frames or leads away by itself.

    Tags, attributes and addresses are kept that are known to do none of this; of what a page cannot hold, such as a
    frame, a word is left. Drawings (SVG) become pictures, in which nothing runs. Pictures in files are put into the
    page; those that are elsewhere are named.

    Parameters
    ----------
    folders
        Where pictures with relative addresses are looked for, such as the notebook's folder.

    Examples
    --------
    >>> offline('<p onclick="run()">kept</p><script>run()</script>')
    '<p>kept</p>'
    """
    soup = BeautifulSoup(_SVG.sub(lambda match: _drawing(match[0]), page), "html.parser")
    for text in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        if not isinstance(text, Doctype):  # comments, which some readers run
            text.extract()
    for tag in soup.find_all(True):
        if tag.decomposed:
            continue
        name = tag.name.lower()
        if name in _SHOWS:
            tag.replace_with(f"[{_SHOWS[name]}: not in this file]")
        elif _GOES.fullmatch(name) and not _ours(tag):
            tag.decompose()
        elif not _ALLOWED.fullmatch(name) and not _ours(tag):
            tag.unwrap()
        elif not _ours(tag):
            _clean(tag, folders)
    return str(soup)


def _ours(tag: Tag) -> bool:
    """Return whether a tag is one of the lines in which the head of our own templates says what a page is."""
    if tag.name != "meta" or tag.parent is None or tag.parent.name != "head":
        return False
    names, states = set(tag.attrs), (tag.get("name"), tag.get("http-equiv"))
    return names == {"charset"} or (
        len(names) == 2 and "content" in names and states in (("viewport", None), (None, "Content-Security-Policy"))
    )


def _clean(tag: Tag, folders: Sequence[Path]) -> None:
    for name in list(tag.attrs):
        if not _ATTRIBUTES.fullmatch(name):
            del tag[name]
    if tag.get("style"):
        tag["style"] = inert_css(str(tag["style"]))
    if tag.name == "style":
        tag.string = inert_css(tag.get_text())
    if tag.name == "a" and not _LINK.match(_BLANK.sub("", str(tag.get("href", "")))):
        del tag["href"]
    if tag.name != "a":
        del tag["href"]
    if tag.name != "img":
        del tag["src"]
    elif not _PICTURE.match(source := str(tag.get("src", ""))):
        if picture := _file(source, folders):
            tag["src"] = picture
        else:
            tag.replace_with(f"[{tag.get('alt') or 'picture'}: not in this file]")


def inert_css(css: str) -> str:
    """Take out of CSS what would load something; escapes are read first, by which that could be hidden.

    >>> inert_css("color: red; background: u\\\\72l(https://x.example/a.png)")
    'color: red; background: none'
    """
    css = re.sub(r"/\*.*?(?:\*/|\Z)", "", css, flags=re.DOTALL)
    css = _CSS_ESCAPE.sub(lambda match: _letter(match) or match[0], css)
    while (left := _CSS_LOADS.sub(lambda match: "none" if match[0].lower().startswith("url") else "", css)) != css:
        css = left
    return css


def _letter(escape: re.Match[str]) -> str:
    """Return what an escape is, where it is a letter or a sign that CSS acts on; '' where it is text."""
    code = int(escape[1], 16) if escape[1] else ord(escape[2])
    return chr(code) if code < 128 and (chr(code).isalnum() or chr(code) in "@(:/-") else ""


def _drawing(svg: str) -> str:
    if "xmlns=" not in svg.split(">", 1)[0]:
        svg = re.sub(r"(?i)<svg", '<svg xmlns="http://www.w3.org/2000/svg"', svg, count=1)
    return f'<img alt="drawing" src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'


def _file(source: str, folders: Sequence[Path]) -> str:
    """Return a picture beside the notebook as an address that holds it; '' where there is none."""
    kind = mimetypes.guess_type(source)[0] or ""
    name = Path(unquote(source))
    if not _PICTURE.match(f"data:{kind};") or name.is_absolute() or ":" in source:
        return ""
    for folder in folders:
        try:
            return f"data:{kind};base64,{base64.b64encode((folder / name).read_bytes()).decode()}"
        except (OSError, ValueError):
            continue
    return ""
