"""Which stored rows are about a theme: it and what lies under it in the workspace's frame, by old names too."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_

from serving.rules.lineage import Lineage


def under(column: ColumnElement[Any], themes: Collection[str], lineage: Lineage) -> ColumnElement[bool]:
    """What a row must fulfil whose `column` is one of these themes or under one: `delivery` has `delivery.time`."""
    known = {id for theme in themes for id in lineage.below(theme)}
    return or_(column.in_(sorted(known)), *(_dotted(column, theme, lineage) for theme in themes))


def _dotted(column: ColumnElement[Any], theme: str, lineage: Lineage) -> ColumnElement[bool]:
    """Themes of older frames, which say by their dots alone what they are under."""
    # not LIKE: SQLite's takes no heed of upper and lower case
    found = func.substr(column, 1, len(theme) + 1) == f"{theme}."
    elsewhere = lineage.moved_from(theme)
    return and_(found, column.not_in(elsewhere)) if elsewhere else found
