"""The log holds no secret, and nothing in it looks like a line it is not."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from typing import TYPE_CHECKING

import pytest

from server.logs import Formatter, configure, redact, without_secrets
from vault.tokens import JOB, PERSONAL, new_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cr3t/+=value"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class TestRedact:
    @pytest.mark.parametrize("prefix", [PERSONAL, JOB, "gldt-", "glptt-", "glrt-", "GLPAT-"])
    @pytest.mark.parametrize("around", ["{}", "/path/{}/more", '"{}"', "token {} refused", "a={}&b=1", "x\n{}\ny"])
    def test_a_token_with_a_prefix_goes_wherever_it_stands(self, prefix: str, around: str) -> None:
        secret = new_secret(prefix)
        shown = redact(around.format(secret))

        assert secret[len(prefix) :] not in shown
        assert shown == around.format(f"{prefix}[FILTERED]")

    @pytest.mark.parametrize(
        "text",
        [
            f"GET /x?private_token={SECRET}",
            f"GET /x?a=1&PRIVATE_TOKEN={SECRET}&b=2",
            f"GET /x?job_token={SECRET}",
            f"GET /x?access_token={SECRET}",
            f"token={SECRET}",
            f"password[]={SECRET}",
            f"PRIVATE-TOKEN: {SECRET}",
            f"private-token:{SECRET}",
            f"Authorization: Bearer {SECRET}",
            f"Authorization: Basic {SECRET} {SECRET}",
            f'JOB-TOKEN: it\'s "{SECRET}"',
            f"<CIMultiDictProxy('Host': 'x', 'Private-Token': '{SECRET}')>",
            f"((b'Host', b'x'), (b'Authorization', b'Bearer {SECRET}'))",
            str({"name": "a.p12", "password": SECRET}),
            str({"password": f'it\'s "{SECRET}"'}),
            json.dumps({"token": SECRET}),
        ],
    )
    def test_a_secret_without_a_prefix_goes_by_the_name_before_it(self, text: str) -> None:
        assert "s3cr3t" not in redact(text)
        assert "[FILTERED]" in redact(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            '{"method": "GET", "path": "/api/v4/projects/1/secure_files?page=2", "status": 200}',
            "the token is expired",
            "global-warming",
            "a file could not be read: password_missing",
            "PRIVATE-TOKEN is missing",
        ],
    )
    def test_what_is_no_secret_stays(self, text: str) -> None:
        assert redact(text) == text

    @pytest.mark.parametrize("path", ["/-/project/1/uploads/{}/a.png", "/uploads//{}", "/x/Uploads%2F{}"])
    def test_the_secret_in_an_uploads_address_goes(self, path: str) -> None:
        assert redact(path.format("0123456789abcdef" * 2)) == path.format("[FILTERED]")

    @pytest.mark.parametrize("path", ["/projects/1/uploads/12", "/projects/a%2Fb/uploads", "/x/%FF/uploads/%zz"])
    def test_a_path_without_a_secret_is_shown_as_it_came(self, path: str) -> None:
        assert without_secrets(path) == path

    def test_a_secret_is_found_behind_percent_signs(self) -> None:
        assert without_secrets(f"/upl%6Fads/%61{'b' * 31}/a%20b") == "/uploads/[FILTERED]/a%20b"

    def test_what_follows_in_a_query_stays(self) -> None:
        assert redact("/x?private_token=abc&page=2") == "/x?private_token=[FILTERED]&page=2"


def formatted(form: str, message: str, *args: object, error: BaseException | None = None) -> str:
    record = logging.LogRecord("vault.test", logging.ERROR, "", 0, message, args, None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    return Formatter(form).format(record)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except (ValueError, KeyError) as caught:
        return caught


class TestFormatter:
    def test_text_is_time_level_logger_and_message(self) -> None:
        assert re.fullmatch(rf"{STAMP} ERROR vault\.test: it is 7", formatted("text", "it is %d", 7))

    def test_json_is_one_object_of_these(self) -> None:
        found = json.loads(formatted("json", 'it is "%d"', 7))

        assert re.fullmatch(STAMP, found.pop("time"))
        assert found == {"level": "ERROR", "logger": "vault.test", "message": 'it is "7"'}

    def test_json_has_the_facts_of_a_request_as_fields(self) -> None:
        record = logging.LogRecord("vault.test", logging.INFO, "", 0, "GET it", (), None)
        record.facts = {"path": f"/x?private_token={SECRET}", "status": 200, "duration_ms": 1.2345}
        found = json.loads(Formatter("json").format(record))

        assert (found["path"], found["status"], found["duration_ms"]) == ("/x?private_token=[FILTERED]", 200, 1.2)

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_no_secret_of_message_arguments_or_exception_is_written(self, form: str) -> None:
        secret = new_secret(PERSONAL)
        error = raised(ValueError(f"PRIVATE-TOKEN: {secret}"))
        error.__cause__ = raised(KeyError(f"{secret}"))
        line = formatted(form, f"{secret} %s", {"PRIVATE-TOKEN": secret}, error=error)

        assert secret[6:] not in line
        assert "ValueError" in line
        assert "KeyError" in line

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_a_message_that_does_not_fit_its_arguments_leaks_them_no_more_than_another(self, form: str) -> None:
        """Logging's own way is to print both on stderr as they are."""
        secret = new_secret(PERSONAL)

        assert secret[6:] not in formatted(form, "%d of %d", secret)
        assert "[FILTERED]" in formatted(form, "%d of %d", secret)

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_a_message_stays_on_its_line(self, form: str) -> None:
        line = formatted(form, "name: %s", "a\r\n2026-01-01T00:00:00.000Z INFO secure_files: all is well\u2028x")

        assert len(line.splitlines()) == 1
        assert "all is well" in line

    def test_no_line_of_a_traceback_looks_like_a_record(self) -> None:
        error = raised(ValueError("x\n2026-01-01T00:00:00.000Z INFO secure_files: all is well"))
        first, *rest = formatted("text", "failed", error=error).split("\n")

        assert re.match(STAMP, first)
        assert rest
        assert all(line.startswith("  ") for line in rest)

    @pytest.mark.parametrize("form", ["text", "json"])
    @pytest.mark.parametrize("char", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\ud800"])
    def test_nothing_in_it_steers_a_terminal(self, form: str, char: str) -> None:
        line = formatted(form, "name: %s", f"a{char}[2Jb", error=raised(ValueError(f"a{char}[2Jb")))

        assert char not in line
        line.encode()

    def test_names_of_any_script_can_be_read(self) -> None:
        assert "ключ-Ü.jks" in formatted("text", "name: %s", "ключ-Ü.jks")
        assert json.loads(formatted("json", "ключ"))["message"] == "ключ"


class TestConfigure:
    @pytest.fixture
    def stderr(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
        """Configure the log of this process, onto a stream of the test's, and undo it."""
        root, quiet = logging.getLogger(), [logging.getLogger(name) for name in ("aiohttp", "asyncio")]
        before = (root.handlers[:], root.level, [each.level for each in quiet])
        for name in ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing"):
            monkeypatch.setattr(logging, name, getattr(logging, name))
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        root.handlers[:] = []
        try:
            configure("text")
            yield stream
        finally:
            root.handlers[:], levels = before[0], before[2]
            root.setLevel(before[1])
            for each, level in zip(quiet, levels, strict=True):
                each.setLevel(level)

    def test_everything_goes_to_stderr_through_the_one_formatter(self, stderr: io.StringIO) -> None:
        secret = new_secret(JOB)
        logging.getLogger("some.library").warning("token %s", secret)
        logging.getLogger("some.library").debug("too much")

        assert stderr.getvalue().count("\n") == 1
        assert "WARNING some.library: token glcbt-[FILTERED]" in stderr.getvalue()

    def test_aiohttp_does_not_log_the_lines_that_its_parser_refuses(self, stderr: io.StringIO) -> None:
        logging.getLogger("aiohttp.server").error("Error handling request")

        assert stderr.getvalue() == ""
