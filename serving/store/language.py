"""The language of a workspace: its issues are named in it, its alarms told in it."""

from sqlalchemy import Connection, select

from serving.store.tables import workspaces

KEY = "language"
"""In `workspaces.settings`: a code as responses have it, like `pl`."""


def language_of(connection: Connection, workspace: str) -> str | None:
    """None where the workspace has set none."""
    asked = select(workspaces.c.settings).where(workspaces.c.id == workspace)
    settings = connection.execute(asked).scalar_one_or_none() or {}
    return settings.get(KEY)
