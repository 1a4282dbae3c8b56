import csv
import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import pytest

from attribution.reports import Number, Plot, Section, Table, write_page
from attribution.reports.plots import heat_map

pytest.importorskip("matplotlib")

NASTY = '<script>alert("1")</script> & $x$'
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tables, headings and identifiers of a page; every element that opens must close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: List[List[List[str]]] = []
        self.identifiers: List[str] = []
        self.links: List[str] = []
        self.tags: List[str] = []
        self.texts: List[str] = []
        self._open: List[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        named: Dict[str, Any] = dict(attributes)
        self.tags.append(tag)
        self.identifiers += [named["id"]] if "id" in named else []
        self.links += [named[name] for name in ("href", "src", "xlink:href") if name in named]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, text: str) -> None:
        self.texts.append(text)
        if "td" in self._open or "th" in self._open:
            self.tables[-1][-1][-1] += text.strip()


def _sections() -> List[Section]:
    values = np.array([[0.1, 0.2], [0.3, np.nan]])
    table = Table(
        NASTY, "About 3 runs.", ["TASK", NASTY], [[NASTY, Number(0.5, 0.1, best=True)]], ["average", Number(0.5)]
    )
    plots = [
        Plot(f"plot {number}", "A caption.", heat_map([NASTY, "b"], ["c", "d"], values, "score")) for number in (1, 2)
    ]
    return [
        Section("one", "dir/one", [f"Text of {NASTY}", table, *plots]),
        Section(NASTY, NASTY, [table._replace(folded=True)]),
    ]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_page(tmp_path, NASTY, _sections())
    return Page((tmp_path / "index.html").read_text(encoding="utf-8"))


def test_names_with_html_in_them_are_text(page: Page) -> None:
    assert "script" not in page.tags
    assert page.tables == [[["TASK", NASTY], [NASTY, "0.500 ± 0.100"], ["average", "0.500"]]] * 2
    assert f"Text of {NASTY}" in page.texts
    assert page.texts.count(NASTY) >= 8  # Title, headings, contents, cells and both plots' labels.


def test_the_page_needs_nothing_else(page: Page, tmp_path: Path) -> None:
    """Links are to places on it, to files beside it, or have their data in them."""
    assert len(page.identifiers) == len(set(page.identifiers))  # Of two plots with the same content, too.
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.identifiers, link
        else:
            assert link.startswith("data:") or (tmp_path / link).is_file(), link
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"' <>]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    for reference in re.findall(r"url\(#([^)]+)\)", text):
        assert reference in page.identifiers


def test_tables_and_plots_are_files_too(page: Page, tmp_path: Path) -> None:
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "1.2-script-alert-1-script-x.csv",
        "1.3-plot-1.png",
        "1.3-plot-1.svg",
        "1.4-plot-2.png",
        "1.4-plot-2.svg",
        "2.1-script-alert-1-script-x.csv",
        "index.html",
    ]
    with (tmp_path / names[0]).open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["TASK", NASTY, f"{NASTY}_std"],
            [NASTY, "0.5", "0.1"],
            ["average", "0.5", ""],
        ]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_page(tmp_path / name, "title", _sections())
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 7
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file


MEASURE = """
const frames = [...document.querySelectorAll('iframe')];
window.addEventListener('load', () => {
  document.body.textContent = JSON.stringify(frames.map(frame => {
    const root = frame.contentDocument.documentElement;
    const shown = frame.contentWindow.getComputedStyle(frame.contentDocument.body);
    return {
      width: root.clientWidth, content: root.scrollWidth, background: shown.backgroundColor,
      plots: [...frame.contentDocument.querySelectorAll('svg')].map(plot => plot.getBoundingClientRect().width),
    };
  }));
});
"""


@pytest.mark.parametrize("scheme, background", [("1", "rgb(255, 255, 255)"), ("0", "rgb(22, 22, 22)")])
def test_a_browser_shows_it(scheme: str, background: str, page: Page, tmp_path: Path) -> None:
    """In light and in dark, at 1200 and 400 pixels: no message on its console, and nothing wider than the window."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium")
    content = escape((tmp_path / "index.html").read_text(encoding="utf-8"))
    frames = "".join(f'<iframe width="{width}" height="900" srcdoc="{content}"></iframe>' for width in (1200, 400))
    outer = tmp_path / "outer.html"
    outer.write_text(f'<meta charset="utf-8"><body>{frames}<script>{MEASURE}</script></body>', encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    profile = [f"--user-data-dir={tmp_path / 'profile'}", f"--blink-settings=preferredColorScheme={scheme}"]
    result = subprocess.run([browser, *options, *profile, outer.as_uri()], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in result.stderr, result.stderr
    wide, narrow = json.loads(re.findall(r"\[\{.*\}\]", result.stdout)[0])
    assert wide["background"] == narrow["background"] == background
    for shown in (wide, narrow):
        assert shown["content"] <= shown["width"], shown
        assert len(shown["plots"]) == 2 and min(shown["plots"]) > 100
