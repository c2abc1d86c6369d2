"""What the documents show in a console is run, and prints what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.console import Session
from tests.docs.markdown import Document, documents

if TYPE_CHECKING:
    from pathlib import Path

RUNNABLE = [each for each in documents() if each.path.parent.name != "sample_certs" and each.blocks("console")]


@pytest.mark.parametrize("document", RUNNABLE, ids=lambda document: document.name)
def test_every_console_block_runs_and_prints_what_is_shown(document: Document, tmp_path: Path) -> None:
    with Session(tmp_path) as session:
        for block in document.blocks("console"):
            session.run(block)
