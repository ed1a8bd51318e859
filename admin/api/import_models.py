"""What the API takes and gives of imports."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from admin.api.models import Body, Name, Secret
from pipelines.uploads import Shown
from warehouse.batches import Batch
from warehouse.jobs import Work
from warehouse.uploads import Upload


class ColumnModel(BaseModel):
    """What a column of a file would become, and why; `taken` where an import takes it without being told."""

    column: str
    target: str
    reason: str
    example: str
    taken: bool


class UploadModel(BaseModel):
    """A file that was sent, the mapping that is proposed, and the token that confirms exactly this."""

    id: int
    name: str
    sha256: str
    size_bytes: int
    columns: list[ColumnModel]
    token: str

    @classmethod
    def of(cls, shown: Shown) -> "UploadModel":
        upload, names = shown.upload, ColumnModel.model_fields
        columns = [ColumnModel(**{name: getattr(one, name) for name in names}) for one in shown.proposals]
        said = {name: getattr(upload, name) for name in ("id", "name", "sha256", "size_bytes")}
        return cls(**said, columns=columns, token=shown.token)


class KeptModel(BaseModel):
    """A file that was sent and not confirmed."""

    id: int
    name: str
    sha256: str
    size_bytes: int
    actor: str
    created_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> "KeptModel":
        return cls(**{name: getattr(upload, name) for name in cls.model_fields})


class UploadQuery(BaseModel):
    """The name of a file, how it is read, and by which profile."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, Field(description="The file's name.")]
    profile: Annotated[Name, Field(description="A profile to begin with.")] = "default"
    sheet: Annotated[Name | None, Field(description="Which sheet of a workbook.")] = None
    encoding: Annotated[Name | None, Field(description="Encoding of a text file, such as cp1251.")] = None
    delimiter: Annotated[Name | None, Field(max_length=1, description="What separates cells.")] = None
    header_row: Annotated[int | None, Field(ge=1, le=10_000, description="Which line is the header, from 1.")] = None
    default_country: Annotated[Name | None, Field(description="Country of phones without prefix, such as CO.")] = None


class RetryBody(Body):
    """How the columns of a file that is sent again map; without a profile, as they did."""

    profile: Name | None = None


def _of_text(columns: dict[str, str]) -> dict[str, str]:
    """Half a surrogate pair is no text, though JSON can write one."""
    for name in columns:
        name.encode()
    return columns


class MappingBody(Body):
    """Fields for columns: a field, `custom.<key>`, or `ignore`."""

    columns: Annotated[dict[str, Name], Field(max_length=2_000), AfterValidator(_of_text)]


class ConfirmBody(Body):
    """The token of what was shown."""

    token: Secret


class JobModel(BaseModel):
    """Long work: `done` of `total`, and once it is done its result."""

    id: int
    kind: str
    object: str
    state: str
    done: int
    total: int
    message: str | None
    result: dict[str, Any] | None
    actor: str
    cancelled_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, work: Work, language: str) -> "JobModel":
        said = {name: getattr(work, name) for name in cls.model_fields if name != "message"}
        return cls(**said, message=work.message_es if language == "es" else work.message_en)


class BatchModel(BaseModel):
    """An import."""

    id: int
    file: str
    source: str
    profile: str
    state: str
    message: str | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rows_read: int
    rows_done: int
    created: int
    updated: int
    unchanged: int
    merged: int
    rejected: int
    warnings: int
    cancelled_by: str | None
    has_report: bool

    @classmethod
    def of(cls, batch: Batch, language: str) -> "BatchModel":
        said = {name: getattr(batch, name) for name in cls.model_fields if name not in ("message", "has_report")}
        return cls(**said, message=batch.sentence.said(language) or None, has_report=batch.reject_file is not None)
