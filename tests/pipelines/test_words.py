"""Words with a fixed meaning, and tags."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.columns import SEPARATOR
from pipelines.words import (
    join_tags,
    normalise_channels,
    normalise_statuses,
    normalise_tags,
    split_tags,
    tag_form,
)
from schemas.fields import CHANNELS, STATUSES


def test_statuses_are_read_in_three_languages() -> None:
    texts = ["Activo", "ATIVA", "subscribed", "bloqueada", "Deshabilitado", "arquivado", "", "zzz"]

    found = normalise_statuses(pa.array(texts))

    assert found.value.to_pylist() == ["active"] * 3 + ["blocked", "inactive", "archived", None, "zzz"]
    assert found.problem.to_pylist() == [None] * 7 + ["status_unknown"]


def test_channels_are_read_by_their_names_and_short_names() -> None:
    found = normalise_channels(
        pa.array(["WhatsApp Business", "IG", "Messenger", "correo electrónico", "teléfono", "fax"])
    )

    assert found.value.to_pylist() == ["whatsapp", "instagram", "facebook", "email", "phone", "fax"]
    assert found.problem.to_pylist() == [None] * 5 + ["channel_unknown"]


def test_every_status_and_channel_is_read_as_itself() -> None:
    assert normalise_statuses(pa.array(STATUSES)).value.to_pylist() == list(STATUSES)
    assert normalise_channels(pa.array(CHANNELS)).value.to_pylist() == list(CHANNELS)


@pytest.mark.parametrize(
    ("text", "separator", "tags"),
    [
        ("VIP, cliente", None, ["VIP", "cliente"]),
        ("VIP; cliente | nuevo", None, ["VIP", "cliente", "nuevo"]),
        ("VIP,cliente; nuevo", ";", ["VIP,cliente", "nuevo"]),
        ("* myContacts ::: VIP", ":::", ["VIP"]),
        ("a/b/c", "/", ["a", "b", "c"]),
        ("VIP, vip , Víp", None, ["VIP"]),
        (" , ;; ", None, []),
        ("x" * 250, None, ["x" * 200]),
    ],
)
def test_a_cell_is_split_into_tags(text: str, separator: str | None, tags: list[str]) -> None:
    assert split_tags(text, separator) == tags


def test_tags_of_a_column_are_joined_and_null_where_there_are_none() -> None:
    found = normalise_tags(pa.array(["a; b", "", None, "c"], pa.string()), None)

    assert found.to_pylist() == [f"a{SEPARATOR}b", None, None, "c"]


@given(st.text(max_size=30))
def test_the_tags_of_a_cell_differ_from_each_other(text: str) -> None:
    tags = split_tags(text)

    assert len({tag_form(tag) for tag in tags}) == len(tags)
    assert all(tag == tag.strip() and tag for tag in tags)
    assert (join_tags(tags) is None) == (not tags)
