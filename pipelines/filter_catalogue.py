"""What filters can ask: the fields of every contact, and the custom fields there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.conditions import Asked, TestKind
from schemas.fields import CUSTOM, FIELDS, FieldType, options_of

TAGS = "tags"
_KINDS: dict[str, TestKind] = {"text": "text", "phone": "phone", "email": "email", "datetime": "moment"}
_OWN: dict[str, TestKind] = {
    "id": "number",
    **{field.key: _KINDS[field.kind] for field in FIELDS if field.stored and field.kind in _KINDS},
    "channel": "choice",
    "status": "choice",
    "blocked_at": "moment",
    "sent": "number",
    "received": "number",
    "replied": "number",
}
_CUSTOM: dict[FieldType, TestKind] = {
    "text": "text",
    "long_text": "text",
    "number": "number",
    "boolean": "boolean",
    "date": "moment",
    "datetime": "moment",
    "choice": "choice",
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be asked: the custom fields there are, and the country of phones that are written without prefix."""

    custom: Mapping[str, FieldType]
    country: str | None = None

    def names(self) -> list[str]:
        return [*_OWN, TAGS, *(f"{CUSTOM}{key}" for key in self.custom)]

    def find(self, name: str) -> Asked | None:
        kind = _OWN.get(name)
        if kind is not None:
            return Asked(name, kind)
        custom = self.custom.get(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else None
        if custom is None or custom == "choices":
            return None
        is_long, is_day = custom == "long_text", custom == "date"
        return Asked(name.removeprefix(CUSTOM), _CUSTOM[custom], custom=True, is_long=is_long, is_day=is_day)

    def several(self, name: str) -> tuple[Asked, tuple[str, ...]] | None:
        """A field that takes several options, and these."""
        key = name.removeprefix(CUSTOM)
        kind = self.custom.get(key) if name.startswith(CUSTOM) else None
        return (Asked(key, "text", custom=True), options_of(kind)) if kind == "choices" else None
