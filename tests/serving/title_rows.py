"""Issues put into the database for the tests of their titles, and the work that asks for these."""

import asyncio
from dataclasses import dataclass
from typing import Any

from completions import says, with_titles
from issue_points import ENCODER
from issue_rows import PROBLEMS, Answers
from loop import START
from receivers import Receiver
from sqlalchemy import insert, select, update

from serving.issues.writing import new_issue, put
from serving.parts import Parts
from serving.store.issue_tables import clusters
from serving.store.tables import responses
from serving.titles.work import run_once

FACTS = {"themes": {"delivery.time": 0.9}, "languages": {"en": 1.0}, "sentiment": {"negative": 1.0}, "touchpoints": {}}
FACTS |= {"units": {}, "mean_score": 3.0, "score_gap": -4.0, "scale": None}


@dataclass
class Issues:
    """Issues put into the database as a run leaves them."""

    parts: Parts
    workspace: str = "acme"

    def add(self, problem: str, size: int = 6, **more: Any) -> list[str]:
        """An issue that is called as its problem is, of answers with this `respondent` or none; their uids."""
        answers = Answers(self.parts.database, self.workspace)
        answers.made = 1000 * (1 + [*PROBLEMS].index(problem))
        uids = answers.about(problem, size, respondent=more.pop("respondent", None))
        words = [*PROBLEMS[problem][1:]]
        columns = {"label": words[0], "keywords": words, "quotes": self.quotes(uids[:3]), "facts": FACTS, "size": size}
        columns |= {"first_seen": START, "last_seen": START, "trend": None, "impact": 24.0, "encoder": ENCODER}
        with self.parts.database.write() as connection:
            row = new_issue(self.workspace, problem, {**columns, "centroid": b"", **more}, START)
            connection.execute(insert(clusters).values(row))
            put(connection, self.workspace, [((uid, problem), 0.9) for uid in uids], "run", START)
        return uids

    def quotes(self, uids: list[str]) -> list[dict[str, str]]:
        with self.parts.database.read() as connection:
            asked = select(responses.c.uid, responses.c.text).where(responses.c.uid.in_(uids))
            texts = dict(connection.execute(asked).all())
        return [{"response": uid, "text": texts[uid]} for uid in uids]

    def change(self, id: str, **values: Any) -> None:
        with self.parts.database.write() as connection:
            connection.execute(update(clusters).where(clusters.c.id == id).values(**values))

    def row(self, id: str) -> Any:
        with self.parts.database.read() as connection:
            return connection.execute(select(clusters).where(clusters.c.id == id)).mappings().one()


def turn(parts: Parts) -> int:
    return asyncio.run(run_once(parts))


def titled(parts: Parts, line: str) -> None:
    """Has every issue called by this line."""
    with Receiver(says(line)) as receiver:
        while turn(with_titles(parts, receiver)):
            pass
