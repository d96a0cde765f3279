"""How the last full run spread its vectors: kept so that new answers are placed among its issues as it would have."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from safetensors.numpy import load, save
from sqlalchemy import Connection, select, update

from nlp.spread import Spread
from serving.store.database import insert
from serving.store.issue_tables import cluster_models

_CENTRE_OF = "centre of "


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A run's spread; `tight`: mean cosine among the members of its typical issue."""

    spread: Spread
    tight: float


def keep(connection: Connection, workspace: str, encoder: str, kept: Kept, rows: int, now: datetime) -> None:
    """Puts the spread in the place of the one before."""
    spread = kept.spread
    arrays = {"centre": spread.centre, "axes": spread.axes, "tight": np.array([kept.tight], np.float32)}
    arrays |= {f"{_CENTRE_OF}{language}": centre for language, centre in spread.centres.items()}
    contiguous = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    values = {"at": _later(connection, workspace, encoder, now), "rows": rows, "arrays": save(contiguous)}
    statement = insert(connection, cluster_models).values(workspace=workspace, encoder=encoder, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["workspace", "encoder"], set_=values))


def stamp(connection: Connection, workspace: str, encoder: str) -> datetime | None:
    """When the spread, or the issues that are looked up by it, last changed."""
    return connection.execute(select(cluster_models.c.at).where(*_mine(workspace, encoder))).scalar_one_or_none()


def changed(connection: Connection, workspace: str, now: datetime) -> None:
    """Makes every process look the issues up anew."""
    for encoder in (
        connection.execute(select(cluster_models.c.encoder).where(cluster_models.c.workspace == workspace))
        .scalars()
        .all()
    ):
        moment = _later(connection, workspace, encoder, now)
        connection.execute(update(cluster_models).where(*_mine(workspace, encoder)).values(at=moment))


def kept(connection: Connection, workspace: str, encoder: str) -> Kept | None:
    """The spread of this encoder's vectors; None before the first run."""
    found = connection.execute(select(cluster_models.c.arrays).where(*_mine(workspace, encoder))).scalar_one_or_none()
    if found is None:
        return None
    arrays = load(found)
    centres = {name.removeprefix(_CENTRE_OF): array for name, array in arrays.items() if name.startswith(_CENTRE_OF)}
    return Kept(Spread(arrays["centre"], centres, arrays["axes"]), float(arrays["tight"][0]))


def _later(connection: Connection, workspace: str, encoder: str, now: datetime) -> datetime:
    """Now, or the instant after the last change: no two changes have one stamp."""
    last = stamp(connection, workspace, encoder)
    return now if last is None or last < now else last + timedelta(microseconds=1)


def _mine(workspace: str, encoder: str) -> tuple[Any, ...]:
    return cluster_models.c.workspace == workspace, cluster_models.c.encoder == encoder
