"""Settings: read from the environment, refused at start where they are wrong."""

from pathlib import Path

import pytest

from schemas.errors import SetupError
from schemas.settings import Settings, read_settings
from schemas.urls import hide_password


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PADRON_{name.upper()}", raising=False)


def test_without_an_environment_the_settings_are_for_one_machine() -> None:
    settings = read_settings()

    assert settings.store_url.startswith("sqlite:///")
    assert settings.store_url.endswith("/padron-data/padron.db")
    assert (settings.broker_url, settings.language) == ("memory://", "en")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PADRON_HOME", str(tmp_path))
    monkeypatch.setenv("PADRON_DEFAULT_COUNTRY", "CO")
    monkeypatch.setenv("PADRON_WORKER_THREADS", "7")

    settings = read_settings()

    assert (settings.home, settings.default_country, settings.worker_threads) == (tmp_path, "CO", 7)
    assert settings.store_url == f"sqlite:///{tmp_path}/padron.db"


def test_a_postgresql_url_gets_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADRON_DATABASE_URL", "postgresql://me@host/padron")

    assert read_settings().store_url == "postgresql+psycopg://me@host/padron"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LANGUAGE", "fr", "'es', 'en'"),
        ("DEFAULT_COUNTRY", "Colombia", "two capital letters"),
        ("TIME_ZONE", "Bogota", "America/Bogota"),
        ("DATABASE_URL", "mysql://x", "sqlite:/// or postgresql://"),
        ("BROKER_URL", "amqp://x", "memory:// or redis://"),
        ("WORKER_THREADS", "0", "use 1 or more"),
        ("SCAN_SECONDS", "0", "use more than 0"),
        ("LEASE_SECONDS", "soon", "use a number"),
        ("MAX_ATTEMPTS", "1.5", "use a whole number"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"PADRON_{name}", value)

    with pytest.raises(SetupError, match=f"PADRON_{name} = '{value}'") as error:
        read_settings()

    assert said in str(error.value)


def test_several_wrong_settings_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADRON_LANGUAGE", "fr")
    monkeypatch.setenv("PADRON_TIME_ZONE", "Mars")

    with pytest.raises(SetupError, match="PADRON_LANGUAGE.*PADRON_TIME_ZONE"):
        read_settings()


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_passwords_in_urls_are_not_shown_whatever_they_hold() -> None:
    assert hide_password("postgresql://ana:p@ss/w@db/padron") == "postgresql://…@db/padron"


def test_a_mistyped_setting_is_refused_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADRON_DEFAULT_CONTRY", "CO")

    with pytest.raises(SetupError, match="PADRON_DEFAULT_CONTRY. Did you mean PADRON_DEFAULT_COUNTRY?"):
        read_settings()
