"""What only object storage can show: refusals of the server, and the address of the bucket."""

import secrets
import subprocess
import sys

import pytest

from service.archive.object_storage import BucketAddress, ObjectStorage
from service.errors import ArchiveUnavailable, ArchiveUnreachable, InvalidParameter
from tests.support.s3_server import S3Server
from tests.support.servers import free_port
from tests.support.upstreams import answering, http_answer
from tests.unit.archive.test_destination import content, put


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.new_bucket(f"bucket-{secrets.token_hex(6)}")


def every_failure(storage: ObjectStorage, words: str) -> None:
    for attempt in (
        lambda: put(storage, "b/file", b"x"),
        lambda: put(storage, "b/file", b"x" * 20_000_000),
        lambda: storage.write_new("b/file", b"x"),
        lambda: content(storage, "b/file"),
        lambda: storage.size("b/file"),
        lambda: list(storage.files("b")),
        lambda: storage.folders(),
        lambda: storage.delete("b/file"),
    ):
        with pytest.raises(ArchiveUnreachable, match=words) as refused:
            attempt()
        assert "secret" not in refused.value.message


def test_a_wrong_key_is_the_operators_to_mend(s3: S3Server, bucket: str) -> None:
    storage = ObjectStorage(s3.address(bucket, secret_access_key="wrong"))
    for attempt in (
        lambda: put(storage, "b/file", b"x"),
        lambda: list(storage.files("b")),
        lambda: storage.write_new("b/file", b"x"),
    ):
        with pytest.raises(ArchiveUnavailable, match=r"s3://bucket-.*/b.*: the storage refuses the key") as refused:
            attempt()
        assert "SignatureDoesNotMatch" in refused.value.upstream
        assert not refused.value.retryable


def test_a_missing_bucket_is_named(s3: S3Server) -> None:
    storage = ObjectStorage(s3.address("bucket-none"))
    for attempt in (lambda: put(storage, "b/file", b"x"), lambda: list(storage.files("b")), storage.folders):
        missing = r"there is no bucket 'bucket-none'\. Make it, or name another"
        with pytest.raises(ArchiveUnavailable, match=missing) as refused:
            attempt()
        assert not refused.value.retryable


def test_a_server_that_is_away_is_said(s3: S3Server) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    away = BucketAddress("bucket-1", "us-east-1", "id", "secret-of-mine", endpoint=endpoint, timeout_s=1)
    every_failure(ObjectStorage(away), "failed: no answer. Check the endpoint and the network")


def test_a_server_that_was_away_serves_the_same_storage_again(own_s3: S3Server) -> None:
    """A job that is tried again goes on with the object that it has, and with what it wrote before."""
    storage = ObjectStorage(own_s3.address(own_s3.new_bucket("bucket-1"), timeout_s=1))
    put(storage, "b/before", b"before")
    own_s3.kill()
    with pytest.raises(ArchiveUnreachable, match="no answer") as away:
        put(storage, "b/during", b"during")
    assert away.value.retryable
    own_s3.restart()
    assert content(storage, "b/before") == b"before"
    assert storage.size("b/during") is None
    put(storage, "b/after", b"after")
    assert [file.path for file in storage.files("b")] == ["b/after", "b/before"]


def test_an_upload_that_the_server_does_not_outlive_never_becomes_an_object(own_s3: S3Server) -> None:
    storage = ObjectStorage(own_s3.address(own_s3.new_bucket("bucket-1"), timeout_s=1))
    with pytest.raises(ArchiveUnreachable), storage.create("b/large") as sink:
        sink.write(b"x" * 9_000_000)
        own_s3.kill()
        sink.write(b"x" * 90_000_000)
    own_s3.restart()
    assert list(storage.files("b")) == []


def answered(answer: bytes) -> ArchiveUnavailable:
    """The error of a storage that gives this answer to everything."""
    with answering(answer) as upstream:
        storage = ObjectStorage(BucketAddress("bucket-1", "us-east-1", "id", "key", endpoint=upstream.url, timeout_s=1))
        with pytest.raises(ArchiveUnavailable) as refused:
            storage.folders()
        return refused.value


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_of_an_outage_may_be_another_one_later(status: int) -> None:
    failure = answered(http_answer(status, b"<Error><Code>SlowDown</Code></Error>"))
    assert (type(failure), failure.retryable) == (ArchiveUnreachable, True)
    assert f"the storage answers {status}" in failure.message
    assert "SlowDown" in failure.upstream


@pytest.mark.parametrize(
    ("status", "finding"),
    [(400, "answered an error"), (401, "refuses the key"), (403, "refuses the key"), (507, "the storage is full")],
)
def test_any_other_answer_is_the_operators_to_mend_whatever_its_words(status: int, finding: str) -> None:
    failure = answered(http_answer(status, b"<Message>Server returned non-2xx status code: 503 timed out</Message>"))
    assert (type(failure), failure.retryable) == (ArchiveUnavailable, False)
    assert finding in failure.message


def test_an_answer_that_breaks_off_is_none() -> None:
    assert type(answered(http_answer(200, b"x" * 1000)[:-500])) is ArchiveUnreachable


def test_prefixes_do_not_see_each_other(s3: S3Server, bucket: str) -> None:
    first, second = (ObjectStorage(s3.address(bucket, prefix=prefix)) for prefix in ("a", "b/c"))
    put(first, "x/1", b"first")
    put(second, "x/1", b"second")
    assert content(first, "x/1") == b"first"
    assert content(second, "x/1") == b"second"
    assert first.folders() == ["x"]
    assert (s3.files / bucket / "b" / "c" / "x" / "1").read_bytes() == b"second"
    assert (first.name, second.name) == (f"s3://{bucket}/a", f"s3://{bucket}/b/c")


def test_uploads_may_carry_checksums_for_buckets_that_demand_them(s3: S3Server, bucket: str) -> None:
    storage = ObjectStorage(s3.address(bucket, checksums=True))
    put(storage, "b/small", b"x")
    put(storage, "b/large", b"x" * 20_000_000)
    assert storage.size("b/large") == 20_000_000
    assert content(storage, "b/small") == b"x"


def test_a_broken_large_upload_never_becomes_an_object(s3: S3Server, bucket: str) -> None:
    storage = ObjectStorage(s3.address(bucket))
    with pytest.raises(ZeroDivisionError), storage.create("b/large") as sink:
        sink.write(b"x" * 30_000_000)
        raise ZeroDivisionError
    assert list(storage.files("b")) == []
    assert not (s3.files / bucket / "b").exists()


@pytest.mark.parametrize("prefix", ["/a", "a/", "../a", "a//b", ".a"])
def test_a_prefix_is_a_path(prefix: str) -> None:
    with pytest.raises(InvalidParameter, match="prefix"):
        BucketAddress("bucket-1", "us-east-1", "id", "secret", prefix=prefix)


def test_a_timeout_has_a_lowest_value() -> None:
    with pytest.raises(InvalidParameter, match="timeout"):
        BucketAddress("bucket-1", "us-east-1", "id", "secret", timeout_s=0)


def test_the_secret_is_not_shown() -> None:
    assert "secret-of-mine" not in repr(BucketAddress("bucket-1", "us-east-1", "id", "secret-of-mine"))


def test_the_library_is_loaded_when_it_is_used_and_named_when_it_is_missing() -> None:
    script = (
        "import sys; import service.archive.object_storage as s; assert 'obstore' not in sys.modules;"
        "sys.modules['obstore'] = None; sys.modules['obstore.store'] = None\n"
        "try: s.ObjectStorage(s.BucketAddress('b', 'r', 'i', 's'))\n"
        "except s.ConfigurationError as e: print(e)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "pip install 'fluxgate-gateway[s3]'" in shown.stdout, shown.stderr
