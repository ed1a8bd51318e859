"""A roll with something in every kind of table, its backups, and what a store holds, for the tests."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from connectors.folders import make_places
from connectors.profiles import DropFolder
from pipelines.backups import Beat, create_backup
from pipelines.connections import ConnectionForm, create_connection
from pipelines.consents import ConsentForm, set_consent
from pipelines.edits import ContactForm, block_contact, edit_contact
from pipelines.interactions import Told, take_interactions
from pipelines.notes import add_note
from pipelines.operators import create_operator
from pipelines.refreshes import refresh_segment
from pipelines.segments import SegmentForm, create_segment
from pipelines.states import put_state
from schemas.backups import Manifest
from schemas.operators import OperatorForm
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse.audit import Asked
from warehouse.dumps import every_table
from warehouse.engines import reading, transaction
from warehouse.links import add_links
from warehouse.states import AgentState

PEOPLE = (
    "nombre;celular;correo;ciudad;etiquetas;baja;plan;puntos;renovación;socio\n"
    "Ana Núñez;310 987 6501;Ana.Nunez@Example.org;Lima;vip|nuevo;;secreto;3,5;2026-05-01;sí\n"
    'Eva «La=1+1»;3004445566;eva@example.org;"Cali\nNorte";vip;sí;oro;-0;;no\n'
    "Luis 😀;hola;luis@example.org;Quito;;;plata;0,1;1999-12-31;\n"
    ";3007778899;;Bogotá;a|b|c;;;;;\n"
)
_PROFILE = """
unmapped = "custom"
decimal = ","
date_order = "ymd"

[custom_fields]
puntos = "number"
renovacion = "date"
socio = "boolean"
"""


def asked() -> Asked:
    return Asked("test", utc_now())


def beat() -> Beat:
    return Beat(lambda done, total: None, 1)


def settings_of(store: Roll, **values: Any) -> Settings:
    url = store.engine.url.render_as_string(hide_password=False)
    return Settings(home=store.folder / "home", database_url=url, default_country="CO", **values)


def fill(store: Roll, settings: Settings) -> None:
    """People from a drop folder, and what is done with them."""
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    (settings.home / "profiles").mkdir(parents=True)
    (settings.home / "profiles" / "default.toml").write_text(_PROFILE, "utf-8")
    drop_text(settings.home / "drop" / "incoming", "gente.csv", PEOPLE)
    import_drops(store.engine, settings)
    edit_contact(
        store.engine, settings, 1, ContactForm({"city": "Trujillo 'el' \\ \"norte\""}, tags=["vip", "hoy"]), asked()
    )
    block_contact(store.engine, 2, "insulta", asked())
    add_note(store.engine, 1, "llamó por la tarde\r\n— dos veces", asked())
    set_consent(store.engine, 3, ConsentForm("email", "in", "formulario"), asked())
    told = [
        Told(f"m{n}", "sent" if n % 2 else "received", utc_now(), contact=1 + n % 3, text="hola, ¿qué tal?")
        for n in range(9)
    ]
    take_interactions(store.engine, settings, "chat", told, asked())
    segment = create_segment(store.engine, settings, SegmentForm(name="VIP", filter_text="tagged('vip')"), asked())
    refresh_segment(store.engine, segment, settings, utc_now)
    create_operator(store.engine, OperatorForm("op@example.org", "Olga", "Pérez"), None, asked())
    put_state(store.engine, AgentState("comiendo", "Eating", "Comiendo", False, 50), asked())
    form = ConnectionForm({"url": "http://127.0.0.1:1"}, {"token": "s3cret"})
    made = create_connection(store.engine, settings, "ejemplo", "example", form, asked())
    link = {"connection_id": made.id, "contact_id": 1, "remote_id": "c1", "token": "t1", "state": "active"}
    with transaction(store.engine) as connection:
        add_links(connection, [{**link, "base": {"city=city": ["Bogotá", "Bogotá"]}, "updated_at": utc_now()}])


def back_up(store: Roll, settings: Settings, name: str = "20261128T031500Z-1") -> Manifest:
    return create_backup(store.engine, settings, name, utc_now, lambda done, total: None)


def content(engine: Engine, *leave_out: str) -> dict[str, list[str]]:
    """Every row of every table, as text, sorted; SQLite knows one zero only."""
    with reading(engine) as connection:
        return {
            table.name: sorted(repr(tuple(row)).replace("-0.0,", "0.0,") for row in connection.execute(select(table)))
            for table in every_table()
            if table.name not in leave_out
        }


def files_of(settings: Settings, manifest: Manifest) -> list[Path]:
    folder = settings.home / "backups" / manifest.name
    return [folder / file.file for file in manifest.files] + [folder / "manifest.json"]
