"""The bodies that the routes of the code frame take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.frame.own import MOST_THEMES
from serving.store.columns import ID

MAX_LABEL = 200
MAX_DESCRIPTION = 2000
MAX_EXAMPLE = 1000
MOST_EXAMPLES = 100
"""Of one theme in the frame; corrections are where a model learns from."""
MOST_PARTS = 20
MOST_CHANGES = 1000
"""Moves, merges or retirements: more than the frames of models have themes."""
_NO_NUL = r"^[^\x00]+$"

ThemeId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=ID)]
KnownId = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=_NO_NUL)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL, pattern=_NO_NUL)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_DESCRIPTION, pattern=r"^[^\x00]*$")]
Example = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_EXAMPLE, pattern=_NO_NUL)
]
Examples = Annotated[list[Example], Field(max_length=MOST_EXAMPLES)]
Dry = Annotated[bool, Field(description="only count what it would change")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PartIn(_In):
    """A theme that another is split into."""

    id: ThemeId
    label: Label
    description: Words = ""
    examples: Examples = []


class OwnThemeIn(PartIn):
    """A theme of the workspace's own."""

    parent: KnownId | None = Field(default=None, description="a group or theme of the code frame")


class TaxonomyIn(_In):
    """The workspace's own part of the code frame, whole."""

    themes: Annotated[list[OwnThemeIn], Field(max_length=MOST_THEMES)] = []
    moves: Annotated[dict[KnownId, KnownId | None], Field(max_length=MOST_CHANGES)] = Field(
        default={}, description="by a theme of the model, its parent here"
    )
    merges: Annotated[dict[KnownId, KnownId], Field(max_length=MOST_CHANGES)] = Field(
        default={}, description="by a theme, the one that it is a part of now"
    )
    retired: Annotated[list[KnownId], Field(max_length=MOST_CHANGES)] = Field(
        default=[], description="themes that new answers are not given"
    )


class ThemeMergeIn(_In):
    """Where a theme belongs."""

    into: KnownId
    dry_run: Dry = False


class ThemeSplitIn(_In):
    """The narrower themes of a theme."""

    into: Annotated[list[PartIn], Field(min_length=1, max_length=MOST_PARTS)]
    dry_run: Dry = False


class ThemeMoveIn(_In):
    """What a theme lies under; null for nothing."""

    parent: KnownId | None
    dry_run: Dry = False


class ThemeRetireIn(_In):
    """Nothing but whether it is done."""

    dry_run: Dry = False


class TaxonomyGroup(BaseModel):
    """A heading over themes; never a tag itself."""

    id: str
    label: str


class TaxonomyTheme(BaseModel):
    """A theme as it stands in this workspace."""

    id: str
    label: str
    description: str
    parent: str | None
    examples: list[str]
    own: bool = Field(description="the workspace's own; else the model's")
    found_by: Literal["model", "similarity", "none"] = Field(description="how new answers come to have it")
    state: Literal["active", "retired", "merged"]
    merged_into: str | None


class OwnPart(BaseModel):
    """The workspace's own part of the code frame, as `PUT` takes it."""

    themes: list[OwnThemeIn]
    moves: dict[str, str | None]
    merges: dict[str, str]
    retired: list[str]


class Rewriting(BaseModel):
    """Stored answers that still have the themes of before."""

    job: str | None = Field(description="none yet with `dry_run`")
    left: int


class Searching(BaseModel):
    """Stored answers that are still to be searched for themes."""

    job: str
    themes: list[str]
    left: int | None = Field(description="null until they are counted")


class TaxonomyOut(BaseModel):
    """The code frame in force."""

    version: int = Field(description="of the workspace's own part, 0 where it has none; the ETag")
    name: str = Field(description="as answers have it in `versions.taxonomy`")
    model: str = Field(description="the version of the model's own frame")
    at: datetime | None
    by: str | None
    groups: list[TaxonomyGroup]
    themes: list[TaxonomyTheme]
    own: OwnPart
    rewriting: Rewriting | None
    searching: list[Searching]


class TaxonomyVersion(BaseModel):
    """Who changed the code frame when, and in what."""

    version: int
    at: datetime
    by: str
    action: str
    subject: str | None = Field(description="the theme that was changed")


class TaxonomyVersions(BaseModel):
    """A page of versions, the newest first."""

    items: list[TaxonomyVersion]
    next: str | None


class TaxonomyVersionOut(TaxonomyVersion):
    """The workspace's own part as it was in a version."""

    own: OwnPart


class ThemeReach(BaseModel):
    """How many have the themes concerned, or name them."""

    answers: int
    rules: int
    cases: int
    issues: int


class ThemeChanged(BaseModel):
    """What a change did, or would do."""

    dry_run: bool
    version: int = Field(description="of the frame after it")
    reach: ThemeReach
    rewriting: Rewriting | None = Field(description="what is left to the background; null where it is done")
