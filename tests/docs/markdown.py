"""As much of Markdown as the tests of the documents need: sections, tables, fenced blocks and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_HEADING = re.compile(r"(#{1,6}) +(.+?) *#*")
_FENCE = re.compile(r"(`{3,}|~{3,})(\w*)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(`+)(?:(?!\1).)+\1")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its lines; `line` is where its fence stands, from 1."""

    path: Path
    line: int
    language: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    def blocks(self, language: str) -> list[Block]:
        """Return the fenced blocks of one language, in order."""
        return [block for block in self._parts()[1] if block.language == language]

    def prose(self) -> list[str]:
        """Return the lines outside fenced blocks."""
        return self._parts()[0]

    def anchors(self) -> set[str]:
        """Return what a link may name after `#`, as GitHub and GitLab make it of the headings."""
        found: dict[str, int] = {}
        anchors = set()
        for line in self.prose():
            if heading := _HEADING.fullmatch(line):
                slug = slugged(heading[2])
                number = found[slug] = found.get(slug, -1) + 1
                anchors.add(f"{slug}-{number}" if number else slug)
        return anchors

    def links(self) -> list[str]:
        """Return the targets of all links."""
        return _LINK.findall(_CODE.sub("", "\n".join(self.prose())))

    def section(self, title: str) -> list[str]:
        """Return the lines under a heading, up to the next of its level or above."""
        lines: list[str] = []
        level = 0
        for line in self.prose():
            heading = _HEADING.fullmatch(line)
            if level and heading and len(heading[1]) <= level:
                break
            if level:
                lines.append(line)
            elif heading and heading[2] == title:
                level = len(heading[1])
        assert level, f"{self.name} has no section {title!r}"
        return lines

    def table(self, title: str) -> list[list[str]]:
        """Return the cells of the first table of a section, without its head."""
        rows: list[list[str]] = []
        for line in self.section(title):
            if line.startswith("|"):
                rows.append(cells(line))
            elif rows:
                break
        assert len(rows) > 2, f"{self.name} has no table in section {title!r}"
        return rows[2:]

    def _parts(self) -> tuple[list[str], list[Block]]:
        prose: list[str] = []
        blocks: list[Block] = []
        fence, inside = None, [""]
        for number, line in enumerate(self.text.splitlines(), 1):
            if fence is None and (fence := _FENCE.match(line)):
                start, inside = number, []
            elif fence is None:
                prose.append(line)
            elif line.strip() == fence[1]:
                blocks.append(Block(self.path, start, fence[2], tuple(inside)))
                fence = None
            else:
                inside.append(line)
        assert fence is None, f"{self.name}: the block at line {start} has no end"
        return prose, blocks


def documents() -> list[Document]:
    """Return every document of the project."""
    places = (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "sample_certs").glob("*.md"))
    return [Document(path) for place in places for path in sorted(place)]


def document(name: str) -> Document:
    """Return one document by its path in the project."""
    return Document(ROOT / name)


def slugged(heading: str) -> str:
    """Return the anchor of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return _NOT_IN_ANCHOR.sub("", plain.lower()).replace(" ", "-")


def cells(row: str) -> list[str]:
    """Return the cells of a table's row; `\\|` is a bar inside one."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def code(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)
