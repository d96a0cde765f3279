"""The code frame as answers show it."""

from sqlalchemy import Connection

from nlp.taxonomy import Taxonomy, Theme
from serving.frame import progress
from serving.frame import schemas as to
from serving.frame.effective import Frame, effective, every_theme
from serving.frame.own import Own
from serving.frame.store import NONE_SAVED, own_in, row_of


def own_of(body: to.TaxonomyIn) -> Own:
    """What a body says, with what repeats itself said once."""
    themes = tuple(theme_of(each, each.parent) for each in body.themes)
    return Own(themes, dict(body.moves), dict(body.merges), tuple(sorted(set(body.retired))))


def theme_of(body: to.PartIn, parent: str | None = None) -> Theme:
    return Theme(body.id, body.label, body.description, parent, tuple(body.examples))


def shown(connection: Connection, workspace: str, base: Taxonomy) -> to.TaxonomyOut:
    """The frame in force over the model's, and what of its last changes is still to be done."""
    row = row_of(connection, workspace)
    own, version = (Own(), NONE_SAVED) if row is None else (own_in(row), row["version"])
    frame = effective(base, own, version)
    entries = [_theme(theme, frame, base, own) for theme in (*every_theme(frame), *_merged(frame, base, own))]
    return to.TaxonomyOut(
        version=version,
        name=frame.version,
        model=base.version,
        at=row["at"] if row else None,
        by=row["by"] if row else None,
        groups=[to.TaxonomyGroup(id=group.id, label=group.label) for group in frame.groups],
        themes=entries,
        own=own_part(own),
        rewriting=progress.rewriting(connection, workspace),
        searching=progress.searching(connection, workspace),
    )


def own_part(own: Own) -> to.OwnPart:
    # what was valid when it was kept is shown as it is
    themes = [
        to.OwnThemeIn.model_construct(
            id=theme.id,
            label=theme.label,
            description=theme.description,
            parent=theme.parent,
            examples=list(theme.examples),
        )
        for theme in own.themes
    ]
    return to.OwnPart.model_construct(
        themes=themes, moves=dict(own.moves), merges=dict(own.merges), retired=list(own.retired)
    )


def _merged(frame: Frame, base: Taxonomy, own: Own) -> list[Theme]:
    known = {theme.id: theme for theme in (*base.themes, *own.themes)}
    return [known[id] for id in sorted(frame.merged) if id in known]


def _theme(theme: Theme, frame: Frame, base: Taxonomy, own: Own) -> to.TaxonomyTheme:
    state = "merged" if theme.id in frame.merged else "active" if theme.id in frame.ids else "retired"
    by = "none" if state != "active" else "model" if theme.id in base.ids else "similarity"
    return to.TaxonomyTheme(
        id=theme.id,
        label=theme.label,
        description=theme.description,
        parent=theme.parent,
        examples=list(theme.examples),
        own=theme.id in {each.id for each in own.themes},
        found_by=by,
        state=state,
        merged_into=frame.merged.get(theme.id),
    )
