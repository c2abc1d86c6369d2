"""Writes figures into docs/benchmarks.md and docs/pictures/benchmarks.svg.

python -m benchmarks.page peers.json      # what `python -m benchmarks.peers --json peers.json` measured
python -m benchmarks.page                 # only what the peers are
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.page_plot import drawn
from benchmarks.peers.known import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURE = DOCS / "benchmarks.md", DOCS / "pictures" / "benchmarks.svg"
SIZES = {3072: "3 KiB", 5 << 20: "5 MiB"}
VAULT = "vault-1"  # what the others are compared with
NAMES = {VAULT: "vault", "vault-2": "vault, 2 processes"}
NOTHING = "none"

Row = dict[str, Any]


class Figures:
    """What was measured: a row for each work and target."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._rows: dict[tuple[str, str], Row] = {(work(row), row["target"]): row for row in document["rows"]}
        targets = list(dict.fromkeys(row["target"] for row in document["rows"]))
        self.works = list(dict.fromkeys(work(row) for row in document["rows"]))
        self.targets = [VAULT, *sorted((each for each in targets if each != VAULT), key=lambda each: each not in NAMES)]

    def row(self, work: str, target: str) -> Row | None:
        """Return a row; None for what was not measured, or where nothing went right."""
        row = self._rows.get((work, target))
        return row if row and row["per_s"] else None

    def ratio(self, work: str, target: str, base: str) -> float | None:
        """Return how many times as many requests a second `target` answered as `base`."""
        one, other = self.row(work, target), self.row(work, base)
        return one["per_s"] / other["per_s"] if one and other else None


def work(row: Row) -> str:
    """Return what a row is about, in words."""
    size = "of 90" if row["operation"] == "list" else SIZES.get(row["size"], str(row["size"]))
    return f"{row['operation']} {size}, c={row['connections']}"


def named(target: str) -> str:
    """Return what the page calls a target."""
    return NAMES.get(target, target)


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose first column is words and whose others are numbers."""
    rule = "| --- |" + " ---: |" * (len(heads) - 1)
    return [f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(line)} |" for line in lines), ""]


def by_target(figures: Figures, targets: Sequence[str], cell: Callable[[str, str], str]) -> list[str]:
    """Return a table with a line for each work and a column for each target."""
    lines = ([each, *(cell(each, target) for target in targets)] for each in figures.works)
    return table(["", *map(named, targets)], lines)


def short(number: float | None) -> str:
    """Return a number with as many digits as it is worth."""
    if number is None:
        return NOTHING
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def measured(figures: Figures) -> list[str]:
    """Return what was measured as the lines of the page."""
    document, others = figures.document, figures.targets[1:]

    def per_second(work: str, target: str) -> str:
        row = figures.row(work, target)
        return short(row["per_s"]) + ("\\*" if row["errors"] else "") if row else NOTHING

    def latency(work: str, target: str) -> str:
        row = figures.row(work, target)
        return f"{short(row['p50_ms'])} / {short(row['p99_ms'])}" if row else NOTHING

    def memory(work: str, target: str) -> str:
        row = figures.row(work, target)
        return f"{short(row['cpu_ms'])} / {row['peak_mb']:.0f}" if row else NOTHING

    absent = [each for each in document["peers"] if each["missing"]]
    dirty = sorted({work(row) for row in document["rows"] if row["alien"] > 0.2})
    how = f"medians of {document['rounds']} rounds, each work at most {document['seconds']:g} s a round"
    return [
        f"Measured on {document['day']}: {how}, on {document['machine']}.",
        "",
        "![Requests a second beside the floor, by kind of work and server](pictures/benchmarks.svg)",
        "",
        "Requests a second (\\*: some failed and are not counted):",
        "",
        *by_target(figures, figures.targets, per_second),
        "The vault's requests a second, divided by the others': above 1 the vault is faster.",
        "",
        *by_target(figures, others, lambda work, target: short(figures.ratio(work, VAULT, target))),
        "Milliseconds, median / 99th percentile:",
        "",
        *by_target(figures, figures.targets, latency),
        "Milliseconds of CPU that the server used for a request / MiB of memory at the most:",
        "",
        *by_target(figures, figures.targets, memory),
        *(f"- {each['name']} took no part: {said(each['missing'])}." for each in absent),
        *([f"- Other programs used more than 0.2 of a core during: {'; '.join(dirty)}."] if dirty else []),
        *slower(figures, others),
    ]


def said(reason: str) -> str:
    """Return what a program said, on one line and as code."""
    return f"`{' '.join(reason.replace('`', chr(39)).split())[:200]}`"


def slower(figures: Figures, others: Sequence[str]) -> list[str]:
    """Return where the vault is slower than a peer, as the lines of a list."""
    lines = []
    for target in others:
        ratios = ((each, figures.ratio(each, VAULT, target)) for each in figures.works)
        found = [f"{each} ({short(ratio)})" for each, ratio in ratios if ratio is not None and ratio < 1]
        if found and target in PEERS:
            lines.append(f"- Slower than {target} at: {'; '.join(found)}.")
    return lines or ["- Slower than no peer."]


def peers() -> list[str]:
    """Return what the peers are as the lines of a table."""
    head = ["| Peer | How it is run | What is not alike |", "| --- | --- | --- |"]
    return [*head, *(f"| {each.name} | {each.what} | {each.unlike} |" for each in PEERS.values())]


def put(text: str, mark: str, lines: Iterable[str]) -> str:
    """Return the page with what is between two comments replaced."""
    before, begin, rest = text.partition(f"<!-- {mark}: written by python -m benchmarks.page -->\n")
    _, end, after = rest.partition(f"<!-- end of {mark} -->")
    if not begin or not end:
        raise ValueError(f"the page has no place for {mark}")
    body = "\n".join(lines).strip("\n")
    return f"{before}{begin}\n{body}\n\n{end}{after}"


def write(document: dict[str, Any] | None, page: Path = PAGE, picture: Path = PICTURE) -> None:
    """Write what the peers are, and the figures if there are some."""
    text = put(page.read_text("utf-8"), "peers", peers())
    if document:
        figures = Figures(document)
        text = put(text, "figures", measured(figures))
        beside = ((each, [figures.ratio(work, each, "bare") for work in figures.works]) for each in figures.targets)
        ratios = {named(target): found for target, found in beside}
        picture.write_text(drawn(figures.works, ratios), "utf-8")
    page.write_text(text, "utf-8")


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, nargs="?", help="what benchmarks.peers wrote by --json")
    options = parser.parse_args()
    write(json.loads(options.figures.read_text("utf-8")) if options.figures else None)


if __name__ == "__main__":
    main()
