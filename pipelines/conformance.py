"""Whether a CRM does what its connector says of it: proven on records that are made for it, and removed."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from schemas.crm import Answer, Crm, NewRecord, Patch, Record
from schemas.errors import PadronError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was proven, or was not."""

    is_well: bool
    english: str
    spanish: str

    def said(self, language: str) -> str:
        return self.spanish if language == "es" else self.english


@dataclass(slots=True)
class Proof:
    """A client, and values that a test's record may have: a text field, and what else the CRM wants of each."""

    crm: Crm
    field: str
    values: Callable[[str], dict[str, Any]]


def prove(proof: Proof) -> list[Finding]:
    """Make a record twice with one token, change it under a stale version, read it back, and archive it."""
    found: list[Finding] = []
    try:
        with _record(proof, found) as record:
            if record is not None:
                found += _proven(proof, record)
    except PadronError as error:
        found.append(Finding(False, error.said("en"), error.said("es")))
    return found


@contextmanager
def _record(proof: Proof, found: list[Finding]) -> Iterator[Record | None]:
    """A record of the test, which is removed whatever happens."""
    crm, token = proof.crm, uuid.uuid4().hex
    answer = crm.create([NewRecord(token, proof.values(token[:8]))])[0]
    record = answer.record if answer.state == "done" else None
    found.append(
        _finding(
            record is not None, "a record is made", "se crea un registro", f": {answer.said}" if answer.said else ""
        )
    )
    try:
        if record is not None:
            found.append(_found_again(crm, token, record))
        yield record
    finally:
        if record is not None:
            _remove(crm, record, found)


def _finding(is_well: bool, english: str, spanish: str, more: str = "") -> Finding:
    return Finding(is_well, f"{english}{more}", f"{spanish}{more}")


def _found_again(crm: Crm, token: str, record: Record) -> Finding:
    if crm.capabilities.create == "unsafe":
        said = "this CRM cannot tell whether a record was made when its answer is lost; listings are waited for"
        return _finding(True, said, "este CRM no permite saber si un registro se creó cuando se pierde la respuesta")
    found = crm.find_tokens([token]).get(token)
    is_well = found is not None and found.id == record.id
    return _finding(is_well, "it is found by its token", "se encuentra por su marca")


def _proven(proof: Proof, record: Record) -> list[Finding]:
    crm, can = proof.crm, proof.crm.capabilities
    found = []
    stored = crm.read([record.id]).get(record.id)
    found.append(_finding(stored is not None, "it is read by its id", "se lee por su id"))
    changed = crm.update([Patch(stored or record, {proof.field: "Padron B"})])[0]
    done = changed.record is not None and changed.record.value(proof.field) == "Padron B"
    more = f": {changed.said}" if changed.said else ""
    found.append(_finding(done, "a change is stored", "un cambio se guarda", more))
    if can.conditional:
        stale: Answer = crm.update([Patch(record, {proof.field: "Padron C"})])[0]
        said = "a change on an older version is refused", "un cambio sobre una versión anterior se rechaza"
        found.append(_finding(stale.state == "stale", *said))
    page = crm.list_changed(None, None)
    seen = any(one.id == record.id for one in page.records)
    while page.following is not None and not seen:
        page = crm.list_changed(None, page.following)
        seen = any(one.id == record.id for one in page.records)
    found.append(_finding(seen or can.index_lag > 0, "it is listed", "aparece en el listado"))
    return found


def _remove(crm: Crm, record: Record, found: list[Finding]) -> None:
    if not crm.capabilities.can_archive:
        more = f": {record.id}"
        found.append(_finding(False, "it cannot be removed; do so by hand", "no se puede quitar; hágalo a mano", more))
        return
    answer = crm.archive([record.id])[0]
    after = crm.read([record.id]).get(record.id)
    is_well = answer.state in ("done", "gone") and (after is None or after.archived)
    found.append(_finding(is_well, "it is removed, and seen to be", "se quita, y se ve que falta"))
