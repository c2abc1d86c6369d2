"""Make the sample files: `python -m sample_certs.make_samples [--now ISO] [FOLDER]`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sample_certs.catalogue import Sample, catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FILES", "Sample", "catalogue", "main", "make_samples"]

FILES = Path(__file__).parent / "files"  # the samples that are checked in


def make_samples(folder: Path, now: datetime | None = None) -> list[Path]:
    """Write every sample into `folder`, made if need be, and return their paths in the catalogue's order.

    All dates count from `now`: the present unless given, UTC unless it has a zone; fractions of seconds are dropped.
    """
    made = _utc(now or datetime.now(UTC))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sample in catalogue():
        path = folder / sample.name
        path.write_bytes(sample.contents(made))
        paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the samples and print their paths, one a line."""
    parser = argparse.ArgumentParser(prog="make_samples", description="Write the sample signing files.")
    parser.add_argument("folder", nargs="?", type=Path, default=FILES, help="where to (default: %(default)s)")
    parser.add_argument("--now", type=datetime.fromisoformat, metavar="ISO", help="when they shall be made (now)")
    options = parser.parse_args(arguments)
    for path in make_samples(options.folder, options.now):
        print(path)


def _utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


if __name__ == "__main__":
    main()
