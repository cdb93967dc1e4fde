"""A report needs nothing but itself: nothing in it runs, loads or leads away, and what it cannot hold is named."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, writes

from workbench.reports import RunRecord, Status, run_report
from workbench.reports.offline import inert_css, offline
from workbench.reports.page import render

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOSTILE = [
    '<img src="data:image/png;base64,AA==" srcset="http://x.example/2x.png 2x" sizes="1px">',
    '<img src="http://x.example/a.png">',
    "<img src=//x.example/a.png>",
    '<picture><source srcset="http://x.example/a"><img></picture>',
    '<p style="background:url(http://x.example/a.png)">kept</p>',
    r'<p style="background:u\72 l(http://x.example/a.png)">kept</p>',
    "<p style=\"background:url('//x.example/a')\">kept</p>",
    "<p style=\"background:image-set('http://x.example/a' 1x)\">kept</p>",
    '<p style="background:URL( http://x.example/a.png">kept</p>',
    '<p style="width:expression(alert(1))">kept</p>',
    "<style>@import 'http://x.example/a.css';p{color:red}</style>",
    "<style>@im/**/port url(http://x.example/a.css);</style>",
    r"<style>@\69mport 'http://x.example/a.css'; a{b:c}</style>",
    "<style>@font-face{src:url(http://x.example/f)}</style>",
    "<style>@import/**/'http://x.example/a.css'</style>",
    "<style>@imp@import 'y';ort 'http://x.example/a.css';</style>",
    '<svg onload="alert(1)"><image href="http://x.example/a.png"/><script>alert(1)</script><circle r="1"/></svg>',
    '<svg><use xlink:href="http://x.example/a.svg#x"/><a href="javascript:alert(1)">x</a><foreignObject><iframe src="http://x.example">',
    '<p onclick="alert(1)" onmouseover=alert(2)>kept</p>',
    '<body onload="alert(1)">kept</body>',
    "<details ontoggle=alert(1) open>kept</details>",
    '<meta http-equiv="refresh" content="0;url=http://x.example">',
    '<base href="http://x.example/">',
    '<head><meta charset="x" http-equiv="refresh" content="0;url=http://x.example/"></head>',
    '<iframe src="http://x.example/"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<frameset><frame src="http://x.example">',
    '<a href="javascript:alert(1)">kept</a>',
    '<a href=" java\tscript:alert(1)">kept</a>',
    '<a href="JaVaScRiPt:alert(1)">kept</a>',
    '<a href="data:text/html,<script>alert(1)</script>">kept</a>',
    '<a href="vbscript:x">kept</a>',
    '<a href="https://x.example/" ping="http://x.example/">kept</a>',
    '<form action="http://x.example/"><button formaction="javascript:alert(1)">kept</button><input autofocus onfocus=alert(1)></form>',
    '<object data="http://x.example/"></object>',
    '<embed src="http://x.example/">',
    '<video src="http://x.example/" poster="http://x.example/p"></video>',
    '<audio src="http://x.example/"></audio>',
    '<link rel="stylesheet" href="http://x.example/a.css">',
    '<track src="http://x.example/">',
    '<table background="http://x.example/a.png"><tr><td background="http://x.example/b.png">kept</td></tr></table>',
    '<input type="image" src="http://x.example/a.png">',
    '<math href="javascript:alert(1)"><mtext>kept</mtext></math>',
    '<!--[if IE]><script src="http://x.example/"></script><![endif]-->',
    '<noscript><img src="http://x.example/a.png"></noscript>',
    '<template><img src="http://x.example/a.png"></template>',
    '<portal src="http://x.example/"></portal>',
    "<SCRIPT SRC=http://x.example/></SCRIPT>",
    '<img src="data:text/html,<script>alert(1)</script>">',
    "<blink onclick=alert(1)>kept</blink>",
    '<x-made-up src="http://x.example/">kept</x-made-up>',
]
PARTS = ["<p>", "</p>", "<b", ">", '"', "'", "<!--", "-->", "<style>", "</style>", "<svg>", "</svg>", "\\"]
LOADS = {
    "src",
    "srcset",
    "data",
    "poster",
    "background",
    "action",
    "formaction",
    "ping",
    "code",
    "codebase",
    "archive",
    "manifest",
    "cite",
    "longdesc",
    "profile",
    "xlink:href",
    "srcdoc",
    "usemap",
    "lowsrc",
    "dynsrc",
}


class Acts(HTMLParser):
    """Collects whatever in a page would run, load or lead away by itself; written apart from what is tested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._style = tag == "style"
        if tag in {
            "script",
            "iframe",
            "frame",
            "object",
            "embed",
            "link",
            "base",
            "form",
            "svg",
            "math",
            "video",
            "audio",
            "noscript",
            "template",
        }:
            self.found.append(f"<{tag}>")
        if tag == "meta" and "refresh" in str(attrs).lower():
            self.found.append(str(attrs))
        for name, value in attrs:
            value = re.sub(r"[\x00-\x20]", "", value or "").lower()
            loads = name in LOADS or (name == "href" and tag != "a")
            if (
                name.startswith("on")
                or (loads and not value.startswith("data:image/"))
                or (name == "style" and self._css(value))
            ):
                self.found.append(f"<{tag} {name}={value[:60]}>")
            if name == "href" and re.match(r"(javascript|data|vbscript):", value):
                self.found.append(f"<a href={value[:60]}>")

    def handle_endtag(self, tag):
        self._style = False

    def handle_comment(self, data):
        self.found.append(f"<!--{data}-->")

    def handle_data(self, data):
        if self._style and self._css(re.sub(r"\s", "", data).lower()):
            self.found.append(data)

    @staticmethod
    def _css(css: str) -> bool:
        return bool(re.search(r"url\((?![\"']?data:image/)|@import|expression\(|image-set\(|\\[0-9a-f]", css))


@pytest.mark.parametrize("html", HOSTILE)
def test_what_acts_is_seen_by_the_test_and_gone_from_the_page(html):
    assert Acts(html).found, "the test sees it"
    page = offline(html)
    assert not Acts(page).found
    assert ("kept" in page) is ("kept" in html and "<button" not in html and "<math" not in html)


@given(st.lists(st.sampled_from([*HOSTILE, *PARTS]), max_size=6))
def test_whatever_they_are_mixed_with(parts):
    assert not Acts(offline("".join(parts))).found


def test_what_is_harmless_stays():
    html = (
        '<table class="dataframe" border="1"><thead><tr><th colspan="2" scope="col">a</th></tr></thead></table><details open=""><summary>s</summary></details>'
        '<p style="color: red; background: url(data:image/png;base64,AA==)" title="t" lang="de">x &lt;b&gt; &amp; y</p>'
        '<a href="https://x.example/?a=1">l</a><a href="#up">u</a><a href="other.html">o</a><a href="mailto:a@x.example">m</a>'
        '<style>.a > .b::before {color: light-dark(#123456, red); content: "\\201c";}</style><img alt="c" src="data:image/png;base64,AA=="/>'
    )
    assert BeautifulSoup(offline(html), "html.parser") == BeautifulSoup(html, "html.parser")


def test_a_drawing_stays_as_a_picture_in_which_nothing_runs():
    page = offline('<svg viewBox="0 0 2 2"><circle r="1"/></svg>')
    (source,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert b'viewBox="0 0 2 2"><circle r="1"/></svg>' in base64.b64decode(source)
    assert b"http://www.w3.org/2000/svg" in base64.b64decode(source)


def test_what_a_page_cannot_hold_is_named():
    page = offline('<iframe src="http://x.example/">inner</iframe><img alt="logo" src="http://x.example/l.png">')
    assert page == "[frame: not in this file][logo: not in this file]"


@pytest.mark.parametrize(
    "css",
    [
        "a{b:c}",
        "a::after{content:'\\201c'}",
        "@media print{a{color:red}}",
        "a{background:url(data:image/png;base64,AA==)}",
    ],
)
def test_css_that_loads_nothing_stays(css):
    assert inert_css(css) == css


# --- reports


def page_of(folder: Path, *cells, run: bool = False) -> str:
    (folder / "nb").mkdir(exist_ok=True)
    path = folder / "nb" / "a.ipynb"
    path.write_text(writes(new_notebook(cells=list(cells))))
    return run_report(path, {}, folder / "out").html.read_text(encoding="utf-8")


def shown(data: dict) -> str:
    cell = new_code_cell("x", outputs=[new_output("display_data", data)])
    record = RunRecord(
        name="a",
        run="2026-11-20T06-00-00Z",
        notebook="a.ipynb",
        title="t",
        status=Status.COMPLETE,
        started=datetime(2026, 11, 20, 6, tzinfo=UTC),
        seconds=1.0,
    )
    return render(new_notebook(cells=[cell]), record, Path("nowhere")).partition("<main>")[2]


@pytest.mark.process
def test_pictures_beside_the_notebook_are_in_its_report_wherever_it_is_started(tmp_path, monkeypatch):
    (tmp_path / "nb" / "sub").mkdir(parents=True)
    for name in ("fig.png", "sub/in folder.png"):
        (tmp_path / "nb" / name).write_bytes(PIXEL)
    (tmp_path / "nb" / "secret.txt").write_text("secret")
    monkeypatch.chdir(tmp_path)
    page = page_of(
        tmp_path,
        new_markdown_cell(
            '# t\n![one](fig.png) ![two](sub/in%20folder.png)\n\n<img src="fig.png" alt="three">\n\n'
            "![no](none.png) ![text](secret.txt)"
        ),
    )
    assert page.count(base64.b64encode(PIXEL).decode()) == 3
    assert "[no: not in this file]" in page
    assert "[text: not in this file]" in page
    assert not Acts(page).found


@pytest.mark.process
def test_the_page_has_a_strict_policy(tmp_path):
    page = page_of(tmp_path, new_markdown_cell("# t"))
    (policy,) = BeautifulSoup(page, "html.parser").find_all("meta", {"http-equiv": "Content-Security-Policy"})
    wanted = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert policy["content"] == wanted


PLOTLY = '<div><div id="1" class="plotly-graph-div"></div><script>Plotly.newPlot("1", [])</script></div>'


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"application/vnd.plotly.v1+json": {"data": []}}, "[a Plotly figure is not in this file"),
        ({"application/vnd.plotly.v1+json": {"data": []}, "text/html": PLOTLY}, "[a Plotly figure is not in this file"),
        ({"text/html": PLOTLY}, "[a Plotly figure is not in this file"),
        ({"text/html": PLOTLY, "text/plain": "Figure(3 bars)"}, "Figure(3 bars)"),
        (
            {"application/vnd.vegalite.v5+json": {}, "text/plain": "<VegaLite 5 object>"},
            "[a Vega figure is not in this file",
        ),
        (
            {"application/javascript": "alert(1)", "text/plain": "<IPython.core.display.Javascript object>"},
            "[a script is not in this file",
        ),
        ({"application/x-made-up": "x"}, "[an output is not in this file"),
    ],
)
def test_a_figure_that_a_program_draws_is_named_with_what_text_there_is(data, wanted):
    page = shown(data)
    assert wanted in page
    assert "object" not in page
    assert not Acts(page).found


@pytest.mark.parametrize(
    "beside",
    [{"text/html": PLOTLY}, {"application/vnd.plotly.v1+json": {}}, {"text/html": PLOTLY, "text/plain": "Figure()"}],
)
def test_the_picture_of_a_figure_is_shown_instead(beside):
    page = shown({**beside, "image/png": base64.b64encode(PIXEL).decode()})
    assert base64.b64encode(PIXEL).decode() in page
    assert "not in this file" not in page


def test_a_table_that_comes_with_a_script_keeps_the_table():
    page = shown({"text/html": "<table><tr><td>kept</td></tr></table><script>sort()</script>", "text/plain": "noise"})
    assert "kept" in page
    assert "noise" not in page
    assert "sort()" not in page


def test_blanks_and_tabs_of_a_page_stay_and_what_acts_in_its_text_does_not():
    page = shown({"text/html": "<p>a&nbsp;b</p>", "text/plain": ""}) + shown({"text/plain": "x\ty \u202ez"})
    assert "a\xa0b" in page
    assert "x\ty \\u202ez" in page
