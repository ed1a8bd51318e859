"""Encodings: what is told, what is asked, and what stands in place of bytes that are no text."""

import codecs
import random
from pathlib import Path

import pytest

from connectors import encodings
from connectors.encodings import as_utf8, detect
from schemas.frames import NO_TEXT
from schemas.refusals import NeedsAnswer, UnreadableFile
from tests.connectors.reading import contents_of

TEXT = "nombre,teléfono\nJosé Núñez,3001112233\nÅsa Müller,3002223344\n"
ROWS = [["José Núñez", "3001112233"], ["Åsa Müller", "3002223344"]]


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "contacts.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.encode("cp1252"),
        TEXT.encode("latin-1"),
        TEXT.encode() + b"\x1a",
        TEXT.encode() + b"\0" * 600,
    ],
    ids=[
        "utf8",
        "bom",
        "utf16",
        "utf16be",
        "le_nobom",
        "be_nobom",
        "utf32",
        "cp1252",
        "latin1",
        "ctrl_z",
        "nul_padded",
    ],
)
def test_the_text_is_the_same_in_every_encoding_that_can_be_told(tmp_path: Path, content: bytes) -> None:
    found = contents_of(_file(tmp_path, content))

    assert (found.header, found.rows, found.problems) == (["nombre", "teléfono"], ROWS, [None, None])


def test_a_clean_utf8_file_is_read_where_it_is(tmp_path: Path) -> None:
    path = _file(tmp_path, TEXT.encode())

    assert as_utf8(path, tmp_path, None, path.name) == (path, "utf-8")


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "gb18030"])
def test_an_encoding_that_cannot_be_told_is_asked_for_and_taken_from_the_profile(tmp_path: Path, encoding: str) -> None:
    names = {"cp1251": "Анна Петрова", "shift_jis": "山田太郎さま", "gb18030": "王小明先生"}
    text = "name,phone\n" + f"{names[encoding]},3001112233\n" * 5
    path = _file(tmp_path, text.encode(encoding))

    with pytest.raises(NeedsAnswer, match="encoding cannot be told"):
        detect(path, path.name)

    assert contents_of(path, encoding=encoding).rows == [[names[encoding], "3001112233"]] * 5


def test_an_unknown_encoding_is_refused_with_examples(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Try utf-8"):
        contents_of(_file(tmp_path, TEXT.encode()), encoding="klingon")


def test_binary_data_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="binary data"):
        detect(_file(tmp_path, bytes(range(256)) * 4 + b"\0\0\1\0\0\2" * 300 + b"x"), "x.csv")


def test_a_character_cut_by_a_block_border_is_whole(tmp_path: Path) -> None:
    kept, encodings._CHUNK = encodings._CHUNK, 3
    try:
        found = contents_of(_file(tmp_path, TEXT.encode("utf-8-sig")))
    finally:
        encodings._CHUNK = kept

    assert found.rows == ROWS


def test_bytes_that_are_no_text_become_a_mark_and_the_rest_stays(tmp_path: Path) -> None:
    content = ("ñandú,é\n" * 30).encode() + b"Jos\xe9,x\n"

    path, encoding = as_utf8(_file(tmp_path, content), tmp_path, None, "x.csv")

    assert encoding == "utf-8"
    assert path.read_text(encoding="utf-8") == "ñandú,é\n" * 30 + f"Jos{NO_TEXT},x\n"


@pytest.mark.parametrize("size", [300, 100_000])
def test_bytes_that_are_no_text_are_no_contact_file(tmp_path: Path, size: int) -> None:
    noise = random.Random(size).randbytes(size)

    with pytest.raises(UnreadableFile, match="is not a contact file"):
        contents_of(_file(tmp_path, noise))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("name,email\nŁukasz Żak,a@x.org\nPaweł,b@x.org\n", "cp1250"),
        ("name,email\nŞükrü Yılmaz,a@x.org\n", "cp1254"),
        ("name,email\n明,a@x.org\n李,b@x.org\n", "gb18030"),
        ("name,email\nЯн,a@x.org\nЛи,b@x.org\n", "cp1251"),
        ("name,email\nJosé,a@x.org\n", "mac_roman"),
        ("name,email\nJosé,a@x.org\n", "cp850"),
    ],
)
def test_a_file_in_another_encoding_is_asked_about_and_never_read_as_western(
    tmp_path: Path, text: str, encoding: str
) -> None:
    with pytest.raises(NeedsAnswer, match="encoding cannot be told"):
        detect(_file(tmp_path, text.encode(encoding)), "contacts.csv")


@pytest.mark.parametrize(
    "names",
    ["José Núñez,Peña Ibáñez", "Müller,Größe", "Þór,Sigurðardóttir á", "Zoë,François d’Œuvre", "Şon,Ömer Šimić"],
)
def test_western_names_are_not_asked_about(tmp_path: Path, names: str) -> None:
    content = f"name,last\n{names}\nJosé,María\nPeña,Ávila\n".encode("cp1252", "ignore")

    assert detect(_file(tmp_path, content), "contacts.csv") == "cp1252"


def test_a_file_of_two_encodings_is_never_western_throughout(tmp_path: Path) -> None:
    mixed = "name,email\nJosé,a@x.org\n".encode() + "Zoë,b@x.org\nNúria,c@x.org\n".encode("latin-1")

    found = contents_of(_file(tmp_path, mixed))

    assert found.problems == [None, "bad_encoding", "bad_encoding"]
    with pytest.raises(NeedsAnswer):
        detect(_file(tmp_path, mixed + "Zoë,d@x.org\n".encode("latin-1") * 50), "contacts.csv")
