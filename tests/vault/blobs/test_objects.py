"""The store of a bucket, against a real S3 server, and against small ones that answer what no real one is told to."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.blobstore_suite import ABSENT, BlobStoreSuite, content, new_id, put
from tests.relay import Relay
from vault.blobs import ObjectOptions, open_blobs
from vault.blobs.away import PAUSE_SECONDS
from vault.blobs.objects import PART, ObjectBlobs
from vault.errors import BlobMissing, Conflict, StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.blobs import BlobStore

needs_server = pytest.mark.engine("weed")


@pytest.fixture
def store(s3):
    return s3.store()


def asks(store: BlobStore) -> list[Callable[[], Any]]:
    """Return one call of each kind."""
    return [
        lambda: store.read_at(ABSENT, 0, 1),
        lambda: store.size(ABSENT),
        lambda: store.delete(ABSENT),
        lambda: list(store.ids()),
        lambda: put(store, b"x"),
        store.check,
    ]


@needs_server
class TestObjectBlobs(BlobStoreSuite):
    """The store of a bucket keeps the contract."""

    @pytest.fixture
    def store(self, s3):
        return s3.store()


@needs_server
class TestLayout:
    """What lies in the bucket, as Amazon's own client sees it."""

    def test_an_object_is_the_sealed_bytes_under_prefix_and_id(self, s3):
        url = s3.new_url()
        blob_id = put(s3.store(url), b"sealed")
        prefix = url.rpartition("/")[2]
        found = s3.client.get_object(Bucket=s3.bucket, Key=f"{prefix}/{blob_id}")
        assert found["Body"].read() == b"sealed"

    def test_two_prefixes_are_two_stores(self, s3):
        one, other = s3.store(), s3.store()
        blob_id = put(one, b"of one")
        assert list(other.ids()) == []
        put(other, b"of the other", blob_id=blob_id)
        assert content(one, blob_id) == b"of one"

    def test_strangers_under_the_prefix_are_not_objects(self, s3):
        url = s3.new_url()
        store, prefix = s3.store(url), url.rpartition("/")[2]
        for name in ("notes.txt", f"ab/{'ab' + '0' * 30}"):
            s3.client.put_object(Bucket=s3.bucket, Key=f"{prefix}/{name}", Body=b"mine")
        assert list(store.ids()) == []

    def test_more_objects_than_a_page_holds_are_all_listed(self, store):
        written = {put(store, b"x") for _ in range(1005)}
        assert set(store.ids()) == written

    def test_a_lost_object_is_told_from_a_bucket_that_is_not_there(self, s3, store):
        with pytest.raises(BlobMissing):
            store.size(ABSENT)
        elsewhere = s3.store("s3://no-such-bucket/vault")
        for ask in (
            lambda: elsewhere.size(ABSENT),
            lambda: elsewhere.read_at(ABSENT, 0, 1),
            lambda: list(elsewhere.ids()),
            elsewhere.check,
        ):
            with pytest.raises(Unavailable):
                ask()


@needs_server
class TestLargeObjects:
    """Beyond a part an object is uploaded in parts."""

    @pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1])
    def test_every_size_about_a_part_is_kept_whole(self, store, size):
        whole = os.urandom(size)
        blob_id = put(store, whole[:1], whole[1 : PART + 1], whole[PART + 1 :])
        assert store.size(blob_id) == size
        assert store.read_at(blob_id, 0, size + 1) == whole

    def test_an_upload_that_fails_midway_is_aborted(self, s3):
        url = s3.new_url()

        def fail():
            with s3.store(url).writer(new_id()) as writer:
                for _ in range(3):
                    writer.write(bytes(PART))
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert not [key for key in s3.uploads() if key.startswith(url.rpartition("/")[2])]

    def test_memory_is_that_of_a_few_parts_however_large_the_object(self, s3):
        outcome = run_python(
            r"""
            import os, re; peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
            with store.writer("ab" + "0" * 30) as writer:
                for _ in range(4): writer.write(bytes(1 << 20))
            before = peak()
            with store.writer("cd" + "0" * 30) as writer:
                for _ in range(150): writer.write(os.urandom(1 << 20))
            print((peak() - before) // 1024)
            """,
            s3,
        )
        assert int(outcome.stdout) <= 8 * PART >> 20, outcome.stderr


@needs_server
class TestRefusals:
    """What cannot be had is said without a secret, and without the library's pages of text."""

    def test_a_wrong_key_is_unavailable_and_told_by_its_code(self, s3):
        store = s3.store(secret_key="not-the-secret-key")
        for ask in asks(store):
            with pytest.raises(Unavailable) as raised:
                ask()
            assert re.fullmatch(r"the object store refused to [a-z ]+ \(403( \w+)?\)", str(raised.value))
            assert raised.value.__cause__ is None
            assert raised.value.__suppress_context__

    def test_an_endpoint_in_the_clear_has_to_be_allowed(self, s3):
        with pytest.raises(ValueError, match="allowed"):
            s3.options(allow_http=False)

    def test_secret_keys_are_not_shown(self, s3):
        assert s3.secret_key not in repr(s3.options())


@needs_server
class TestAway:
    """A store that goes away and comes back."""

    @pytest.fixture
    def wire(self, s3):
        with Relay(s3.endpoint) as relay:
            yield relay

    def test_all_is_refused_within_seconds_and_all_is_there_again_afterwards(self, s3, wire):
        store = s3.store(endpoint=wire.url)
        blob_id = put(store, b"before")
        wire.cut()
        for ask in asks(store):
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                ask()
            assert time.monotonic() - begun < 5
        wire.restore()
        time.sleep(PAUSE_SECONDS)
        assert content(store, blob_id) == b"before"
        put(store, b"after")

    def test_an_upload_that_loses_the_store_midway_fails_and_leaves_no_object(self, s3, wire):
        store, blob_id = s3.store(endpoint=wire.url), new_id()

        def lose():
            with store.writer(blob_id) as writer:
                for number in range(8):
                    if number == 4:
                        wire.cut()
                    writer.write(bytes(PART))

        with pytest.raises(Unavailable):
            lose()
        wire.restore()
        time.sleep(PAUSE_SECONDS)
        assert list(store.ids()) == []


class Answers(BaseHTTPRequestHandler):
    """Answers with what `server.plan` says of a request: (status, body)."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, headers, body))
        planned = self.server.plan(self.command, self.server.seen)
        if "list-type" in self.path:
            planned = 200, b"<ListBucketResult></ListBucketResult>"
        status, text = planned
        if status == 200 and "range" in headers:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-{len(text) - 1}/{len(text)}")
        else:
            self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(plan: Callable[[str, list[Any]], tuple[int, bytes]]) -> Iterator[tuple[BlobStore, list[Any]]]:
    """Yield a store whose server answers as planned, and the requests it has seen."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.plan, server.seen = plan, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    options = ObjectOptions(endpoint=endpoint, allow_http=True, access_key="a", secret_key="b", region="us-east-1")
    try:
        yield open_blobs("s3://bucket/vault", options), server.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>s3cr3t</Message></Error>".encode()


class TestAnswers:
    """What the store makes of answers that a real server gives on a bad day."""

    def test_a_passing_failure_is_tried_again_until_the_third_time(self):
        with answering(lambda method, seen: (503, told("SlowDown")) if len(seen) < 3 else (200, b"whole")) as (
            store,
            seen,
        ):
            assert store.read_at(ABSENT, 0, 5) == b"whole"
            assert len(seen) == 3

    def test_a_lasting_failure_is_unavailable_after_three_tries(self):
        with answering(lambda method, seen: (503, told("SlowDown"))) as (store, seen):
            with pytest.raises(Unavailable, match=r"^the object store refused to read a blob \(503 SlowDown\)$"):
                store.read_at(ABSENT, 0, 5)
            assert len(seen) == 3

    @pytest.mark.parametrize("answer", [(507, b""), (507, told("XMinioStorageFull")), (403, told("QuotaExceeded"))])
    def test_a_store_without_room_says_so(self, answer):
        with answering(lambda method, seen: answer) as (store, _), pytest.raises(StorageFull):
            put(store, b"x")

    def test_a_bucket_that_is_not_there_takes_nothing_of_any_size(self):
        with answering(lambda method, seen: (404, told("NoSuchBucket"))) as (store, _):
            for size in (1, 2 * PART):
                with pytest.raises(Unavailable, match="404"):
                    put(store, bytes(size))

    def test_a_put_whose_answer_was_lost_is_told_by_the_bytes_that_are_there(self):
        def plan(method, seen):
            if method == "PUT":
                return (500, b"") if len(seen) == 1 else (412, told("PreconditionFailed"))
            return 200, b"sealed"

        with answering(plan) as (store, _):
            put(store, b"sealed")
            with pytest.raises(Conflict):
                put(store, b"others")

    def test_a_store_that_knows_no_conditions_is_asked_before(self):
        def plan(method, seen):
            if method == "PUT" and "if-none-match" in seen[-1][1]:
                return 501, told("NotImplemented")
            return (404, b"") if method == "HEAD" else (200, b"")

        with answering(plan) as (store, seen):
            put(store, b"x")
            put(store, b"y")
            asked = [method for method, headers, _ in seen if method != "GET" and "if-none-match" not in headers]
            assert asked == ["HEAD", "PUT", "HEAD", "PUT"]

    def test_every_body_goes_with_its_digest(self):
        with answering(lambda method, seen: (200, b"")) as (store, seen):
            put(store, b"sealed")
        digest = b64encode(sha256(b"sealed").digest()).decode()
        assert seen[0][1]["x-amz-checksum-sha256"] == digest

    def test_fewer_bytes_than_were_sent_are_no_object(self):
        def plan(method, seen):
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            done = b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
            heads = sum(seen_method == "HEAD" for seen_method, _, _ in seen)
            match method:
                case "POST":
                    return 200, (done if b"CompleteMultipartUpload" in seen[-1][2] else body)
                case "HEAD":
                    return (404, b"") if heads == 1 else (200, b"fewer")
            return 200, b""

        with answering(plan) as (store, seen):
            with pytest.raises(Unavailable, match=f"kept 5 of {2 * PART} bytes"):
                put(store, bytes(2 * PART))
            assert seen[-1][0] == "DELETE"

    def test_a_server_that_cannot_be_reached_is_given_up_after_five_seconds(self):
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            options = ObjectOptions(f"http://127.0.0.1:{full.getsockname()[1]}", access_key="a", allow_http=True)
            store = open_blobs("s3://bucket/vault", ObjectOptions(**{**vars(options), "secret_key": "b"}))
            begun = time.monotonic()
            for _ in range(20):
                with pytest.raises(Unavailable):
                    store.size(ABSENT)
            assert time.monotonic() - begun < 8


class TestOpening:
    """What the URL and the options may be."""

    @pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a/prefix/", "gs://bucket/prefix", "S3://bucket/x"])
    def test_a_bucket_is_not_looked_at_before_it_is_used(self, url):
        assert isinstance(open_blobs(url, ObjectOptions(region="eu-central-1")), ObjectBlobs)

    def test_an_azure_container_has_an_account(self):
        key = ObjectOptions(access_key="account", secret_key="a2V5")
        assert isinstance(open_blobs("az://container/prefix", key), ObjectBlobs)

    @pytest.mark.parametrize(
        "url",
        ["s3://", "s3:///prefix", "s3://key:secret@bucket", "s3://bucket:9000", "s3://bucket?x=y", "s3://bucket#x"],
    )
    def test_anything_more_or_less_than_bucket_and_prefix_is_refused(self, url):
        with pytest.raises(ValueError, match="s3://bucket/prefix") as raised:
            open_blobs(url)
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize(
        "endpoint",
        ["host:9000", "https://", "https://user:secret@host", "https://host/path?x", "https://host?x", "ftp://host"],
    )
    def test_an_endpoint_is_scheme_host_and_path_alone(self, endpoint):
        with pytest.raises(ValueError, match="endpoint") as raised:
            ObjectOptions(endpoint)
        assert "secret" not in str(raised.value)

    def test_certificates_that_are_not_there_are_named(self, tmp_path):
        with pytest.raises(ValueError, match="No such file"):
            open_blobs("s3://bucket", ObjectOptions(ca_file=str(tmp_path / "ca.pem")))

    def test_certificates_that_are_none_are_refused(self, tmp_path):
        (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
        with pytest.raises(ValueError, match=r"certificates of the object store"):
            open_blobs("s3://bucket", ObjectOptions(ca_file=str(tmp_path / "ca.pem")))


@needs_server
class TestForked:
    def test_a_process_that_was_forked_after_the_first_use_is_told_instead_of_hanging(self, s3):
        outcome = run_python(
            """
            import os
            put = store.size
            try: store.size("ab" + "0" * 30)
            except BlobMissing: pass
            if not (child := os.fork()):
                try: store.size("ab" + "0" * 30)
                except RuntimeError as error: print(error, flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            """,
            s3,
        )
        assert "forked" in outcome.stdout, outcome.stderr


def run_python(script, s3):
    header = (
        "import sys\nfrom vault.blobs import ObjectOptions, open_blobs\nfrom vault.errors import BlobMissing\n"
        "options = ObjectOptions(sys.argv[1], 'us-east-1', access_key=sys.argv[2], secret_key=sys.argv[3], "
        "allow_http=True)\nstore = open_blobs(sys.argv[4], options)\n"
    )
    given = [s3.endpoint, s3.access_key, s3.secret_key, s3.new_url()]
    command = [sys.executable, "-c", header + dedent(script), *given]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
