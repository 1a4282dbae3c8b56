"""A report as one static page, with its tables and plots as files beside it."""

import re
from pathlib import Path
from typing import Any, Dict, NamedTuple, Sequence
from xml.etree import ElementTree

import jinja2

from attribution.common.figures import save_figure
from attribution.common.tables import write_table
from attribution.reports.blocks import Block, Number, Plot, Table

PAGE = "index.html"

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_GREY = "#8a8a8a"  # Lines that are seen on white and on black.


class Section(NamedTuple):
    """What is said of one directory."""

    title: str
    path: str
    blocks: Sequence[Block]


def write_page(directory: Path, title: str, sections: Sequence[Section]) -> None:
    """
    Writes `index.html`, which needs nothing else, and for each table a `.csv`, for each plot a `.png` and an `.svg`,
    named by the section's number, the block's and its title.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    shown = [
        {
            "title": section.title,
            "path": section.path,
            "blocks": [
                _shown(directory, f"{number}.{place}", block) for place, block in enumerate(section.blocks, start=1)
            ],
        }
        for number, section in enumerate(sections, start=1)
    ]
    (directory / PAGE).write_text(template.render(title=title, sections=shown), encoding="utf-8")


def inline_svg(path: Path, prefix: str, label: str) -> str:
    """An SVG file as an element of a page: its identifiers are its own, and its text has the page's colour."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, prefix + value)
            elif name == f"{{{_XLINK}}}href" and value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{prefix}"))
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    root.set("role", "img")
    root.set("aria-label", label)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _shown(directory: Path, number: str, block: Block) -> Dict[str, Any]:
    if isinstance(block, str):
        return {"kind": "text", "text": block}
    stem = f"{number}-{re.sub(r'[^A-Za-z0-9.]+', '-', block.title).strip('-')[:60]}"
    common = {"id": f"b{number}", "title": block.title, "caption": block.caption, "stem": stem}
    if isinstance(block, Table):
        write_table(directory / f"{stem}.csv", block.csv_rows())
        rows = [[_cell(cell) for cell in row] for row in block.rows]
        summary = [_cell(cell) for cell in block.summary]
        numeric = [any(row[place]["numeric"] for row in rows) for place in range(len(block.header))]
        header = list(zip(block.header, numeric))
        return {**common, "kind": "table", "header": header, "rows": rows, "summary": summary, "folded": block.folded}
    return {**common, "kind": "plot", "svg": _saved(directory / stem, block, f"p{number}-")}


def _saved(stem: Path, plot: Plot, prefix: str) -> str:
    save_figure(plot.figure, stem.with_name(f"{stem.name}.png"))
    plot.figure.set_layout_engine("none")  # All stays where it is, and need not be found again.
    for axes in plot.figure.axes:
        axes.tick_params(color=_GREY, which="both")
        for spine in axes.spines.values():
            spine.set_edgecolor(_GREY)
    path = stem.with_name(f"{stem.name}.svg")
    save_figure(plot.figure, path, transparent=True)
    return inline_svg(path, prefix, plot.title)


def _cell(cell: Any) -> Dict[str, Any]:
    numeric = isinstance(cell, Number)
    return {"text": str(cell), "numeric": numeric, "best": numeric and cell.best}
