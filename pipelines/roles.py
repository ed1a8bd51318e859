"""Roles of one's own: a name, and what it may do. The built-in ones stay as they are."""

from collections.abc import Iterable

from pipelines.versions import check_version
from schemas.errors import InputError
from schemas.operators import WrongField, plain_name
from schemas.permissions import PERMISSIONS, ROLES
from warehouse import audit, operators
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.operators import NoSuchRole

_LONGEST_NAME = 60


class RoleInUse(InputError):
    """Operators have the role."""


def all_roles(store: Store) -> dict[str, frozenset[str]]:
    """Every role, the built-in ones first, with what it may do."""
    with reading(store) as connection:
        return ROLES | operators.own_roles(connection)


def put_role(
    store: Store, name: str, permissions: Iterable[str], asked: Asked, *, version: str | None = None
) -> frozenset[str]:
    """Make a role, or say anew what it may do, if its `version` still is that; what it may do."""
    name, wanted = plain_name("name", name), frozenset(permissions)
    _check(name, wanted)
    check_yours(wanted, asked)
    with transaction(store) as connection:
        operators.lock_operators(connection)
        before = operators.own_roles(connection).get(name)
        check_version(None if before is None else sorted(before), version, name)
        check_yours(before or frozenset(), asked)
        operators.put_role(connection, name, wanted, asked.at)
        said = ({"permissions": sorted(one)} if one is not None else None for one in (before, wanted))
        action = "roles:create" if before is None else "roles:edit"
        audit.add_entry(connection, asked, action, f"role:{name}", *said)
    return wanted


def _check(name: str, permissions: frozenset[str]) -> None:
    if not name or len(name) > _LONGEST_NAME or "/" in name or not name.strip("."):
        raise WrongField(
            "name",
            "length",
            f"A role's name has 1 to {_LONGEST_NAME} characters, and no /.",
            f"El nombre de un rol tiene de 1 a {_LONGEST_NAME} caracteres, y ninguna /.",
        )
    if name.casefold() in ROLES:
        raise WrongField(
            "name",
            "built_in",
            f"{name!r} is a built-in role, which stays as it is. Choose another name.",
            f"{name!r} es un rol incluido, que no se cambia. Elija otro nombre.",
        )
    check_known(permissions)


def check_known(permissions: frozenset[str]) -> None:
    """Raise WrongField where there is no such permission."""
    unknown = sorted(permissions - PERMISSIONS.keys())
    if unknown:
        listed = ", ".join(PERMISSIONS)
        raise WrongField(
            "permissions",
            "unknown",
            f"There is no permission {unknown[0]!r}. Known: {listed}.",
            f"No existe el permiso {unknown[0]!r}. Hay: {listed}.",
        )


def check_yours(permissions: frozenset[str], asked: Asked) -> None:
    """Raise WrongField where somebody gives, or takes, a permission that they do not have."""
    beyond = sorted(permissions - asked.permissions) if asked.permissions is not None else []
    if beyond:
        raise WrongField(
            "permissions",
            "not_yours",
            f"You can neither give nor take the permission {beyond[0]!r}, which you do not have.",
            f"No puede dar ni quitar el permiso {beyond[0]!r}, que usted no tiene.",
        )


def drop_role(store: Store, name: str, asked: Asked) -> None:
    """Remove a role that nobody has."""
    with transaction(store) as connection:
        operators.lock_operators(connection)
        before = operators.own_roles(connection).get(name)
        if before is None:
            raise NoSuchRole(f"There is no role {name!r} of your own.", f"No hay ningún rol propio {name!r}.")
        check_yours(before, asked)
        count = operators.holders_of(connection, name)
        if count:
            raise RoleInUse(
                f"{count} operators have the role {name!r}. Give them another one first.",
                f"{count} operadores tienen el rol {name!r}. Deles otro antes.",
            )
        operators.drop_role(connection, name)
        audit.add_entry(connection, asked, "roles:delete", f"role:{name}", {"permissions": sorted(before)})
