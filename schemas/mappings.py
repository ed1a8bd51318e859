"""The mapping of a connection: which field goes with which, in which direction, and who wins. Read from TOML."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.errors import InputError
from schemas.fields import CHANNELS, CUSTOM

Direction = Literal["both", "in", "out"]
Policy = Literal[
    "local_wins",
    "remote_wins",
    "newest_wins",
    "prefer_nonempty",
    "never_overwrite_nonempty",
    "union",
    "max",
    "min",
    "most_restrictive",
    "append",
    "source_order",
    "review",
]
LensName = Literal[
    "text", "name", "phone", "email", "number", "boolean", "date", "datetime", "enum", "set", "full_name", "template"
]
BLOCKED = "blocked"
OPT_OUT = "opt_out."
TIGHTENING = (BLOCKED, *(f"{OPT_OUT}{channel}" for channel in (*CHANNELS, "all")))
"""Local fields that are yes or no, and only ever become yes."""
NAMES = ("first_name", "last_name", "display_name")
IDENTITY = ("phone", "email")
SYNCED = (
    *NAMES,
    *IDENTITY,
    *("company", "address", "city", "country", "photo_url", "channel", "status", "language", "tags"),
    *TIGHTENING,
)
"""Every local field that a mapping may name, beside `custom.<key>`."""
_BRACED = re.compile(r"\{([^{}]*)\}")
_PERCENT = r"^\d{1,2}(?:\.\d+)?%$"


class WrongMapping(InputError):
    """A mapping does not say what it should; the message says where."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spelling(_Table):
    """How a value is written in the CRM: `lens` reads and writes it, the rest belongs to one lens or another."""

    lens: LensName | None = None
    region: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    values: Map[str, str] = Field(default_factory=dict)
    separator: str | None = None
    zone: str | None = None
    format: Literal["date", "rfc3339", "ms", "s"] | None = None
    template: str | None = None


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class FieldPair(Spelling):
    """A field here and its field, or fields, there."""

    local: str = ""
    remote: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(min_length=1, max_length=4)
    direction: Direction = "both"
    policy: Policy | None = None
    then: Policy = "review"
    first_link: Policy | None = None
    order: tuple[str, ...] = ()
    drift: Literal["ignore", "reassert"] = "ignore"
    nulls: Literal["clear", "ignore"] = "clear"
    on_create: bool = False

    @field_validator("local")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in SYNCED and not (value.startswith(CUSTOM) and len(value) > len(CUSTOM)):
            raise ValueError(f"known: {', '.join(SYNCED)}, {CUSTOM}KEY | hay: {', '.join(SYNCED)}, {CUSTOM}CLAVE")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "FieldPair":
        if self.lens == "template":
            if not self.template or self.direction != "out" or self.local:
                raise ValueError(
                    "a template has template, direction = 'out' and no local | un template lleva template, direction = "
                    "'out' y no lleva local"
                )
        elif not self.local:
            raise ValueError("name the field here in local | ponga en local el campo de aquí")
        elif len(self.remote) > 1 and self.lens != "full_name":
            raise ValueError("several remote fields are for the lens full_name | varios remote son para full_name")
        if self.local in TIGHTENING and self.lens not in (None, "boolean"):
            raise ValueError(f"{self.local} is yes or no: use the lens boolean | {self.local} es sí o no: use boolean")
        if self.zone is not None and self.zone not in available_timezones():
            raise ValueError("a zone is a name such as America/Bogota | una zona es un nombre como America/Bogota")
        unknown = [name for name in self.template_fields if name not in SYNCED and not name.startswith(CUSTOM)]
        if unknown:
            raise ValueError(f"there is no field {unknown[0]!r} | no hay un campo {unknown[0]!r}")
        if "source_order" in (self.policy, self.first_link) and not self.order:
            raise ValueError("source_order wants order = ['local', …] | source_order pide order = ['local', …]")
        return self

    @property
    def template_fields(self) -> list[str]:
        """The fields that a template names in braces."""
        return _BRACED.findall(self.template or "")

    @property
    def name(self) -> str:
        """The name under which the base is kept; the same pair in another mapping has the same."""
        return f"{self.local or 'template'}={'+'.join(self.remote)}"


class Deletes(_Table):
    """What a deletion on one side does on the other, and how many a run may make without being asked."""

    on_remote: Literal["archive_local", "unlink", "delete_local", "recreate"] = "archive_local"
    on_local: Literal["archive_remote", "unlink", "keep"] = "archive_remote"
    conflict: Literal["edit_wins", "delete_wins", "review"] = "edit_wins"
    most: int | Annotated[str, Field(pattern=_PERCENT)] | None = None

    def cap(self, links: int) -> int:
        """How many deletions a run makes without approval, unless said: 5 % of the links, at least 3 and at most 20.

        >>> Deletes().cap(100), Deletes().cap(4000), Deletes().cap(4), Deletes(most="50%").cap(10)
        (5, 20, 3, 5)
        """
        if isinstance(self.most, int):
            return self.most
        if isinstance(self.most, str):
            return max(1, int(links * float(self.most.rstrip("%")) / 100))
        return max(3, min(20, links // 20))


class RemoteCondition(_Table):
    """What a record must be like to be synced: its field is one of these, or is none of those."""

    field: str
    is_: tuple[str, ...] = Field((), alias="is")
    is_not: tuple[str, ...] = ()

    def holds(self, value: Any) -> bool:
        said = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return (not self.is_ or said in self.is_) and said not in self.is_not


class Scope(_Table):
    """Who is synced: a filter here, conditions there; who leaves it is unlinked, and stays on both sides."""

    local: str = ""
    remote: tuple[RemoteCondition, ...] = ()


class Mapping(_Table):
    """The whole mapping. `match` are the keys by which people who are on both sides already find each other."""

    match: tuple[Literal["email", "phone"], ...] = ("email", "phone")
    create: Literal["both", "local", "remote", "none"] = "both"
    first_link: Policy = "remote_wins"
    policy: Policy = "newest_wins"
    delete: Deletes = Deletes()
    scope: Scope = Scope()
    fields: tuple[FieldPair, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> "Mapping":
        for side, names in (
            ("local", [pair.local for pair in self.fields if pair.local and pair.direction != "out"]),
            ("remote", [name for pair in self.fields if pair.direction != "in" for name in pair.remote]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{side} field {twice[0]} is written by two pairs | el campo {side} {twice[0]} lo escriben dos"
                )
        return self

    @property
    def hash(self) -> str:
        text = json.dumps(self.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_mapping(text: str, place: str) -> Mapping:
    """A mapping from TOML; raises WrongMapping with the place in it."""
    try:
        return read_mapping(tomllib.loads(text), place)
    except tomllib.TOMLDecodeError as error:
        raise WrongMapping(f"{place} is not valid TOML: {error}.", f"{place} no es TOML válido: {error}.") from error


def read_mapping(document: Map[str, Any], place: str) -> Mapping:
    """A mapping from what was parsed; raises WrongMapping."""
    try:
        return Mapping.model_validate(document)
    except ValidationError as error:
        raise WrongMapping(*(f"{place}: {said}." for said in told(error))) from error


def told(error: ValidationError) -> tuple[str, str]:
    """What pydantic finds wrong, where, in both languages (its own words are English)."""
    found: list[tuple[str, str]] = []
    for item in error.errors()[:5]:
        where = _where(item["loc"])
        said = item["msg"].removeprefix("Value error, ")
        english, _, spanish = said.partition(" | ")
        found.append((f"{where}{english}", f"{where}{spanish or english}"))
    return "; ".join(one for one, _ in found), "; ".join(one for _, one in found)


def _where(loc: Sequence[int | str]) -> str:
    """A place in a document as one writes it.

    >>> _where(("fields", 2, "lens")), _where(())
    ('fields[3].lens: ', '')
    """
    found = ""
    for part in loc:
        found += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if found else part
    return f"{found}: " if found else ""


def default_policy(pair: FieldPair, mapping: Mapping, *, is_set: bool) -> Policy:
    """Who wins a conflict of this pair, where the pair does not say."""
    if pair.local in TIGHTENING:
        return "most_restrictive"
    if pair.policy is not None:
        return pair.policy
    return "union" if is_set else mapping.policy


def default_first_link(pair: FieldPair, mapping: Mapping, *, is_set: bool) -> Policy:
    """Who wins where both sides had a value before they were linked."""
    if pair.local in TIGHTENING:
        return "most_restrictive"
    if pair.first_link is not None:
        return pair.first_link
    if is_set:
        return "union"
    return "review" if pair.local in IDENTITY else mapping.first_link
