"""Profiles: checked when read, and the same after writing and reading again."""

from pathlib import Path
from typing import Any

import pytest

from connectors.profiles import (
    FoldersError,
    parse_profile,
    profile_names,
    read_folders,
    read_profile,
    render_profile,
    save_profile,
)
from pipelines.clean import with_defaults
from schemas.profiles import KEYS, Profile, ProfileError, profile_from
from schemas.settings import Settings

FULL = Profile(
    name="shop",
    source="crm",
    columns={"Móvil": "phone", "Plan": "custom.plan"},
    custom_fields={"plan": "text"},
    takes="interactions",
    unmapped="custom",
    tags=("vip", "2026"),
    tag_separator=";",
    default_country="CO",
    date_order="dmy",
    decimal=",",
    time_zone="America/Bogota",
    mode="create",
    duplicates="merge",
    match_on=("email", "phone"),
    blank="clear",
    clear_marker="!",
    names="ignore",
    invalid_cells="reject",
    phones="valid",
    language="es",
    encoding="cp1252",
    delimiter=";",
    sheet="Hoja 1",
    header_row=3,
)


def test_a_profile_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    save_profile(tmp_path, FULL)

    assert read_profile(tmp_path, "shop") == FULL
    assert parse_profile(render_profile(FULL), "other") == FULL
    assert parse_profile(render_profile(Profile()), "default") == Profile()


def test_the_full_profile_of_these_tests_says_something_under_every_key() -> None:
    plain = Profile()

    assert [key for key in KEYS if getattr(FULL, key) == getattr(plain, key)] == []


def test_the_version_changes_with_the_meaning_only() -> None:
    assert FULL.version == parse_profile(render_profile(FULL), "shop").version
    assert FULL.version != Profile(name="shop").version
    assert FULL.version != FULL.with_columns({}).version


def test_the_source_is_the_profiles_name_unless_it_says_another() -> None:
    assert (Profile(name="shop").source_name, FULL.source_name) == ("shop", "crm")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"colums": {}}, "unknown keys: colums. Known: name"),
        ({"mode": "insert"}, "mode = 'insert' is not one of create, update, upsert"),
        ({"duplicates": "ask"}, "is not one of skip, update, overwrite, merge, create"),
        ({"date_order": "ydm"}, "is not one of none, dmy, mdy, ymd"),
        ({"columns": {"Fax": "fax"}}, "maps column 'Fax' to 'fax', which is not a field"),
        ({"columns": {"Fax": 3}}, "which is not a field"),
        ({"custom_fields": {"plan": "money"}}, "has type 'money'. Types: text"),
        ({"custom_fields": {"phone": "text"}}, "is a field of every contact"),
        ({"match_on": ["name"]}, "use one or more of external_id, phone, email"),
        ({"match_on": []}, "use one or more of"),
        ({"default_country": "Colombia"}, "is not a country code"),
        ({"default_country": "co"}, "is not a country code"),
        ({"delimiter": ""}, "one to three characters"),
        ({"columns": "phone"}, 'write columns as columns = { "Celular" = "phone" }'),
        ({"tags": "VIP"}, 'write tags as tags = ["VIP"]'),
        ({"tags": [1, 2]}, 'write tags as tags = ["VIP"]'),
        ({"header_row": True}, "write header_row as header_row = 2"),
        ({"header_row": 0}, "lines count from 1"),
        ({"header_row": "2"}, "write header_row as header_row = 2"),
        ({"encoding": 1252}, "write encoding as encoding ="),
    ],
)
def test_a_wrong_profile_is_refused_with_what_it_may_be(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError, match=said.replace("[", r"\[")) as error:
        profile_from(document, "shop")

    assert "'shop'" in str(error.value)
    assert error.value.said("en") == str(error.value) != error.value.said("es").replace("Perfil", "Profile")


def test_a_missing_profile_names_those_that_are_there(tmp_path: Path) -> None:
    save_profile(tmp_path, FULL)

    with pytest.raises(ProfileError, match="'shap': there is no such profile.*Known: default, interactions, shop"):
        read_profile(tmp_path, "shap")

    assert read_profile(tmp_path, "default") == Profile()
    assert list(profile_names(tmp_path)) == ["default", "interactions", "shop"]


def test_a_file_that_is_no_toml_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "bad.toml").write_text("mode = ", encoding="utf-8")

    with pytest.raises(ProfileError, match="not valid TOML"):
        read_profile(tmp_path, "bad")


def test_a_profile_that_an_editor_saved_in_another_encoding_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "ansi.toml").write_bytes('source = "Colección"\n'.encode("cp1252"))
    (tmp_path / "profiles" / "bom.toml").write_bytes(b'\xef\xbb\xbfsource = "crm"\n')

    with pytest.raises(ProfileError, match="is not UTF-8 text. Save it as UTF-8"):
        read_profile(tmp_path, "ansi")
    assert read_profile(tmp_path, "bom").source == "crm"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"time_zone": "America/Bogata"}, "is not a zone. Use a name such as America/Bogota"),
        ({"columns": {"X": f"custom.{'x' * 61}"}}, "longer than 60 characters"),
        ({"custom_fields": {"x" * 61: "text"}}, "longer than 60 characters"),
    ],
)
def test_what_would_fail_only_at_work_is_refused_at_once(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        profile_from(document, "shop")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('settle_seconds = "30"', "write settle_seconds of a"),
        ("settle_seconds = true", "write settle_seconds of a"),
        ('polling = "yes"', "write polling of a"),
        ("profile = 3", "write profile of a"),
    ],
)
def test_a_drop_folder_with_a_value_of_the_wrong_type_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "folders.toml").write_text(f'[[folder]]\npath = "in"\n{line}\n', encoding="utf-8")

    with pytest.raises(FoldersError, match=said):
        read_folders(tmp_path)


def test_the_installation_s_country_and_zone_stand_where_the_profile_names_none() -> None:
    installed = Settings(default_country="CO", time_zone="America/Bogota")

    plain = with_defaults(Profile(), installed)
    own = with_defaults(Profile(default_country="MX", time_zone="UTC"), installed)

    assert (plain.default_country, plain.time_zone) == ("CO", "America/Bogota")
    assert (own.default_country, own.time_zone) == ("MX", "UTC")


def test_without_a_list_of_folders_there_is_one_drop_folder(tmp_path: Path) -> None:
    (only,) = read_folders(tmp_path)
    (tmp_path / "folders.toml").write_text('[[folder]]\npath = "in"\nprofile = "shop"\n', encoding="utf-8")

    (named,) = read_folders(tmp_path)

    assert (only.path, only.profile) == (tmp_path / "drop", "default")
    assert (named.path, named.profile) == ((tmp_path / "in").resolve(), "shop")


def test_a_profile_is_not_written_over_unless_that_is_said(tmp_path: Path) -> None:
    save_profile(tmp_path, FULL)

    with pytest.raises(ProfileError, match="--force"):
        save_profile(tmp_path, Profile(name=FULL.name))
    save_profile(tmp_path, Profile(name=FULL.name), over=True)

    assert read_profile(tmp_path, FULL.name) == Profile(name=FULL.name)


def test_a_table_that_means_nothing_in_the_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folders.toml").write_text('[[folder]]\npath = "a"\n[[carpeta]]\npath = "b"\n', "utf-8")

    with pytest.raises(FoldersError, match="'carpeta'"):
        read_folders(tmp_path)
