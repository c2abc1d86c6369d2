"""Blobs in an object store: Amazon S3 and what speaks like it, Google Cloud Storage, Azure; by `obstore`.

An object is `<prefix>/<id>` and holds exactly the sealed stream. Up to `PART` bytes it is one conditional PUT, beyond
that a multipart upload of parts of `PART`, completed after the last one and then looked at once: its length has to be
what was written. Each body goes with its SHA-256, which the store checks (S3).

What is bounded, and why not by the library's own numbers: a writer has two parts of 6 MiB on their way (12 of 10 MiB
would be 120 MiB), a request has 3 tries within 4 seconds (10 within 180 would keep a client waiting for minutes), and
a store that does not answer is not asked by everybody, see `vault.blobs.away`.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from vault.blobs import checked_id, checked_range, is_blob_id
from vault.blobs.away import Away
from vault.blobs.fetched import Fetched
from vault.blobs.refusals import Refusal, refusal
from vault.errors import BlobMissing, Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from obstore.store import ObjectStore

    from vault.blobs import AtHand, BinaryWriter, ObjectOptions

T = TypeVar("T")

PART = 6 * 1024 * 1024
"""Bytes of a part: a secure file is one, and 10,000 of them, S3's limit, are 58 GiB."""
REQUEST_SECONDS = 30
LOOK_SECONDS = 5
CONNECT_SECONDS = 5
RETRIES = 2
# A second try after the first could not connect for five seconds would come too late for whoever waits.
RETRY_SECONDS = 4
_FARTHEST = 2**63 - 1
_NOT_SATISFIABLE = 416
_NOT_IMPLEMENTED = 501


class ObjectBlobs:
    """A `BlobStore` in a bucket that is there already; `url` is `s3://bucket/prefix`, or `gs://` or `az://` likewise.

    Of two writers of one id exactly one wins while the object is one PUT; of two multipart uploads that run at the
    same time the later may win, as the library cannot complete one on a condition. Ids are random and taken once.

    Not to be used in a process that was forked after it was used: that raises `RuntimeError`. Raises `ValueError` when
    the URL or the options cannot be.
    """

    read_size = PART
    nearby = False

    def __init__(self, url: str, options: ObjectOptions) -> None:
        self._store = _opened(url, options, REQUEST_SECONDS, RETRIES)
        self._away = Away(partial(_look, _opened(url, options, LOOK_SECONDS, 0)))
        self._conditional = True

    @contextmanager
    def writer(self, blob_id: str) -> Iterator[BinaryWriter]:
        """Collect the bytes; from the second part on they leave while the block runs."""
        draft = _Draft(self, checked_id(blob_id))
        try:
            yield draft
            draft.publish()
        except BaseException as error:
            draft.discard(error)
            raise

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        """Send one GET for the range; only where it begins at the end or behind it, a HEAD as well."""
        checked_range(offset, length)
        end = min(offset + length, _FARTHEST)
        if offset >= end:
            self.size(blob_id)
            return b""
        read = partial(obstore.get_range, self._store, checked_id(blob_id), start=offset, end=end)
        try:
            return self.ask("read a blob", read, may_lack=True).to_bytes()
        except FileNotFoundError:
            raise self._missing(blob_id) from None
        except Refusal as error:
            if error.unheard or error.status not in {0, _NOT_SATISFIABLE} or offset < self.size(blob_id):
                raise
            return b""

    def at_hand(self, blob_id: str, size: int) -> AtHand:
        """Send one GET, for a byte more than there should be: one that is too long shows."""
        return Fetched(self.read_at(blob_id, 0, size + 1))

    def size(self, blob_id: str) -> int:
        """Send one HEAD."""
        try:
            look = partial(obstore.head, self._store, checked_id(blob_id))
            return self.ask("look at a blob", look, may_lack=True)["size"]
        except FileNotFoundError:
            raise self._missing(blob_id) from None

    def delete(self, blob_id: str) -> None:
        """Send one DELETE."""
        try:
            delete = partial(obstore.delete, self._store, checked_id(blob_id))
            self.ask("delete a blob", delete, may_lack=True)
        except FileNotFoundError:
            self.check()

    def ids(self, older_than: float = 0.0) -> Iterator[str]:
        """List page by page, a thousand names at a time; of old ones after a look at the store's clock."""
        latest = self._clock() - timedelta(seconds=older_than) if older_than else None
        pages = obstore.list(self._store)
        while page := self.ask("list the blobs", partial(next, pages, None)):
            old = (entry for entry in page if latest is None or entry["last_modified"] <= latest)
            yield from (entry["path"] for entry in old if is_blob_id(entry["path"]))

    def _clock(self) -> datetime:
        """Return the store's time, which no answer tells but a new object's."""
        probe = f"clock-{token_hex(8)}"
        self.ask("tell the time", partial(self._send, probe, b"", "overwrite"))
        try:
            return self.ask("tell the time", partial(obstore.head, self._store, probe))["last_modified"]
        finally:
            self.ask("tell the time", partial(obstore.delete, self._store, probe))

    def sweep_unfinished(self) -> int:
        """Return 0: the library cannot list uploads that were never completed; the bucket's own rule ends them."""
        return 0

    def check(self) -> None:
        """List what nothing is called by, with one try of five seconds: a bucket that is gone is told as well."""
        _refuse_forked()
        self._away.look()

    # What a draft needs

    def ask(self, action: str, request: Callable[[], T], *, may_lack: bool = False) -> T:
        """Send a request, unless the store is known not to answer.

        Raises `Refusal`, `StorageFull`, `Unavailable`, and `AlreadyExistsError` as it comes; `FileNotFoundError` where
        the object `may_lack`: elsewhere it is the bucket that does.
        """
        _refuse_forked()
        self._away.refuse()
        try:
            return _asked(action, request, may_lack=may_lack)
        except Refusal as error:
            self._away.heard(error)
            raise

    def put(self, blob_id: str, data: bytes) -> None:
        """Store a whole object where there is none. Raises `Conflict` when there is one."""
        try:
            self._put(blob_id, data)
        except AlreadyExistsError:
            # It may be this one: a try whose answer was lost is made again.
            if not self._holds(blob_id, data):
                raise _taken(blob_id) from None

    def _holds(self, blob_id: str, data: bytes) -> bool:
        with suppress(BlobMissing):
            return self.read_at(blob_id, 0, len(data) + 1) == data
        return False

    def _put(self, blob_id: str, data: bytes) -> None:
        if self._conditional:
            try:
                self.ask("write a blob", partial(self._send, blob_id, data, "create"))
            except Refusal as error:
                if error.status != _NOT_IMPLEMENTED:
                    raise
                self._conditional = False
            else:
                return
        self.refuse_taken(blob_id)
        self.ask("write a blob", partial(self._send, blob_id, data, "overwrite"))

    def _send(self, blob_id: str, data: bytes, mode: obstore.PutMode) -> None:
        obstore.put(self._store, blob_id, data, mode=mode, use_multipart=False)

    def upload(self, blob_id: str) -> obstore.WritableFile:
        """Return a multipart upload, which begins with its first part. Raises `Conflict`."""
        self.refuse_taken(blob_id)
        return obstore.open_writer(self._store, blob_id, buffer_size=PART, max_concurrency=1)

    def refuse_taken(self, blob_id: str) -> None:
        """Raise `Conflict` when there is an object under this id."""
        with suppress(BlobMissing):
            self.size(blob_id)
            raise _taken(blob_id)

    def _missing(self, blob_id: str) -> BlobMissing:
        """Tell a lost object from a bucket that is not there."""
        self.check()
        return BlobMissing(f"blob {blob_id} is not in the store", blob_id=blob_id)


class _Draft:
    """One object being written: the bytes of the part that is not full yet, and the upload once there is a full one."""

    def __init__(self, store: ObjectBlobs, blob_id: str) -> None:
        self._store = store
        self._blob_id = blob_id
        self._part = bytearray()
        self._size = 0
        self._upload: obstore.WritableFile | None = None
        self._finished = False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add to the part; a full one is sent once more comes."""
        if self._finished:
            raise ValueError(f"blob {self._blob_id} is finished")
        with memoryview(data).cast("B") as view:
            done = 0
            while done < len(view):
                if len(self._part) == PART:
                    self._send_part()
                taken = min(PART - len(self._part), len(view) - done)
                self._part += view[done : done + taken]
                done += taken
            self._size += done

    def publish(self) -> None:
        """Store the object as one PUT, or complete its upload and look whether all of it is there."""
        self._finished = True
        if self._upload is None:
            self._store.put(self._blob_id, bytes(self._part))
            return
        if self._part:
            self._send_part()
        self._store.ask("complete a blob", self._upload.close)
        self._upload = None
        if (kept := self._store.size(self._blob_id)) != self._size:
            raise Unavailable(f"the object store kept {kept} of {self._size} bytes of a blob")

    def discard(self, error: BaseException) -> None:
        """Abort the upload, and take back what may be stored although its answer was not good.

        What the store does not hear of stays: an upload for the bucket's rule, or an orphan.
        """
        completing, self._finished = self._finished, True
        if self._upload is not None:
            abort = partial(self._upload.__exit__, type(error), error, error.__traceback__)
            with suppress(Unavailable, OSError, ValueError, BaseError):
                self._store.ask("abort a blob", abort)
        if completing and isinstance(error, Unavailable):
            with suppress(Unavailable):
                self._store.delete(self._blob_id)

    def _send_part(self) -> None:
        if self._upload is None:
            self._upload = self._store.upload(self._blob_id)
        # A copy: the library keeps what it is handed, and would send what is written over it meanwhile.
        part, self._part = bytes(self._part), bytearray()
        self._store.ask("write a blob", partial(self._upload.write, part))


def _taken(blob_id: str) -> Conflict:
    return Conflict(f"blob {blob_id} exists already")


def _asked(action: str, request: Callable[[], T], *, may_lack: bool = False) -> T:
    try:
        return request()
    except AlreadyExistsError:
        raise
    except (BaseError, OSError) as error:
        if may_lack and isinstance(error, FileNotFoundError):
            raise
        # Not chained: the library's text quotes addresses and whole answers, over thirty lines.
        raise refusal(action, str(error)) from None


def _look(store: ObjectStore) -> None:
    _asked("answer", lambda: next(obstore.list(store, prefix="nothing"), None))


class _Runtime:
    """Which process the library's threads run in: they do not come along when it forks, and a call would hang."""

    process = 0


def _refuse_forked() -> None:
    _Runtime.process = _Runtime.process or os.getpid()
    if _Runtime.process != os.getpid():
        raise RuntimeError("the object store was used before this process was forked")


def _opened(url: str, options: ObjectOptions, seconds: int, retries: int) -> ObjectStore:
    place = urlsplit(url)
    if not place.netloc or place.query or place.fragment or set("@:") & set(place.netloc):
        raise ValueError("a blob store in a bucket is written s3://bucket/prefix, without a key, a port or a question")
    client: dict[str, Any] = {
        "allow_http": options.allow_http,
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=seconds),
        "user_agent": "secure-files-vault",
    }
    if options.ca_file:
        client["root_certificate"] = _certificates(options.ca_file)
    pause = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2}
    retry = {"max_retries": retries, "retry_timeout": timedelta(seconds=RETRY_SECONDS), "backoff": pause}
    try:
        return from_url(url, config=_config(place.scheme, options), client_options=client, retry_config=retry)  # type: ignore[call-overload, no-any-return]
    except (BaseError, OSError) as error:
        raise ValueError(f"the bucket cannot be opened: {str(error).partition(chr(10))[0]}") from None


def _config(scheme: str, options: ObjectOptions) -> dict[str, str | bool]:
    """Return the library's names for what is set; what is not set comes from the provider's own variables."""
    match scheme:
        case "s3":
            always: dict[str, str | bool] = {"checksum_algorithm": "SHA256", "disable_bulk_delete": True}
            names = ("endpoint", "region", "access_key_id", "secret_access_key")
            always["virtual_hosted_style_request"] = options.virtual_hosted
        case "gs":
            always, names = {}, ("base_url", "", "", "")
        case _:
            always, names = {}, ("endpoint", "", "account_name", "account_key")
    values = (options.endpoint, options.region, options.access_key, options.secret_key)
    return {**always, **{name: value for name, value in zip(names, values, strict=True) if name and value}}


def _certificates(file: str) -> bytes:
    try:
        ssl.create_default_context(cafile=file)  # the library's own word for what is wrong is "builder error"
        return Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"the certificates of the object store cannot be used: {file}: {error.strerror}") from None
