"""The language of a workspace: its issues are named in it, its alarms told in it."""

from sqlalchemy import Connection, select, update

from serving.store.tables import workspaces

KEY = "language"
"""In `workspaces.settings`: a code as responses have it, like `pl`."""


def language_of(connection: Connection, workspace: str) -> str | None:
    """None where the workspace has set none."""
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace)
    settings = connection.execute(asked).scalar_one_or_none() or {}
    return settings.get(KEY)


def set_language(connection: Connection, workspace: str, language: str | None) -> None:
    """None takes the setting away; the other settings of the workspace stay."""
    mine = workspaces.c.id == workspace
    settings = dict(connection.execute(select(workspaces.c.settings).where(mine).with_for_update()).scalar_one() or {})
    settings.pop(KEY, None)
    if language is not None:
        settings[KEY] = language
    connection.execute(update(workspaces).where(mine).values(settings=settings))
