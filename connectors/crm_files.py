"""The connector files there are: those that come with Padrón, and those in the home folder's `connectors/`."""

from functools import lru_cache
from pathlib import Path

from schemas.connectors import Connector, WrongConnector, parse_connector

_OWN = Path(__file__).parent / "crm"


def connector_paths(home: Path) -> dict[str, Path]:
    """The files by their connectors' names; one in the home folder goes before one that comes with Padrón."""
    found = [*sorted(_OWN.glob("*.toml")), *sorted((home / "connectors").glob("*.toml"))]
    return {path.stem: path for path in found}


def read_connector(home: Path, name: str) -> Connector:
    """Raises WrongConnector."""
    known = connector_paths(home)
    if name not in known:
        listed = ", ".join(sorted(known))
        raise WrongConnector(
            f"There is no connector {name!r}. There are: {listed}. Others go into {home / 'connectors'} "
            "(docs/how-to/add-a-crm.md).",
            f"No hay un conector {name!r}. Hay: {listed}. Otros van en {home / 'connectors'} "
            "(docs/how-to/add-a-crm.md).",
        )
    path = known[name]
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _parsed(path: Path, _changed: int) -> Connector:
    """A file is parsed once for each time that it was changed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongConnector(f"{path} is not UTF-8 text.", f"{path} no es texto UTF-8.") from error
    return parse_connector(text, path.name, _own_text)


def _own_text(name: str) -> str | None:
    path = {one.stem: one for one in _OWN.glob("*.toml")}.get(name)
    return path.read_text(encoding="utf-8") if path else None
