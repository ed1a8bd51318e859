"""Packed files: one contact file in a gzip or zip, and nothing else."""

import gzip
import zipfile
from pathlib import Path

import pytest

from connectors.sources import open_source
from schemas.profiles import Profile
from schemas.refusals import UnreadableFile
from tests.connectors.reading import contents_of

CONTENT = b"name,phone\nAna,3001112233\n"


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_one_file_in_a_zip_is_read(tmp_path: Path) -> None:
    path = _zip(
        tmp_path / "contacts.zip", {"folder/contacts.csv": CONTENT, "__MACOSX/._contacts.csv": b"x", "empty/": b""}
    )

    assert contents_of(path).rows == [["Ana", "3001112233"]]


def test_a_gzip_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("contacts.csv.gz", "contacts.csv"):
        (tmp_path / name).write_bytes(gzip.compress(CONTENT))

    assert contents_of(tmp_path / "contacts.csv.gz").rows == contents_of(tmp_path / "contacts.csv").rows
    assert contents_of(tmp_path / "contacts.csv").rows == [["Ana", "3001112233"]]


def test_json_lines_in_a_gzip_are_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "contacts.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"phone": "3001112233"}\n'))

    assert (contents_of(path).kind, contents_of(path).rows) == ("jsonl", [["3001112233"]])


@pytest.mark.parametrize("names", [["a.csv", "b.csv"], []])
def test_a_zip_with_more_or_less_than_one_file_is_refused(tmp_path: Path, names: list[str]) -> None:
    path = _zip(tmp_path / "contacts.zip", dict.fromkeys([*names, "folder/"], CONTENT))

    with pytest.raises(UnreadableFile, match=f"holds {len(names)} files"):
        contents_of(path)


@pytest.mark.parametrize("inner", ["../contacts.csv", "/etc/contacts.csv", "a/../../contacts.csv", "..\\contacts.csv"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, inner: str) -> None:
    path = _zip(tmp_path / "contacts.zip", {inner: CONTENT})

    with pytest.raises(UnreadableFile, match="leads out of its folder"):
        contents_of(path)


def test_an_archive_that_unpacks_to_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv.gz"
    path.write_bytes(gzip.compress(CONTENT * 300_000))

    with (
        pytest.raises(UnreadableFile, match="unpacks to more than can be kept"),
        open_source(path, Profile(), name=path.name, most_bytes=2_000_000),
    ):
        pass


@pytest.mark.parametrize("kept", [12, 30])
def test_a_cut_off_gzip_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "contacts.csv.gz"
    path.write_bytes(gzip.compress(CONTENT * 9)[:kept])

    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        contents_of(path)


def test_a_cut_off_zip_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "contacts.zip", {"contacts.csv": CONTENT})
    path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(UnreadableFile):
        contents_of(path)


@pytest.mark.parametrize("magic", [b"\x89PNG\r\n", b"%PDF-1.7", b"\x7fELF", b"SQLite format 3\0"])
def test_what_is_no_contact_file_is_refused_by_its_content(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(magic + b"name,phone\nAna,3001112233\n" * 5)

    with pytest.raises(UnreadableFile, match="not a contact file"):
        contents_of(path)


def test_no_temporary_copy_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))  # so that nobody else's files are seen
    (tmp_path / "scratch").mkdir()
    path = _zip(tmp_path / "contacts.zip", {"contacts.csv": CONTENT})

    contents_of(path)

    assert list((tmp_path / "scratch").iterdir()) == []
