"""Countries by their names in Spanish, English, Portuguese, French and German."""

from functools import cache, lru_cache
from importlib import import_module

from schemas.headers import header_form

_LANGUAGES = ("es", "en", "pt", "fr", "de")
_OTHERWISE = {
    "eeuu": "US",
    "ee uu": "US",
    "e e u u": "US",
    "usa": "US",
    "u s a": "US",
    "estados unidos de america": "US",
    "united states of america": "US",
    "uk": "GB",
    "great britain": "GB",
    "inglaterra": "GB",
    "england": "GB",
    "rep dominicana": "DO",
    "republica de colombia": "CO",
    "holanda": "NL",
    "holland": "NL",
}


def region_named(name: str) -> str | None:
    """The two letters of a country, or None.

    >>> region_named("Perú"), region_named("BRASIL"), region_named("EE. UU."), region_named("Atlantis")
    ('PE', 'BR', 'US', None)
    """
    form = header_form(name)
    return _OTHERWISE.get(form) or (_regions().get(form) if form else None)


@lru_cache(maxsize=10_000)
def is_same_country(one: str, other: str) -> bool:
    """Whether two texts mean one country.

    >>> is_same_country("México", "MX"), is_same_country("UK", "GB"), is_same_country("Chile", "China")
    (True, True, False)
    """
    regions = [region_named(text) or (text.upper() if len(text) == 2 else None) for text in (one, other)]
    return regions[0] is not None and regions[0] == regions[1]


@cache
def _regions() -> dict[str, str]:
    """The names that libphonenumber's data has; read when first needed, as they are many."""
    data = import_module("phonenumbers.geodata.locale").LOCALE_DATA
    found: dict[str, str] = {}
    for region, names in data.items():
        for language in _LANGUAGES:
            name = names.get(language, "")
            name = names.get(name[1:], "") if name.startswith("*") else name
            found.setdefault(header_form(name), region)
    return found
