"""Requests that were right before some of their bytes were changed: no answer to any is 500 or more."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.mutable import Stored, right_requests
from tests.server.mutations import answers, mutations, status

if TYPE_CHECKING:
    from tests.harness import RunningVault

# More rounds from another seed find more: MUTATIONS=100000 MUTATION_SEED=7 pytest tests/server/test_mutated_requests.py
COUNT = int(os.environ.get("MUTATIONS", "10000"))
SEED = int(os.environ.get("MUTATION_SEED", "4711"))


class TestMutations:
    def test_make_no_server_error_and_lose_nothing(self, vault: RunningVault) -> None:
        stored = Stored(vault, ROOT_TOKEN)
        requests = mutations(right_requests(vault, stored), SEED, COUNT)

        async def check() -> int:
            answered = 0
            async for raw, got in answers(vault.url, requests):
                assert got is None or got < 500, f"{got} to {raw!r}"
                answered += got is not None
            return answered

        assert asyncio.run(check()) > COUNT * 0.7
        assert stored.lost() == []

    def test_begin_with_requests_that_are_right(self, vault: RunningVault) -> None:
        place = urlsplit(vault.url)
        for head, body in right_requests(vault, Stored(vault, ROOT_TOKEN)):
            length = b"Content-Length: %d\r\n\r\n" % len(body) if body else b"\r\n"

            got = asyncio.run(status(place.hostname, place.port, head.removesuffix(b"\r\n") + length + body))

            assert got is not None, head
            assert got < 300 or got in (400, 403, 404, 409), (got, head)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
