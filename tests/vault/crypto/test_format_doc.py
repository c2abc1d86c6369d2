"""docs/format.md tells the truth: its program opens its blob, and so does the vault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vault.crypto.envelope import BlobIdentity, require_commitment
from vault.crypto.keyring import Keyring
from vault.crypto.keysource import WrappedKey
from vault.crypto.opening import SmallStream

DOCUMENT = (Path(__file__).parents[3] / "docs" / "format.md").read_text()
PROGRAM = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[-1]
PRINTED = re.search(r"It prints `(.*)`", DOCUMENT)[1]  # type: ignore[index]


class TestWorkedExample:
    def test_the_program_opens_the_blob_with_tink_and_without_the_vault(self) -> None:
        pytest.importorskip("tink", reason="tink has no wheel for this Python")
        assert "vault" not in re.findall(r"^(?:import|from) (\w+)", PROGRAM, re.MULTILINE)
        ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
        assert (ran.stderr, ran.stdout) == ("", PRINTED + "\n")

    def test_the_vault_opens_the_same_blob(self) -> None:
        values: dict[str, Any] = {}
        exec(re.search(r"^keyring = .*?^(?=def)", PROGRAM, re.DOTALL | re.MULTILINE)[0], values)  # type: ignore[index]
        row, keyring = values["row"], Keyring.from_json(json.dumps(values["keyring"]))
        identity = BlobIdentity(keyring.instance, row["id"], row["family"], row["project_id"], row["alg"])
        wrap_aad = identity.wrap_aad(row["size"], row["sha256"])
        data_key = keyring.unwrap(WrappedKey(row["kek_id"], bytes.fromhex(row["wrapped"])), wrap_aad)
        require_commitment(data_key, wrap_aad, bytes.fromhex(row["commitment"]))
        assert SmallStream(data_key, identity.aad(), values["blob"]).open().decode() == PRINTED + "\n"


class TestKeyringExample:
    def test_has_the_fields_of_a_real_keyring_in_their_order(self, tmp_path: Path) -> None:
        shown = json.loads(re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[1])  # type: ignore[index]
        Keyring.create(tmp_path / "keyring.json").rotate()
        real = json.loads((tmp_path / "keyring.json").read_text())
        assert list(shown) == list(real)
        assert [list(key) for key in shown["keys"]] == [list(key) for key in real["keys"]]
        assert [key["state"] for key in shown["keys"]] == [key["state"] for key in real["keys"]]
