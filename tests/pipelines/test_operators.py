"""Operators: creating, editing, searching, passwords, and who is left to administer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from pipelines.access import Lasting, sign_in
from pipelines.licences import LicenceForm, create_licence
from pipelines.new_passwords import (
    LinkUsed,
    WrongPassword,
    change_own_password,
    make_reset_link,
    set_password,
    use_reset_link,
)
from pipelines.operators import EmailTaken, LastAdministrator, create_operator, edit_operator, search_operators
from pipelines.passwords import Password, is_password
from pipelines.roles import RoleInUse, all_roles, drop_role, put_role
from pipelines.versions import VersionDiffers
from schemas.operators import OperatorForm, WrongField
from tests.conftest import Roll
from warehouse import operators
from warehouse.audit import Asked
from warehouse.engines import reading
from warehouse.operators import NoSuchRole, Operator

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ASKED = Asked("test", NOW)
GOOD = Password("tres gatos en un tejado", "tres gatos en un tejado")
FORM = OperatorForm("ana@example.org", "Ana", "Pérez")


def an_operator(store: Roll, email: str = "ana@example.org", **values: Any) -> Operator:
    return create_operator(store.engine, replace(FORM, email=email, **values), GOOD, ASKED)


def test_an_operator_is_made_with_all_that_was_said(store: Roll) -> None:
    licence = create_licence(store.engine, LicenceForm("Agentes", seats=3), ASKED)
    form = OperatorForm("Ana@Example.org", " Ana ", "Pérez", True, licence.id, 7, True, True, True, ("agent",))

    made = create_operator(store.engine, form, GOOD, ASKED)

    assert (made.id, made.email, made.name) == (1, "Ana@Example.org", "Ana Pérez")
    assert (made.is_agent, made.licence_id, made.max_conversations) == (True, licence.id, 7)
    assert (made.may_leave_open, made.sees_queued, made.is_active, made.roles) == (True, True, True, ("agent",))
    assert not made.must_change_password


@pytest.mark.parametrize("email", ["ana@example.org", "ANA@example.ORG", " Ana@Example.org "])
def test_an_email_that_is_taken_is_refused_by_name_in_whatever_case(store: Roll, email: str) -> None:
    an_operator(store)

    with pytest.raises(EmailTaken, match="Ana Pérez") as refused:
        an_operator(store, email)

    assert (refused.value.field, refused.value.code) == ("email", "taken")
    assert store.one("SELECT count(*) FROM operators") == 1


@pytest.mark.parametrize(
    ("password", "confirmation", "field", "code"),
    [
        ("tres gatos en un tejado", "tres gatos en un tejad", "confirmation", "differs"),
        ("corta", "corta", "password", "length"),
        ("x" * 129, "x" * 129, "password", "length"),
        ("password123", "password123", "password", "too_common"),
        ("qwertyuiop", "qwertyuiop", "password", "too_common"),
        ("anaperez2026", "anaperez2026", "password", "too_common"),
        ("contraseña123", "contraseña123", "password", "too_common"),
        ("bienvenido2026", "bienvenido2026", "password", "too_common"),
    ],
)
def test_a_password_that_is_no_good_is_refused(
    roll: Roll, password: str, confirmation: str, field: str, code: str
) -> None:
    form = replace(FORM, email="anaperez@example.org")

    with pytest.raises(WrongField) as refused:
        create_operator(roll.engine, form, Password(password, confirmation), ASKED)

    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"email": "ana"}, "email"),
        ({"first_name": " "}, "first_name"),
        ({"last_name": ""}, "last_name"),
        ({"max_conversations": -1}, "max_conversations"),
        ({"max_conversations": 1001}, "max_conversations"),
    ],
)
def test_a_wrong_field_is_named(roll: Roll, values: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongField) as refused:
        create_operator(roll.engine, replace(FORM, **values), GOOD, ASKED)

    assert refused.value.field == field


@pytest.mark.parametrize("name", ["\u200b", "L\nx", "x\u202e"])
def test_names_that_show_other_than_they_are_are_refused(roll: Roll, name: str) -> None:
    with pytest.raises(WrongField, match="not shown"):
        put_role(roll.engine, name, [], ASKED)
    with pytest.raises(WrongField, match="not shown"):
        create_licence(roll.engine, LicenceForm(name), ASKED)


@pytest.mark.parametrize("name", ["\uff21dministrator", " ADMINISTRATOR", "a/b"])
def test_a_role_is_not_called_like_a_built_in_one_nor_what_no_address_holds(roll: Roll, name: str) -> None:
    with pytest.raises(WrongField) as refused:
        put_role(roll.engine, name, [], ASKED)

    assert refused.value.field == "name"


def test_an_agent_cannot_have_an_admin_licence(store: Roll) -> None:
    licence = create_licence(store.engine, LicenceForm("Admin", "admin"), ASKED)

    with pytest.raises(WrongField, match="admin") as refused:
        an_operator(store, is_agent=True, licence_id=licence.id)

    assert refused.value.field == "is_agent"


def test_an_unknown_role_is_refused_with_those_there_are(store: Roll) -> None:
    with pytest.raises(NoSuchRole, match="administrator, supervisor"):
        an_operator(store, roles=("boss",))


def test_editing_changes_what_is_named_and_nothing_else(store: Roll) -> None:
    made = an_operator(store, roles=("agent",))

    changed = edit_operator(store.engine, made.id, {"last_name": "Gómez", "roles": ("auditor",)}, ASKED)

    assert changed == replace(made, last_name="Gómez", roles=("auditor",), version=2)
    said = store.rows("SELECT action, object FROM audit ORDER BY id")
    assert said == [("operators:create", "operator:1"), ("operators:edit", "operator:1")]


def test_an_edit_of_an_old_version_is_refused(store: Roll) -> None:
    made = an_operator(store)
    edit_operator(store.engine, made.id, {"last_name": "Gómez"}, ASKED, version=1)

    with pytest.raises(VersionDiffers):
        edit_operator(store.engine, made.id, {"last_name": "López"}, ASKED, version=1)


@pytest.mark.parametrize("changes", [{"is_active": False}, {"roles": ("agent",)}, {"roles": ()}, {"licence_id": None}])
def test_the_last_administrator_who_can_sign_in_stays(store: Roll, changes: dict[str, Any]) -> None:
    licence = create_licence(store.engine, LicenceForm("Admin", "admin", seats=2), ASKED).id
    over = create_licence(store.engine, LicenceForm("Old", "admin", valid_until=NOW), ASKED).id
    admin = {"roles": ("administrator",), "licence_id": licence}
    first = an_operator(store, **admin)
    an_operator(store, "luis@example.org", **admin, is_active=False)
    an_operator(store, "unlicensed@example.org", roles=("administrator",))
    an_operator(store, "late@example.org", roles=("administrator",), licence_id=over)
    create_operator(store.engine, replace(FORM, email="no-password@example.org", **admin), None, ASKED)

    with pytest.raises(LastAdministrator):
        edit_operator(store.engine, first.id, changes, ASKED)

    an_operator(store, "eva@example.org", roles=("administrator", "auditor"), licence_id=licence)
    edit_operator(store.engine, first.id, changes, ASKED)


def test_operators_are_found_by_parts_of_email_and_names_and_by_state(store: Roll) -> None:
    an_operator(store)
    an_operator(store, "jose@example.org", first_name="José", last_name="Ñúñez")
    an_operator(store, "eva@other.org", first_name="Eva", is_active=False)

    def found(**asked: Any) -> list[str]:
        return [one.email for one in search_operators(store.engine, **asked)]

    assert found() == ["ana@example.org", "jose@example.org", "eva@other.org"]
    assert found(text="JOSE nunez") == ["jose@example.org"]
    assert found(text="perez") == ["ana@example.org", "eva@other.org"]
    assert found(text="other.org", is_active=True) == []
    assert found(is_active=False) == ["eva@other.org"]
    assert found(text="%") == []
    assert found(after=1, limit=1) == ["jose@example.org"]
    assert found(first_name="ana") == ["ana@example.org"]
    assert found(last_name="ana") == found(first_name="perez") == found(email="perez") == []
    assert found(email="example", last_name="NUÑEZ", is_active=True) == ["jose@example.org"]
    assert found(email="_") == []


def _kept(store: Roll, number: int) -> str | None:
    with reading(store.engine) as connection:
        return operators.password_hash(connection, number)


@pytest.mark.real_passwords
def test_the_password_is_kept_as_argon2id_and_never_in_the_audit(store: Roll) -> None:
    made = an_operator(store)

    assert str(_kept(store, made.id)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "gatos" not in str(store.rows("SELECT * FROM audit"))


def test_ones_own_password_changes_with_the_old_one(store: Roll) -> None:
    licence = create_licence(store.engine, LicenceForm("Agentes"), ASKED)
    made = an_operator(store, licence_id=licence.id, roles=("agent",))
    come_in = partial(sign_in, store.engine, made.email, asked=ASKED, user_agent=None, lasting=Lasting())
    keep = come_in(GOOD.password).session.id
    new = Password("cuatro perros sin collar", "cuatro perros sin collar")

    with pytest.raises(WrongPassword):
        change_own_password(store.engine, made.id, "other", new, ASKED, keep=keep)
    change_own_password(store.engine, made.id, GOOD.password, new, ASKED, keep=keep)

    assert is_password(new.password, _kept(store, made.id))


def test_a_password_by_an_administrator_is_to_be_changed(store: Roll) -> None:
    made = an_operator(store)

    set_password(store.engine, made.id, replace(GOOD, is_temporary=True), ASKED)

    assert search_operators(store.engine)[0].must_change_password


def test_a_reset_link_works_once_and_for_two_hours(store: Roll) -> None:
    made = an_operator(store)
    old = make_reset_link(store.engine, made.id, ASKED)
    link = make_reset_link(store.engine, made.id, ASKED)
    new = Password("cuatro perros sin collar", "cuatro perros sin collar")

    for secret, at in ((old, NOW), (link, NOW + timedelta(hours=2)), ("reset_nothing", NOW)):
        with pytest.raises(LinkUsed):
            use_reset_link(store.engine, secret, new, Asked("link", at))
    with pytest.raises(WrongField):
        use_reset_link(store.engine, link, Password("corta", "corta"), Asked("link", NOW))
    use_reset_link(store.engine, link, new, Asked("link", NOW))
    with pytest.raises(LinkUsed):
        use_reset_link(store.engine, link, new, Asked("link", NOW))

    assert is_password(new.password, _kept(store, made.id))
    assert link not in str(store.rows("SELECT * FROM reset_links"))


def test_a_role_of_ones_own_is_made_changed_and_removed(store: Roll) -> None:
    put_role(store.engine, "Turno noche", ["batches:read"], ASKED)
    put_role(store.engine, "Turno noche", ["batches:read", "jobs:read"], ASKED)
    made = an_operator(store, roles=("Turno noche",))

    assert all_roles(store.engine)["Turno noche"] == {"batches:read", "jobs:read"}
    with pytest.raises(RoleInUse, match="1 operators"):
        drop_role(store.engine, "Turno noche", ASKED)
    edit_operator(store.engine, made.id, {"roles": ()}, ASKED)
    drop_role(store.engine, "Turno noche", ASKED)
    assert "Turno noche" not in all_roles(store.engine)


@pytest.mark.parametrize(
    ("name", "permissions", "field"),
    [("", [], "name"), ("Administrator", [], "name"), ("x" * 61, [], "name"), ("Noche", ["do:all"], "permissions")],
)
def test_a_role_that_cannot_be_is_refused(roll: Roll, name: str, permissions: list[str], field: str) -> None:
    with pytest.raises(WrongField) as refused:
        put_role(roll.engine, name, permissions, ASKED)

    assert refused.value.field == field
