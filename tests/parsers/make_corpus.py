"""Make the corpus again: `python -m tests.parsers.make_corpus` (openssl 3, keytool, libbcprov-java).

Every expected value is what a tool said of the file, or what the tool was told to put in. Keys are new at each run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.parsers.corpus_making.certificates import certificates, containers_and_keys, odd_certificates
from tests.parsers.corpus_making.java import bouncy_castle, debug_keystores, java_keystores, peculiar_keystores
from tests.parsers.corpus_making.pkcs12 import pkcs12_by_openssl
from tests.parsers.corpus_making.profiles import profiles
from tests.parsers.corpus_making.workshop import CORPUS, Corpus

RECIPES = (
    certificates,
    odd_certificates,
    containers_and_keys,
    pkcs12_by_openssl,
    java_keystores,
    peculiar_keystores,
    debug_keystores,
    bouncy_castle,
    profiles,
)


def main() -> None:
    """Write every file and `expected.json`."""
    CORPUS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        for recipe in RECIPES:
            recipe(corpus)
        corpus.save()


if __name__ == "__main__":
    main()
