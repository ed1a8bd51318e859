"""Bytes to UTF-8: which encoding a text file is in, and a UTF-8 copy of it where it is another.

Bytes that are not text become `NO_TEXT`, so that their row, not the whole file, is reported.
"""

import codecs
import re
from pathlib import Path

from schemas.frames import NO_TEXT
from schemas.refusals import NeedsAnswer, UnreadableFile

_CHUNK = 8 << 20
_END_MARKS = "\0\x1a\r\n"
"""What may stand behind the last record: padding, the end-of-file mark of DOS, line ends."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
_NOT_WESTERN = re.compile(
    rb"[A-Za-z][\x80\x81\x83-\x90\x95\x98\x9b\x9d\x8d\x8f\x96\x97\x9f][a-z]"
    rb"|[A-Za-z][\x80-\x84\x86-\x89\x8b\x8d\x8f\x90\x98\x9b\x9d]|[a-z][\x8a\x8c\x8e\x9f](?![A-Z])"
    rb"|[\xa3\xaf][a-z]|[a-z][\xb3\xb9\xaf]|[a-z]\xbf[a-z]"
)
"""Characters that no Western text has beside a letter: signs, and capitals inside a word."""
_TURKISH = re.compile(rb"[\xdd\xde\xfd\xfe]")
_HIGH_CELL = re.compile(rb"(?:^|[,;\t|\"\n])[\x80-\xff]{2,}(?=[,;\t|\"\r\n]|$)")
"""A cell without any ASCII letter."""
_CONTROLS = bytes(code for code in (*range(1, 32), 127) if code not in b"\t\n\v\f\r\x1a\x1c\x1d\x1e\x1f")
_MOST_BAD = 4
"""How many lines that are not UTF-8 a line that is makes up for."""
_MOST_CONTROLS = 0.03
"""The share of control characters from which on a file is no text."""


def _mark_bad(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for bytes that are no text, and for half characters that no encoding can hold."""
    end: int = getattr(error, "end", 0)
    return (NO_TEXT.encode() if isinstance(error, UnicodeEncodeError) else NO_TEXT), end


codecs.register_error("padron_bad", _mark_bad)


def as_utf8(path: Path, scratch: Path, encoding: str | None, name: str) -> tuple[Path, str]:
    """A file with the same text in UTF-8 without mark, and the encoding it was in.

    The file itself is given back where it is clean UTF-8 already.
    """
    found = encoding or detect(path, name)
    if found == "utf-8" and _is_clean(path):
        return path, found
    target = scratch / "utf8.txt"
    _transcode(path, target, found)
    return target, found


def detect(path: Path, name: str) -> str:
    """The encoding of a text file; asks where it cannot be told."""
    with path.open("rb") as file:
        head = file.read(65_536)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if len(head) - len(head.translate(None, _CONTROLS)) > len(head) * _MOST_CONTROLS:
        raise UnreadableFile("binary", name=name)
    if b"\0" in head[:4096].rstrip(b"\0\r\n\x1a"):
        return _without_mark(name, head)
    return "utf-8" if _is_mostly_utf8(path, name) else _single_byte(path, name)


def _without_mark(name: str, head: bytes) -> str:
    sample = head[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > len(sample) * 0.3 and even < len(sample) * 0.05:
        return "utf-16-le"
    if even > len(sample) * 0.3 and odd < len(sample) * 0.05:
        return "utf-16-be"
    if sample.count(0) > len(sample) * 0.05:
        raise UnreadableFile("binary", name=name)
    return "utf-8"


def _is_mostly_utf8(path: Path, name: str) -> bool:
    """Whether it is UTF-8 but for damaged lines, which are reported; asks where most lines are something else."""
    bad_lines = good_marks = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK) + file.readline(_CHUNK):
            if chunk.isascii():
                continue
            try:
                chunk.decode()
                good_marks += chunk.count(b"\xc3") + 1
            except UnicodeDecodeError:
                bad, good = _line_counts(chunk)
                bad_lines, good_marks = bad_lines + bad, good_marks + good
    if good_marks and bad_lines > good_marks * _MOST_BAD:
        raise NeedsAnswer("encoding", name=name)
    return not bad_lines or good_marks > 0


def _line_counts(chunk: bytes) -> tuple[int, int]:
    bad = good = 0
    for line in re.split(rb"[\r\n]+", chunk):
        if not line.isascii():
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
    return bad, good


def _single_byte(path: Path, name: str) -> str:
    """cp1252 where the bytes look Western; asks where they look like anything else."""
    with path.open("rb") as file:
        sample = file.read(4 << 20)
    high = sum(byte >= 0x80 for byte in sample)
    in_runs = sum(len(run) for run in _HIGH_RUN.findall(sample))
    odd = len(_NOT_WESTERN.findall(sample)) + len(_HIGH_CELL.findall(sample))
    if not re.search(rb"[\xe1\xed\xe6\xf0]", sample):
        odd += len(_TURKISH.findall(sample))
    if in_runs * 4 > high or odd * 5 > high:
        raise NeedsAnswer("encoding", name=name)
    return "cp1252"


def _is_clean(path: Path) -> bool:
    """Valid UTF-8 without NUL or an end-of-file mark."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if b"\0" in chunk or b"\x1a" in chunk:
                return False
            try:
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
    return not decoder.getstate()[0]


def _transcode(path: Path, target: Path, encoding: str) -> None:
    try:
        b"a,b\n".decode(encoding, "padron_bad")  # some names are no encodings of text, or of none
        decoder = codecs.getincrementaldecoder(encoding)("padron_bad")
    except (LookupError, UnicodeError) as error:
        raise UnreadableFile("encoding_unknown", encoding=encoding) from error
    try:
        _write_decoded(path, target, decoder)
    except UnicodeError as error:  # UTF-16 and UTF-32 want a mark at the beginning
        raise UnreadableFile("encoding_wrong", encoding=encoding) from error


def _write_decoded(path: Path, target: Path, decoder: codecs.IncrementalDecoder) -> None:
    held = ""
    with path.open("rb") as source, target.open("w", encoding="utf-8", newline="") as sink:
        while True:
            chunk = source.read(_CHUNK)
            text = decoder.decode(chunk, not chunk)
            kept = text.rstrip(_END_MARKS)
            if kept:
                sink.write(held + kept)
                held = ""
            held = (held + text[len(kept) :])[:_CHUNK]
            if not chunk:
                break
        sink.write("\n" if held.strip("\r\n") else held)
