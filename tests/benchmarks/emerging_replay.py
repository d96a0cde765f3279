"""A workspace's answers lived through again: what would have been told, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from nlp.births import births
from nlp.cluster import PLACED, cluster
from nlp.emerging import Finding, Sensitivity, findings
from nlp.spread import Spread
from serving.issues.alarms import Told, subject_of, window_rows, worth_telling
from serving.issues.online import JOINED
from serving.issues.series import CLUSTER, DAYS, Columns, Key, tally, theme_marks
from tests.benchmarks.emerging_data import COMPLAINING, Answers

UTC_ZONE = ZoneInfo("UTC")
SMALLEST = 5


@dataclass(eq=False)
class Issues:
    """A stand-in for what the product does between two full runs: new answers join known issues, births are looked for.

    Issues from number `first_born` on came up since the clustering; `founders` are their rows of the stream.
    """

    spread: Spread
    centroids: np.ndarray
    names: list[str]
    first_born: int
    founders: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, history: Answers) -> "Issues":
        """The clustering of the complaints so far."""
        said = history.take(np.flatnonzero(history.complaints))
        found = cluster(said.vectors, said.texts, list(said.language), smallest=SMALLEST)
        centres = found.part_centroids if len(found.part_centroids) else found.centroids
        whole = [issue for issue in range(len(found.centroids)) if issue not in set(found.part_of.tolist())]
        centroids = np.concatenate([centres, found.centroids[whole]]) if len(found.part_centroids) else centres
        return cls(found.spread, centroids, [f"c{number}" for number in range(len(centroids))], len(centroids))

    def copy(self) -> "Issues":
        return replace(self, names=list(self.names), founders=list(self.founders))

    def place(self, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """int (n,): the issue each of these rows of the stream is in, -1 for none."""
        cosine = points @ self.centroids.T
        nearest = cosine.argmax(axis=1)
        best = cosine[np.arange(len(points)), nearest]
        # what joins an issue that came up joins it as new answers do, what was there before as a full run places it
        placed = np.where(best >= np.where(nearest < self.first_born, PLACED, JOINED), nearest, -1)
        for number, founders in reversed(list(enumerate(self.founders, self.first_born))):
            placed[np.isin(rows, founders)] = number
        return placed

    def give_birth(self, points: np.ndarray, age: np.ndarray, rows: np.ndarray) -> None:
        """New issues where complaints have become dense."""
        for each in births(points, age, self.place(points, rows) >= self.first_born):
            self.centroids = np.concatenate([self.centroids, each.centre[None]])
            self.founders.append(rows[each.members])
            self.names.append(f"b{len(self.names)}")


@dataclass(frozen=True, slots=True, eq=False)
class Alarm:
    """What was told, when, and of which of the stream's answers."""

    at: datetime
    finding: Finding
    rows: np.ndarray

    @property
    def wakes(self) -> bool:
        return self.finding.direction != "falling"


@dataclass(eq=False)
class Replay:
    """One workspace whose clock is turned; answers must be in the order of their times."""

    answers: Answers
    sensitivity: Sensitivity
    levels: frozenset[str] = frozenset({"theme", CLUSTER})
    issues: Issues | None = None
    told: list[Told] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        mentions = [
            (row, theme, mood in COMPLAINING)
            for row, themes in enumerate(self.answers.themes)
            for theme, mood in themes.items()
        ]
        self._themes = theme_marks(mentions) if "theme" in self.levels else {}
        self._unhappy = self.answers.complaints
        with_issues = self.issues is not None and CLUSTER in self.levels
        self._points = (
            self.issues.spread.apply(self.answers.vectors, list(self.answers.language)) if with_issues else None
        )
        self._nothing = np.full(len(self.answers.at), None, dtype=object)

    def run(self, moments: Sequence[datetime]) -> list[Alarm]:
        for now in moments:
            self.step(now)
        return self.alarms

    def step(self, now: datetime) -> None:
        """One evaluation, as the product makes it every hour."""
        end = np.datetime64(now.replace(tzinfo=None), "s")
        first, last = np.searchsorted(self.answers.at, [end - np.timedelta64(DAYS, "D"), end], side="right")
        nothing = self._nothing[first:last]
        marks = {**_within(self._themes, first, last), **self._clusters(first, last, end)}
        at = self.answers.at[first:last].astype("datetime64[us]")
        columns = Columns(at, self._unhappy[first:last], nothing, nothing, nothing, marks)
        counted = tally(columns, now, UTC_ZONE)
        found = findings(counted.series, counted.totals, counted.weekdays, self.sensitivity)
        for finding in worth_telling(found, columns, self.told, now, self.sensitivity):
            self.told.append(Told(*subject_of(finding), finding.direction, finding.observed, finding.days, now))
            self.alarms.append(Alarm(now, finding, window_rows(finding, columns, now) + first))

    def _clusters(self, first: int, last: int, end: np.datetime64) -> dict[Key, np.ndarray]:
        if self._points is None:
            return {}
        rows = first + np.flatnonzero(self._unhappy[first:last] & (np.abs(self._points[first:last]).sum(axis=1) > 0))
        points, age = self._points[rows], (end - self.answers.at[rows]) / np.timedelta64(1, "D")
        self.issues.give_birth(points, age, rows)
        placed = self.issues.place(points, rows)
        found = {number: rows[placed == number] - first for number in np.unique(placed[placed >= 0])}
        return {(CLUSTER, self.issues.names[number]): members for number, members in found.items()}


def every(hours: int, start: datetime, end: datetime) -> list[datetime]:
    """Moments from the start up to and including the end."""
    count = int((end - start) / timedelta(hours=hours))
    return [start + timedelta(hours=hours * number) for number in range(count + 1)]


def moment(at: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(at.astype("datetime64[s]").astype(np.int64)), UTC)


def _within(marks: Mapping[Key, np.ndarray], first: int, last: int) -> dict[Key, np.ndarray]:
    found = {}
    for key, rows in marks.items():
        low, high = np.searchsorted(rows, [first, last])
        if high > low:
            found[key] = rows[low:high] - first
    return found
