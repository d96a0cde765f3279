"""Answers for the tests of issues: texts of made-up problems, each near the direction of its problem."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from issue_points import ENCODER, NEAR, near
from loop import START
from sqlalchemy import Connection, RowMapping, insert, select

from serving.store.database import Database, new_id
from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import analyses, responses, tags, vectors, workspaces

PROBLEMS = {
    "courier": ("the courier came three days late again", "parcel", "courier", "late"),
    "invoice": ("my invoice shows a wrong amount", "invoice", "amount", "wrong"),
    "queue": ("we stood in a long queue at the counter", "queue", "counter", "stood"),
    "screen": ("the app freezes on the payment screen", "app", "freezes", "payment"),
    "heating": ("the heating in our room was broken", "heating", "room", "broken"),
}
_WORDS = (
    "amber birch cedar delta ember fjord grove haven inlet jetty knoll lotus maple noble ocean pearl "
    "quartz river slate tulip umber vista willow xenon yarrow zephyr acorn basil clover daisy "
    "elder fern ginger hazel iris jasmine"
)
_VARIED = tuple(_WORDS.split())


@dataclass
class Answers:
    """Answers about problems, kept in the database as ingest keeps them, with the clock of the test."""

    database: Database
    workspace: str = "acme"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    made: int = 0
    encoder: str = ENCODER

    def about(self, problem: str, count: int, at: datetime = START, spread: float = NEAR, **more: Any) -> list[str]:
        """So many answers, an hour apart, the last one at `at`; the uids."""
        rows, points = [], []
        for number in range(count):
            uid = f"{self.made:032x}"
            base = PROBLEMS.get(problem, (f"something about {problem}", problem))
            extra = f"{_VARIED[self.made % len(_VARIED)]} {_VARIED[self.made // len(_VARIED) % len(_VARIED)]}"
            text = f"{base[0]} {extra}"
            rows.append(_row(self.workspace, uid, text, at - timedelta(hours=count - 1 - number)) | more)
            points.append(self.point(problem, spread))
            self.made += 1
        self._write(rows, points)
        return [row["uid"] for row in rows]

    def noise(self, count: int, at: datetime = START) -> list[str]:
        """Answers about something else each."""
        return [uid for _ in range(count) for uid in self.about(f"oddity {self.made}", 1, at)]

    def point(self, problem: str, spread: float = NEAR) -> np.ndarray:
        return near(problem, self.random, spread)

    def _write(self, rows: list[dict[str, Any]], points: list[np.ndarray]) -> None:
        with self.database.write() as connection:
            if not connection.execute(select(workspaces.c.id).where(workspaces.c.id == self.workspace)).first():
                place = {"id": self.workspace, "name": self.workspace, "settings": {}, "created_at": START}
                connection.execute(insert(workspaces).values(place))
            connection.execute(insert(responses), rows)
            connection.execute(insert(analyses), [_analysis(row) for row in rows])
            connection.execute(
                insert(vectors), [_vector(row, point, self.encoder) for row, point in zip(rows, points, strict=True)]
            )
            themes = [
                {"workspace": row["workspace"], "response": row["uid"], "theme": tag["id"]}
                | {"sentiment": "negative", "confidence": 0.9, "by": "model"}
                for row in rows
                for tag in row["effective"]["themes"]
            ]
            connection.execute(insert(tags), themes)


def issues(connection: Connection, workspace: str = "acme", state: str = "active") -> dict[str, RowMapping]:
    """The issues of a state, without their sub-issues, by id."""
    mine = (clusters.c.workspace == workspace, clusters.c.state == state, clusters.c.parent.is_(None))
    return {row["id"]: row for row in connection.execute(select(clusters).where(*mine)).mappings()}


def members(connection: Connection, id: str, workspace: str = "acme") -> set[str]:
    mine = (cluster_members.c.workspace == workspace, cluster_members.c.cluster == id)
    return set(connection.execute(select(cluster_members.c.response).where(*mine)).scalars())


def issue_of(connection: Connection, uids: list[str], workspace: str = "acme", state: str = "active") -> str:
    """The one issue of a state that has most of these answers, which must be more than half."""
    counts = {id: len(members(connection, id, workspace) & set(uids)) for id in issues(connection, workspace, state)}
    best = max(counts, key=lambda id: counts[id])
    assert counts[best] > len(uids) / 2, counts
    return best


def effective(text: str, kind: str = "reason", theme: str = "delivery.time") -> dict[str, Any]:
    """The parts of a classification that what follows from a response reads."""
    mood = {"label": "negative", "confidence": 0.9, "score": -0.8}
    return {
        "id": "r",
        "status": "ok",
        "language": {"code": "en", "confidence": 0.99, "supported": True},
        "text": text,
        "themes": [{"id": theme, "label": theme, "confidence": 0.9, "threshold": 0.4, "sentiment": mood, "spans": []}],
        "sentiment": mood,
        "justification": {"justified": kind == "reason", "confidence": 0.9, "kind": kind, "spans": []},
        "signals": [],
        "group": "detractor",
        "priority": 1,
        "priority_reason": "low",
        "needs_review": False,
        "redactions": [],
        "versions": {"model": "fake-1", "taxonomy": "default-1", "policy": "default-1"},
    }


def _row(workspace: str, uid: str, text: str, at: datetime) -> dict[str, Any]:
    said = effective(text)
    whole = {column.name: None for column in responses.columns}
    return whole | {
        "workspace": workspace,
        "uid": uid,
        "source": "",
        "id": f"s-{new_id()}",
        "digest": uid,
        "revision": 1,
        "received_at": at,
        "answered_at": at,
        "text": text,
        "metric": "nps",
        "score": 3.0,
        "scale_min": 0.0,
        "scale_max": 10.0,
        "touchpoint": "web",
        "attributes": {},
        "language": "en",
        "status": "ok",
        "sentiment": "negative",
        "signals": [],
        "needs_review": False,
        "corrected": False,
        "labels": [],
        "effective": said,
    }


def _analysis(row: dict[str, Any]) -> dict[str, Any]:
    keys = {"workspace": row["workspace"], "response": row["uid"], "revision": 1, "at": row["received_at"]}
    return {**keys, **row["effective"]["versions"], "result": row["effective"]}


def _vector(row: dict[str, Any], point: np.ndarray, encoder: str) -> dict[str, Any]:
    data = np.asarray(point, "<f2").tobytes()
    keys = {"workspace": row["workspace"], "response": row["uid"], "encoder": encoder, "part": 0}
    return {**keys, "start": 0, "end": len(row["text"]), "data": data}
