"""Contacts as a file that an import takes back without a change: all, or those of a filter; all of one moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from connectors.writers import MOST_ROWS, guarded, too_many_rows, writing
from pipelines.aliases import match_form
from pipelines.contacts import clock_of
from pipelines.dates import STAMP
from schemas.errors import InputError
from schemas.exports import FORMATS, IN_A_TAG, TAG_SEPARATOR, chosen_columns, column_header, column_type, usual_columns
from schemas.fields import BETWEEN, CUSTOM, OPT_INS, OPT_OUTS, FieldType
from schemas.settings import Settings
from warehouse import audit, contact_lists, dumps, exports, roll
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.dumps import Fetch
from warehouse.engines import reading, transaction
from warehouse.exports import Numbers
from warehouse.jobs import Progress

_AT_ONCE = 50_000
_TEXT = pa.string()
_TYPES = {
    "number": pa.float64(),
    "whole": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": STAMP,
    "tags": pa.list_(_TEXT),
}
_STATUSES = {"active": "activo", "inactive": "inactivo", "blocked": "bloqueado", "archived": "archivado"}
_YES_NO = {"es": ("sí", "no"), "en": ("yes", "no")}
_SHEETS = {"es": "Contactos", "en": "Contacts"}


class UnknownFormat(InputError):
    """A file is written as something else."""


@dataclass(frozen=True, slots=True)
class ExportForm:
    """Whom and what to export; without columns all that an import takes."""

    wanted: Wanted
    format: str
    columns: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: how many contacts, as of when, with which columns."""

    rows: int
    as_of: datetime
    columns: tuple[str, ...]


def format_of(path: Path) -> str:
    """The format that a file's name asks for; raises UnknownFormat."""
    found = path.suffix.lower().removeprefix(".")
    if found not in FORMATS:
        raise UnknownFormat(
            f"«{path.name}» names no format: let it end in .csv, .xlsx or .parquet.",
            f"«{path.name}» no dice el formato: que termine en .csv, .xlsx o .parquet.",
        )
    return found


def export_contacts(
    store: Engine, settings: Settings, form: ExportForm, path: Path, asked: Asked, progress: Progress
) -> Exported:
    """Write the contacts as they are at this moment, whatever others write meanwhile; the audit tells who asked.

    `progress` is told how many are written, and of how many; what it raises leaves no file.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(reading(store))
        fields, types = exports.custom_columns(connection), roll.known_fields(connection)
        if form.columns:
            columns = chosen_columns(form.columns, fields)
        else:
            columns = usual_columns(fields, exports.columns_in_use(connection))
        fetch = stack.enter_context(dumps.fetching(store, connection))
        query = contact_lists.ids_of(connection, form.wanted, clock_of(settings, asked.at))
        ids = exports.living_ids(fetch) if form.wanted.is_everybody else exports.ids_of(fetch, query)
        shape = Shape(
            columns, {key: types[key] for key in fields}, fields, form.language, exports.tag_names(connection)
        )
        with written(path, form.format, shape, len(ids)) as write:
            done = 0
            for part in parts_of_contacts(connection, fetch, ids, shape):
                write(part)
                done += part.num_rows
                progress(done, len(ids))
            with transaction(store) as writing_audit:  # before the file has its name
                said = {"rows": len(ids), "columns": list(columns)}
                audit.add_entry(writing_audit, asked, "contacts:export", f"file:{path.name}", None, said)
    return Exported(len(ids), asked.at, columns)


@contextmanager
def written(path: Path, form: str, shape: "Shape", count: int) -> Iterator[Callable[[pa.Table], None]]:
    """What takes the typed parts of a file of so many contacts, which has its name at the end of the block."""
    if form == "xlsx" and count > MOST_ROWS:
        raise too_many_rows()
    delimiter, is_typed = ";" if shape.language == "es" else ",", form == "parquet"
    header = shape.typed_schema() if is_typed else shape.text_schema()
    with writing(path, form, header, delimiter=delimiter, sheet=_SHEETS[shape.language]) as writer:
        yield lambda part: writer.write(part if is_typed else shape.as_texts(part))


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of an export, and how their values are written."""

    columns: Sequence[str]
    types: Mapping[str, FieldType]
    fields: Mapping[str, int]
    language: str
    tags: tuple[pa.Array, pa.Array]

    def kind(self, name: str) -> str:
        return column_type(name, self.types)

    def headers(self) -> list[str]:
        return [column_header(name, self.language) for name in self.columns]

    def text_schema(self) -> pa.Schema:
        return pa.schema([(header, _TEXT) for header in self.headers()])

    def typed_schema(self) -> pa.Schema:
        """With the key of each field and its type in the metadata of its column."""
        return pa.schema(
            [
                pa.field(header, _TYPES.get(self.kind(name), _TEXT), metadata={"padron.key": name, "padron.type": said})
                for name, header in zip(self.columns, self.headers(), strict=True)
                for said in [str(self.types.get(name.removeprefix(CUSTOM), self.kind(name)))]
            ],
            {"padron.export": "1"},
        )

    def as_texts(self, part: pa.Table) -> pa.Table:
        """As a spreadsheet shows them, and an import reads them back."""
        columns = [
            self._text(name, column.combine_chunks()) for name, column in zip(self.columns, part.columns, strict=True)
        ]
        return pa.table(columns, schema=self.text_schema())

    def _text(self, name: str, column: pa.Array) -> pa.Array:
        match self.kind(name):
            case "whole":
                return column.cast(_TEXT)
            case "number":
                return pa.array([None if value is None else number_text(value) for value in column.to_pylist()], _TEXT)
            case "boolean":
                return pc.if_else(column, *_YES_NO[self.language])
            case "date":
                return column.cast(_TEXT)
            case "datetime":
                utc = pc.binary_join_element_wise(column.cast(pa.timestamp("us")).cast(_TEXT), "Z", "")
                return pc.replace_substring(utc, ".000000Z", "Z")
            case "tags":
                return guarded(pc.binary_join(column, TAG_SEPARATOR))
        if name == "status" and self.language == "es":
            return pa.array([_STATUSES.get(one, one) for one in column.to_pylist()], _TEXT)
        if name == "phone":
            return column
        several = pc.match_substring(column, " ") if name == "other_phones" else pa.scalar(True)
        return pc.if_else(several, guarded(column), column)


def number_text(value: float) -> str:
    """A number that reads one way only: with a point, and never three digits behind it.

    >>> number_text(1234.0), number_text(1.234), number_text(0.1), number_text(1e-7)
    ('1234', '1.2340', '0.1', '0.0000001')
    """
    text = format(Decimal(repr(value)), "f")
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    if not rest:
        return whole
    return f"{whole}.{rest}0" if len(rest) == 3 else f"{whole}.{rest}"


def parts_of_contacts(connection: Connection, fetch: Fetch, ids: Numbers, shape: Shape) -> Iterator[pa.Table]:
    """The contacts of these sorted numbers, many at a time, with typed columns in the order of the shape."""
    schema, names = shape.typed_schema(), set(shape.columns)
    own = [name for name in shape.columns if name in exports.OWN]
    fields = {key: number for key, number in shape.fields.items() if f"{CUSTOM}{key}" in shape.columns}
    said = [name for name in shape.columns if name in (*OPT_INS, *OPT_OUTS)]
    has_others = not names.isdisjoint(("other_phones", "other_emails", "external_ids"))
    if has_others:
        own = list(dict.fromkeys((*own, "phone", "email")))
    wanted = exports.needed(own, fields.values(), tags="tags" in names, keys=has_others, consented=bool(said))
    slices = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
    for part in dumps.ahead(exports.read_part(connection, fetch, one, wanted) for one in slices):
        found = exports.own_columns(part, own)
        found |= exports.consent_times(part, said)
        values = exports.values_of_fields(part, fields, shape.types)
        found |= {f"{CUSTOM}{key}": typed_values(column, shape.types[key]) for key, column in values.items()}
        if "tags" in names:
            found["tags"] = exports.tag_lists(part, shape.tags)
        if has_others:
            found |= _others(exports.further_keys(part), found["phone"], found["email"], len(part))
        columns = [found[name].cast(item.type) for name, item in zip(shape.columns, schema, strict=True)]
        yield pa.Table.from_arrays(columns, schema=schema)


def typed_values(column: pa.Array, kind: FieldType) -> pa.Array:
    match kind:
        case "boolean":
            return pc.not_equal(column, 0)
        case "date":
            return column.cast(pa.timestamp("us")).cast(pa.date32())
        case "choices":
            options = pc.replace_substring(pc.utf8_trim(column, BETWEEN), TAG_SEPARATOR, IN_A_TAG)
            return pc.replace_substring(options, BETWEEN, TAG_SEPARATOR)
        case _:
            return column


def _others(keys: pa.Table, phones: pa.Array, emails: pa.Array, count: int) -> dict[str, pa.Array]:
    """The further phones and e-mails of each contact, and its external ids, in one text each."""
    found = {}
    for name, kind, own in (("other_phones", "phone", match_form(phones)), ("other_emails", "email", emails)):
        part = keys.filter(pc.equal(keys["kind"], kind))
        mine = own.take(part["position"].combine_chunks())
        part = part.filter(pc.not_equal(part["value"], mine).fill_null(True))
        lists = exports.lists_of(part["position"], part["text"].combine_chunks(), count)
        found[name] = pc.binary_join(lists, " / " if kind == "phone" else "; ")
    part = keys.filter(pc.equal(keys["kind"], "external_id"))
    ids = pc.replace_substring(part["text"].combine_chunks(), TAG_SEPARATOR, IN_A_TAG)
    lists = exports.lists_of(part["position"], ids, count)
    return {**found, "external_ids": pc.binary_join(lists, TAG_SEPARATOR)}
