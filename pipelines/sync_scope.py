"""Whom a mapping is about: a filter of contacts here, conditions on records there."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from pipelines.contacts import clock_of
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.pairs import Merging
from pipelines.sync_work import Work
from schemas.cql2 import parse
from schemas.crm import MISSING, Record
from warehouse import roll, segments
from warehouse.filter_sql import look_up, matching


def fits_there(merging: Merging, record: Record) -> bool:
    """Whether a record fulfils the conditions; a field that was not returned says nothing against it."""
    conditions = merging.mapping.scope.remote
    pairs = [(rule, record.value(rule.field)) for rule in conditions]
    return all(value is MISSING or rule.holds(value) for rule, value in pairs)


def in_scope(connection: Connection, work: Work, ids: Sequence[int]) -> set[int]:
    """Those of the contacts that the mapping's filter is about."""
    text = work.merging.mapping.scope.local
    if not text or not ids:
        return set(ids)
    fields = roll.known_fields(connection)
    condition = understand(parse(text), Catalogue(fields, work.settings.default_country or None))
    segments.keep_candidates(connection, [], ids)
    clock = clock_of(work.settings, work.now)
    query = matching(condition, clock, look_up(connection, condition), segments.CANDIDATES).subquery()
    return set(connection.execute(select(query.c[0])).scalars())
