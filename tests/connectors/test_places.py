"""Places of backups: a folder, S3-compatible storage spoken to over the wire, and what fsspec reaches."""

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as fs
import pytest
from moto.server import ThreadedMotoServer

from connectors.places import PlaceFails, open_place
from tests.servers import free_port


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The query that leads `s3://` to a server of our own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    server.stop()


@pytest.fixture(params=["folder", "s3", "fsspec"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "a place" / "deep")
    if request.param == "fsspec":
        return f"memory://{uuid.uuid4().hex}"
    query = request.getfixturevalue("s3")
    bucket = f"b{uuid.uuid4().hex}"
    files, _ = fs.FileSystem.from_uri(f"s3://key:secret@{bucket}?{query}&allow_bucket_creation=true")
    files.create_dir(bucket)
    return f"s3://key:secret@{bucket}/padron/backups?{query}"


def test_files_are_written_read_listed_and_dropped(url: str) -> None:
    place = open_place(url)
    assert (place.folders(), place.sizes("one"), place.get("one/x")) == ([], {}, None)

    place.put("one/x", b"hola")
    place.put("one/x", b"adios!")
    with place.writing("one/large") as stream:
        for _ in range(40):
            stream.write(os.urandom(1 << 18))
    place.put("two/y", b"")

    assert sorted(place.folders()) == ["one", "two"]
    assert place.sizes("one") == {"x": 6, "large": 40 << 18}
    assert (place.get("one/x"), place.get("two/y"), place.get("one")) == (b"adios!", b"", None)
    with place.reading("one/large") as stream:
        assert len(stream.read()) == 40 << 18
    place.drop("one/x")
    place.drop("one/x")
    place.drop_folder("one")
    place.drop_folder("one")
    assert place.folders() == ["two"]


def test_a_folder_is_its_owners_only(tmp_path: Path) -> None:
    open_place(str(tmp_path / "new")).put("one/x", b"hola")

    assert (tmp_path / "new" / "one").stat().st_mode & 0o77 == 0


@pytest.mark.slow
def test_a_place_that_does_not_answer_is_named_without_its_secrets() -> None:
    url = f"s3://key:secret@bucket/padron?endpoint_override=127.0.0.1:{free_port()}&scheme=http&region=us-east-1"

    with pytest.raises(PlaceFails) as found:
        open_place(url).put("one/x", b"hola")

    for said in (found.value.said("en"), found.value.said("es")):
        assert "secret" not in said
        assert "PADRON_BACKUP_URL" in said
        assert "\n" not in said


def test_a_bucket_that_is_not_there_is_said_to_be_missing(s3: str) -> None:
    with pytest.raises(PlaceFails, match="nowhere"):
        open_place(f"s3://key:secret@nowhere/padron?{s3}").put("one/x", b"hola")


@pytest.mark.parametrize("url", ["gopher://x/y", "s3://", "sftp://nobody@127.0.0.1:1/x"])
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(PlaceFails, match="cannot be used|fails|names no bucket"):
        open_place(url).put("one/x", b"hola")


def test_a_folder_that_cannot_be_made_is_said_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(PlaceFails, match="fails"):
        open_place(str(tmp_path / "file" / "below")).put("one/x", b"hola")


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAKEY:abc/def+ghi@bucket/x",
        "s3://AKIAKEY:se cret@bucket/x",
        "s3://AKIAKEY:%zzsecret@bucket/x",
        "s3://bucket/x?secret_key=topsecret",
        "abfs://topsecret@x/y?account_key=topsecret",
    ],
)
def test_what_is_secret_in_a_url_is_never_said(url: str) -> None:
    try:
        said = repr(open_place(url).shown)
    except PlaceFails as error:
        said = error.said("en") + error.said("es")

    for secret in ("AKIAKEY", "abc/def", "ghi", "cret@", "topsecret", "zzsecret"):
        assert secret not in said
