"""A page in one HTML file: headings, sentences, tables and plots; no script, nothing fetched."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 "DejaVu Sans", Verdana, Arial, sans-serif; color: #22272e; background: #fff;
  max-width: 1020px; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .5rem; padding-top: .8rem; border-top: 1px solid #dde1e6; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, li { max-width: 46rem; }
.lead { color: #57606a; margin: 0 0 1.2rem; }
.note { border-left: 3px solid #c8551b; padding: .1rem 0 .1rem .8rem; margin: .6rem 0;
  overflow-wrap: anywhere; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; margin: 1rem 0; }
.plots > div { flex: 0 1 auto; max-width: 100%; }
.plots svg { max-width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; margin: .6rem 0 0; }
.legend b { display: inline-block; width: 1.4rem; height: 2px; margin-right: .4rem; vertical-align: middle; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid #eceff2; white-space: nowrap; }
th { font-weight: 600; color: #57606a; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
tr.chosen td { font-weight: 600; }
small { color: #57606a; font-weight: 400; }
code { font-size: .88em; overflow-wrap: anywhere; }
"""


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """The whole file.

    Args:
        title: plain text.
        lead: plain text, a line under the title.
        parts: HTML, as the functions below give it.
    """
    body = "\n".join([f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(lead)}</p>', *parts])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading.

    >>> heading("Who & what")
    '<h2>Who &amp; what</h2>'
    """
    return f"<h{level}>{escape(text)}</h{level}>"


def text(sentences: str) -> str:
    """A paragraph."""
    return f"<p>{escape(sentences)}</p>"


def note(sentence: str) -> str:
    """A sentence that should not be overlooked."""
    return f'<p class="note">{escape(sentence)}</p>'


def plots(*svgs: str) -> str:
    """Plots beside each other, as far as there is room."""
    return '<div class="plots">' + "".join(f"<div>{svg}</div>" for svg in svgs) + "</div>"


def legend(colours: Mapping[str, str]) -> str:
    """Names, each behind a line in its colour, for plots that have no room for them.

    >>> legend({"a & b": "#1f5fa8"})
    '<p class="legend"><span><b style="background: #1f5fa8"></b>a &amp; b</span></p>'
    """
    each = (f'<span><b style="background: {colour}"></b>{escape(name)}</span>' for name, colour in colours.items())
    return f'<p class="legend">{"".join(each)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], chosen: str | None = None) -> str:
    """A table of plain texts; in a cell, what stands behind a newline is small. The row that begins with `chosen` is
    marked.

    >>> table(["a"], [["<b>"]])
    '<div class="wide"><table><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table></div>'
    """
    lines = ["<tr>" + "".join(f"<th>{escape(each)}</th>" for each in head) + "</tr>"]
    for row in rows:
        mark = ' class="chosen"' if chosen is not None and row[0] == chosen else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{_cell(each)}</td>" for each in row) + "</tr>")
    return '<div class="wide"><table>' + "".join(lines) + "</table></div>"


def _cell(content: str) -> str:
    first, *rest = content.split("\n")
    return escape(first) + "".join(f"<br><small>{escape(each)}</small>" for each in rest)
