"""Filters mean the same in both databases as they mean without one, and say what is wrong with them."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, func, insert, select

from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from schemas.conditions import Clock
from schemas.cql2 import as_text, parse
from schemas.fields import FieldType
from schemas.filters import Literal, Node, Op, Property, Several, WrongFilter
from schemas.folding import folded
from tests.conftest import Roll
from tests.pipelines.evaluator import Evaluator, Person
from warehouse.engines import reading, transaction
from warehouse.filter_sql import look_up, matching
from warehouse.interactions import LAST_AT
from warehouse.segment_tables import interactions, segment_members, segments
from warehouse.tables import (
    batches,
    consents,
    contact_changes,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    tags,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
"""The clocks are put back in the night before."""
FIELDS: dict[str, FieldType] = {
    "plan": "text",
    "historia": "long_text",
    "puntos": "number",
    "activo": "boolean",
    "renueva": "date",
}
CATALOGUE = Catalogue(FIELDS, "CO")
_CITIES = ["Lima", "lima", "Bogotá", "BOGOTA", "Ñuñoa", "Straße", "100%", "a_b", "a\\b", None]
_TAGS = ["vip", "nuevo", "ñandú"]
_REFS = ["spring", "fall"]
_KINDS = ["sent", "received", "replied", "clicked"]
_MOMENTS = [NOW + timedelta(hours=hours) for hours in (-1000, -720, -48, -36, -24, -12, -8, -7, 0, 1, 24, 720)]


def people(seed: int, count: int = 70) -> list[Person]:
    """Contacts of every kind, some with hardly anything."""
    pick = random.Random(seed)

    def maybe(values: list[Any]) -> Any:
        return pick.choice([None, *values])

    found = []
    for number in range(1, count + 1):
        own: dict[str, Any] = {"id": number, "status": pick.choice(["active", "blocked", "archived"])}
        own |= {"city": maybe(_CITIES), "display_name": maybe(["Ana Pérez", "ANA PEREZ", "Eva"]), "country": None}
        own |= {"channel": maybe(["whatsapp", "email"]), "created_at": pick.choice(_MOMENTS)}
        own |= {"last_interaction_at": maybe(_MOMENTS), "sent": pick.randrange(4), "received": 0, "replied": 0}
        person = Person(number, own)
        if pick.random() < 0.6:
            own["phone"] = f"+5730011122{number:02d}"
            person.keys.add(("phone", own["phone"]))
        if pick.random() < 0.6:
            own["email"] = f"a{number}@{pick.choice(['example', 'gmail'])}.com"
            person.keys.add(("email", own["email"]))
        custom = {
            "plan": maybe(["Oro", "oro", "plata", "50%"]),
            "historia": maybe(["x" * 1_500, "una HISTORIA larga"]),
            "puntos": maybe([0.0, 1.0, 2.5, -3.0]),
            "activo": maybe([True, False]),
            "renueva": maybe(_MOMENTS),
        }
        person.custom = {key: value for key, value in custom.items() if value is not None}
        person.tags = {tag for tag in _TAGS if pick.random() < 0.3}
        person.segments = {name for name in ("uno", "dos") if pick.random() < 0.3}
        person.batches = {batch for batch in (1, 2) if pick.random() < 0.4}
        person.sources = {f"s{batch}" for batch in person.batches}
        person.consents = {channel: pick.choice(["in", "out"]) for channel in ("email", "all") if pick.random() < 0.2}
        person.happened = [
            (pick.choice(_KINDS), maybe(_REFS), pick.choice(_MOMENTS)) for _ in range(pick.choice([0, 1, 2, 5]))
        ]
        found.append(person)
    return found


def fill(connection: Connection, found: list[Person]) -> None:
    """The same people in the store; one more, who is deleted, has everything."""

    def put(table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(insert(table), rows)

    columns = ("id", "status", "city", "display_name", "channel", "created_at", "last_interaction_at", "sent")
    columns = (*columns, "phone", "email")
    everybody = [*found, ghost()]
    put(
        contacts,
        [
            {name: one.own.get(name) for name in columns}
            | {"phone_match": one.own.get("phone"), "email_match": one.own.get("email")}
            | {"deleted_at": NOW if one.id == GHOST else None}
            | {column: last_of(one, kind) for kind, column in LAST_AT.items()}
            for one in everybody
        ],
    )
    put(
        custom_fields,
        [
            {"id": number, "key": key, "label": key, "type": kind, "created_at": NOW}
            for number, (key, kind) in enumerate(FIELDS.items(), 1)
        ],
    )
    numbers = {key: number for number, key in enumerate(FIELDS, 1)}
    blank = dict.fromkeys(("text", "number", "at", "long_text"))
    put(
        contact_values,
        [
            {
                "contact_id": one.id,
                "field_id": numbers[key],
                **blank,
                _COLUMN[FIELDS[key]]: float(value) if isinstance(value, bool) else value,
            }
            for one in everybody
            for key, value in one.custom.items()
        ],
    )
    put(tags, [{"id": number, "form": form_of(tag), "name": tag} for number, tag in enumerate(_TAGS, 1)])
    put(contact_tags, [{"contact_id": one.id, "tag_id": _TAGS.index(tag) + 1} for one in everybody for tag in one.tags])
    put(
        segments,
        [
            {"id": number, "name": name, "form": name, "kind": "static", "created_by": "test", "created_at": NOW}
            for number, name in ((1, "uno"), (2, "dos"))
        ],
    )
    put(
        segment_members,
        [
            {"segment_id": 1 if name == "uno" else 2, "contact_id": one.id, "since": NOW}
            for one in everybody
            for name in one.segments
        ],
    )
    blank_batch = {"profile": "x", "file": "x", "path": "x", "actor": "x", "state": "done", "created_at": NOW}
    put(batches, [{"id": number, "source": f"s{number}", **blank_batch} for number in (1, 2)])
    changes = [(one.id, batch) for one in everybody for batch in one.batches]
    put(
        contact_changes,
        [
            {"id": number, "contact_id": contact, "batch_id": batch, "actor": "x", "at": NOW, "operation": "create"}
            for number, (contact, batch) in enumerate(changes, 1)
        ],
    )
    put(
        consents,
        [
            {"contact_id": one.id, "channel": channel, "purpose": "x", "state": state, "at": NOW, "source": "x"}
            for one in everybody
            for channel, state in one.consents.items()
        ],
    )
    events = [(one.id, *event) for one in everybody for event in one.happened]
    put(
        interactions,
        [
            {"id": n, "contact_id": contact, "kind": kind, "ref": ref, "at": at, "source": "x", "external_id": str(n)}
            for n, (contact, kind, ref, at) in enumerate(events, 1)
        ],
    )


def last_of(person: Person, kind: str) -> datetime | None:
    return max((at for what, _, at in person.happened if what == kind), default=None)


GHOST = 999
_COLUMN = {"text": "text", "long_text": "long_text", "number": "number", "boolean": "number", "date": "at"}


def form_of(tag: str) -> str:
    return tag.replace("ñ", "n").replace("ú", "u")


def ghost() -> Person:
    own = {"id": GHOST, "status": "active", "city": "Lima", "created_at": NOW, "sent": 1}
    return Person(
        GHOST, own, {"plan": "Oro", "puntos": 1.0}, set(_TAGS), set(), {"uno"}, {1}, {"s1"}, {"all": "in"},
        [("sent", "spring", NOW)],
    )  # fmt: skip


# ── random filters ───────────────────────────────────────────────────────────────────────────────────────────────


def random_filter(pick: random.Random, depth: int = 0) -> Node:
    if depth < 4 and pick.random() < (0.75 if depth < 2 else 0.4):
        match pick.randrange(3):
            case 0:
                return Op("not", (random_filter(pick, depth + 1),))
            case kind:
                parts = tuple(random_filter(pick, depth + 1) for _ in range(pick.randrange(2, 5)))
                return Op("and" if kind == 1 else "or", parts)
    return pick.choice(_LEAVES)(pick)


def text(pick: random.Random, values: list[Any]) -> Literal:
    return Literal(pick.choice([value for value in values if value is not None]))


def moment(pick: random.Random) -> Node:
    return pick.choice(
        [
            Literal(pick.choice(_MOMENTS)),
            Literal(pick.choice([date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2), date(2026, 10, 2)])),
            Op("ago", (Literal(pick.choice(["30d", "24h", "12h", "48h"])),)),
            Op("ahead", (Literal(pick.choice(["30d", "1h"])),)),
            Op("today", ()),
            Op("today", (Literal(pick.choice([-1, 1])),)),
            Op("now", ()),
        ]
    )


def sign(pick: random.Random) -> str:
    return pick.choice(["=", "<>", "<", "<=", ">", ">="])


def times(pick: random.Random) -> tuple[Node, ...]:
    return tuple(moment(pick) for _ in range(pick.randrange(3)))


def counted(pick: random.Random) -> Op:
    ref = (text(pick, _REFS),) if pick.random() < 0.6 else ()
    return pick.choice(
        [
            Op(pick.choice(["sent", "received", "replied"]), times(pick)),
            Op("clicked", (*ref, *times(pick))),
            Op("happened", (text(pick, _KINDS), *ref, *times(pick))),
        ]
    )


_TEXTS = [("city", _CITIES), ("custom.plan", ["Oro", "oro", "PLATA", "x"]), ("display_name", ["Ana Pérez", "EVA"])]
_TEXTS += [("custom.historia", ["una HISTORIA larga", "x"])]
_TIMES = ["created_at", "last_interaction_at", "custom.renueva"]
_NUMBERS = [("sent", [0, 1, 2]), ("custom.puntos", [0, 1, 2.5, -3, 7]), ("id", [1, 30, 69])]
_PATTERNS = ["%", "%a", "B%", "L_ma", "100\\%", "%\\_b", "%ñ%", "lima", "", "a\\\\b", "%HISTORIA%"]
_EXISTING = ["city", "custom.plan", "tags", "phone", "email", "custom.activo", "channel", "last_interaction_at"]


def text_equals(pick: random.Random) -> Node:
    name, values = pick.choice(_TEXTS)
    field: Node = Property(name)
    if pick.random() < 0.5:
        field = Op(pick.choice(["casei", "accenti"]), (field,))
    return Op(pick.choice(["=", "<>"]), (field, text(pick, values)))


def text_in(pick: random.Random) -> Node:
    name, values = pick.choice(_TEXTS)
    return Op("in", (Property(name), Several(tuple(text(pick, values) for _ in range(pick.randrange(1, 4))))))


def text_like(pick: random.Random) -> Node:
    return Op(
        "like", (Property(pick.choice([*(name for name, _ in _TEXTS), "email"])), Literal(pick.choice(_PATTERNS)))
    )


def number(pick: random.Random) -> Node:
    name, values = pick.choice(_NUMBERS)
    if pick.random() < 0.3:
        return Op("between", (Property(name), text(pick, values), text(pick, values)))
    return Op(sign(pick), (Property(name), text(pick, values)))


def time(pick: random.Random) -> Node:
    name = Property(pick.choice(_TIMES))
    if pick.random() < 0.3:
        return Op("between", (name, moment(pick), moment(pick)))
    return Op(sign(pick), (name, moment(pick)))


def of_tags(pick: random.Random) -> Node:
    listed = Several(tuple(text(pick, [form_of(tag) for tag in _TAGS]) for _ in range(pick.randrange(1, 3))))
    name = pick.choice(["a_overlaps", "a_contains", "a_containedBy", "a_equals"])
    return Op(name, (Property("tags"), listed))


def key(pick: random.Random) -> Node:
    number = pick.randrange(1, 71)
    name, value = pick.choice([("phone", f"+5730011122{number:02d}"), ("email", f"a{number}@gmail.com")])
    return Op(pick.choice(["=", "<>"]), (Property(name), Literal(value)))


_LEAVES: list[Callable[[random.Random], Node]] = [
    text_equals,
    text_in,
    text_like,
    number,
    time,
    of_tags,
    key,
    lambda pick: Op("isNull", (Property(pick.choice(_EXISTING)),)),
    lambda pick: Op("tagged", (text(pick, [form_of(tag) for tag in _TAGS]),)),
    lambda pick: Op("in_segment", (text(pick, ["uno", "dos", "tres"]),)),
    lambda pick: Op("in_batch", (Literal(pick.choice([1, 2, 3])),)),
    lambda pick: Op("from_source", (text(pick, ["s1", "s2", "s3"]),)),
    lambda pick: Op(pick.choice(["opted_in", "opted_out"]), (text(pick, ["email", "sms"]),)),
    lambda pick: Property("custom.activo"),
    lambda pick: Op("=", (Property("custom.activo"), Literal(pick.choice([True, False])))),
    lambda pick: Op(pick.choice(["=", "<>"]), (Property("channel"), text(pick, ["whatsapp", "email"]))),
    counted,
    lambda pick: Op(sign(pick), (counted(pick), Literal(pick.randrange(4)))),
    lambda pick: Literal(pick.choice([True, False])),
]


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("many", [250, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_filters_find_whom_they_mean(store: Roll, many: int) -> None:
    found = [_with_plain_tags(person) for person in people(1)]
    with transaction(store.engine) as connection:
        fill(connection, people(1))
    pick, clock, evaluator = random.Random(2), Clock(NOW, ZONE), Evaluator(NOW, ZONE, frozenset({"custom.renueva"}))

    with reading(store.engine) as connection:
        for _ in range(many):
            node = random_filter(pick)
            condition = understand(parse(as_text(node)), CATALOGUE)
            query = matching(condition, clock, look_up(connection, condition))
            ids = sorted(connection.execute(query).scalars())
            assert ids == [one.id for one in found if evaluator.holds(node, one)], as_text(node)


def _with_plain_tags(person: Person) -> Person:
    person.tags = {form_of(tag) for tag in person.tags}
    return person


@pytest.mark.slow
def test_a_filter_narrowed_to_some_finds_those_of_them(store: Roll) -> None:
    from_outside = {3, 7, 8, 21, 50, 69, GHOST}
    with transaction(store.engine) as connection:
        fill(connection, people(1))
        connection.exec_driver_sql("CREATE TEMPORARY TABLE among (id BIGINT PRIMARY KEY)")
        for one in from_outside:
            connection.exec_driver_sql(f"INSERT INTO among VALUES ({one})")
        pick, clock = random.Random(3), Clock(NOW, ZONE)
        for _ in range(150):
            condition = understand(random_filter(pick), CATALOGUE)
            names = look_up(connection, condition)
            whole = set(connection.execute(matching(condition, clock, names)).scalars())
            narrow = connection.execute(matching(condition, clock, names, AMONG)).scalars().all()
            assert sorted(narrow) == sorted(whole & from_outside)


AMONG = Table("among", MetaData(), Column("id", BigInteger))


def test_the_databases_fold_texts_as_python_does(store: Roll) -> None:
    pick = random.Random(4)
    letters = [chr(code) for code in range(1, 0x2FF)] + list("ΑΣΣ ς İıſﬁⅣ½ａǺn̈ЙйЁאبあア한")
    for _ in range(400):
        word = "".join(pick.choice(letters) for _ in range(pick.randrange(12))).replace("\0", "")
        with reading(store.engine) as connection:
            there = connection.execute(select(func.padron_fold(word))).scalar()
        assert there == folded(word), [hex(ord(char)) for char in word]


@pytest.mark.parametrize(
    ("asked", "at", "said"),
    [
        ("citi = 'Lima'", 0, "Did you mean city?"),
        ("custom.plann = 'oro'", 0, "Did you mean custom.plan?"),
        ("zzz = 1", 0, "Fields: id, first_name"),
        ("city = Lima", 7, "If «Lima» is a text, write 'Lima'"),
        ("city > 'Lima'", 0, "city has no order"),
        ("city = 3", 7, "a text in single quotes is wanted"),
        ("sent = '3'", 7, "a number is wanted"),
        ("tags = 'vip'", 0, "tags is a list"),
        ("status = 'sleeping'", 9, "status is one of active, inactive"),
        ("channel IN ('fax')", 12, "channel is one of whatsapp"),
        ("phone = 'Ana'", 8, "«Ana» is no phone"),
        ("email = 'ana'", 8, "«ana» is no e-mail"),
        ("created_at > 'soon'", 13, "a time is wanted"),
        ("created_at > ago('3 moons')", 17, "no span of time"),
        ("created_at > tomorrow()", 13, "Times that move"),
        ("frobbed('x')", 0, "Functions: tagged('vip')"),
        ("city('x') > 3", 0, "cannot be compared with a number"),
        ("sent(ago('3d')) > 1.5", 18, "a whole number"),
        ("opted_out('fax')", 10, "A channel is one of"),
        ("city", 0, "neither true nor false"),
        ("'Lima'", 0, "A value alone asks nothing"),
        ("sent LIKE '3%'", 0, "LIKE asks for a text"),
        ("city LIKE 'a\\'", 10, "single backslash"),
        ("A_CONTAINS(city, ('a', 'b'))", 0, "tags and fields of several options are lists"),
        ("in_batch('x')", 9, "a number is wanted"),
        ("TRUE = custom.activo AND 1 = 1", 25, "no field"),
    ],
)
def test_what_a_filter_gets_wrong_is_said_with_its_place(asked: str, at: int, said: str) -> None:
    with pytest.raises(WrongFilter) as refused:
        understand(parse(asked), CATALOGUE)

    assert refused.value.at == at
    assert said in str(refused.value)
    assert "character" in str(refused.value)
    assert "carácter" in refused.value.said("es")


@pytest.mark.parametrize(
    "asked",
    ["'; DROP TABLE contacts; --", "x%' OR '1'='1", "\\", "a'b", "${city}", "%(city)s", ":city", "?", "{0}", "💣" * 50],
)
def test_values_are_never_read_as_sql(store: Roll, asked: str) -> None:
    with transaction(store.engine) as connection:
        fill(connection, people(1, 5))
    escaped = asked.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    nodes = [
        Op("=", (Property("city"), Literal(asked))),
        Op("like", (Property("city"), Literal(escaped))),
        Op("=", (Op("casei", (Property("custom.plan"),)), Literal(asked))),
        Op("in_segment", (Literal(asked),)),
        Op("from_source", (Literal(asked),)),
        Op("clicked", (Literal(asked),)),
    ]
    with reading(store.engine) as connection:
        for node in nodes:
            condition = understand(parse(as_text(node)), CATALOGUE)
            query = matching(condition, Clock(NOW, ZONE), look_up(connection, condition))
            assert connection.execute(query).all() == []


def test_a_phone_is_found_by_any_spelling(store: Roll) -> None:
    store.import_text("nombre,celular\nAna,+55 11 98765-4321\nEva,+57 300 111 2233\n")
    for spelled, name in [
        ("+551187654321", "Ana"),
        ("+55 (11) 98765-4321", "Ana"),
        ("300 111 2233", "Eva"),
        ("0057 3001112233", "Eva"),
    ]:
        condition = understand(parse(f"phone = '{spelled}'"), CATALOGUE)
        with reading(store.engine) as connection:
            query = matching(condition, Clock(NOW, ZONE), look_up(connection, condition))
            [found] = connection.execute(query).scalars()
            assert connection.execute(select(contacts.c.display_name).where(contacts.c.id == found)).scalar() == name
