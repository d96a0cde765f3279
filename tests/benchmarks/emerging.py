"""Real dated answers lived through day by day, with issues put in at known times: what is told, how soon, how often.

`HOLOS_DATASETS=... python -m tests.benchmarks.emerging --cache DIR --half report` prints the tables; what is tuned is
tuned on `--half tune`, whose issues and times are others. Answers are read once and kept in DIR. Issues are those that
`nlp.cluster` finds in the weeks before; new answers are placed in them, those that come up are found by `nlp.births`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from nlp.emerging import Sensitivity
from tests.benchmarks.emerging_data import Answers, load
from tests.benchmarks.emerging_replay import Alarm, Issues, Replay, every, moment
from tests.benchmarks.emerging_sets import (
    NAMES,
    REPORT,
    START,
    TUNE,
    Issue,
    in_order,
    issues_of,
    mixed,
    put_in,
    shuffle,
)

SIZES = (15,)
SPREAD_DAYS = 2
HISTORY = 28
"""Days of the base before anything is evaluated; the clustering is of these."""
BEFORE = timedelta(days=2)
"""Evaluations before an issue begins, so that what is told anyway has been told."""
TENTH = 10
WITHIN = timedelta(hours=24)
"""After an issue's tenth answer (its last, of a smaller one)."""
WAIT = timedelta(hours=48)
OURS = 0.5
"""Share of an alarm's answers from which it is about the issue put in."""
LEVELS = ("theme", "cluster")
SHUFFLES = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """An issue put in once; `found` says when it was told, if it was."""

    issue: Issue
    size: int
    first: datetime
    tenth: datetime
    found: datetime | None

    @property
    def in_time(self) -> bool:
        return self.found is not None and self.found <= self.tenth + WITHIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--half", choices=(TUNE, REPORT), default=REPORT)
    parser.add_argument("--seeds", type=int, default=4, help="trials of each issue and size")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--step", type=int, default=3, help="hours between evaluations (the product: 1)")
    parser.add_argument("--set", nargs="*", default=[], help="sensitivity to try: rate=0.05 ratio=1.5")
    parser.add_argument("--only", choices=("quiet", "injected", "flights"))
    options = parser.parse_args()
    given = {name: float(value) for name, _, value in (word.partition("=") for word in options.set)}
    sensitivity = replace(Sensitivity(), **given)
    sets = {name: load(name, options.cache) for name in NAMES}
    print(f"{options.half}: {sensitivity}, evaluated every {options.step} h\n")
    if options.only in (None, "flights"):
        print_flights(sets["us_airline_tweets_en"], sensitivity)
    if options.only in (None, "quiet"):
        print_quiet(sets, sensitivity, options.half, options.step)
    if options.only in (None, "injected"):
        print_injected(sets, sensitivity, options)


def print_flights(answers: Answers, sensitivity: Sensitivity) -> None:
    """The nine days of February 2015, hour by hour from the fifth on."""
    answers = in_order(answers)
    start, end = datetime(2015, 2, 20, tzinfo=UTC), datetime(2015, 2, 24, 12, tzinfo=UTC)
    print("February 2015, tweets to airlines\n\n| told at | of | answers | expected | labelled as cancelled flights |")
    print("|---|---|---|---|---|")
    known = Issues.of(answers.take(np.flatnonzero(answers.at < np.datetime64("2015-02-20"))))
    for alarm in Replay(answers, sensitivity, frozenset(LEVELS), known).run(every(1, start, end)):
        share = np.mean(["Cancelled Flight" in answers.labels[row] for row in alarm.rows])
        of = alarm.finding
        if alarm.wakes:
            told = f"{of.kind} {of.id} | {of.observed} in {of.days} d"
            print(f"| {alarm.at:%d %b %H:%M} | {told} | {of.expected:.0f} | {share:.0%} |")
    print(flush=True)


def print_quiet(sets: dict[str, Answers], sensitivity: Sensitivity, half: str, step: int) -> None:
    """Alarms where nothing was put in: over answers as they came, and over the same in shuffled order."""
    print("| nothing put in | weeks | alarms | a week |\n|---|---|---|---|")
    total, told = 0.0, 0
    for name, answers, hours, whole in quiet_streams(sets, half, step):
        weeks, alarms = replay_quietly(answers, sensitivity, hours, None if whole else half)
        waking = [each for each in alarms if each.wakes]
        total, told = total + weeks, told + len(waking)
        print(f"| {name} | {weeks:.1f} | {len(waking)} | {len(waking) / weeks:.2f} |", flush=True)
        for alarm in waking:
            of = alarm.finding
            what = f"{of.kind} {of.id}: {of.observed} in {of.days} d, {of.expected:.1f} expected, q={of.q:.0e}"
            print(f"    {alarm.at:%Y-%m-%d %H:%M} {what}: {answers.texts[alarm.rows[0]][:80]!r}")
    print(f"| all | {total:.1f} | {told} | {told / total:.2f} |\n", flush=True)


def quiet_streams(sets: dict[str, Answers], half: str, step: int) -> Iterator[tuple[str, Answers, int, bool]]:
    """Name, answers, hours between evaluations, whether the whole of it belongs to this half."""
    base = mixed(sets, ())
    yield "nhs + bank at 100 a day, in true order", base, step, False
    for number in range(SHUFFLES):
        yield f"the same, shuffled ({number + 1})", shuffle(base, 2 * number + (half == TUNE)), step, True
    yield "bank, true dates (3 a day)", in_order(sets["bank_reviews_ru"]), 4 * step, False
    nhs = in_order(sets["nhs_fft_en"])
    yield "nhs, true dates (10 a day)", nhs.take(np.flatnonzero(nhs.at >= np.datetime64("2021-09-01"))), 4 * step, False


def replay_quietly(
    answers: Answers, sensitivity: Sensitivity, step: int, half: str | None
) -> tuple[float, list[Alarm]]:
    """The weeks after the history, or a half of them, and what was told in them."""
    start, end = moment(answers.at[0]) + timedelta(days=HISTORY), moment(answers.at[-1])
    middle = start + (end - start) / 2
    moments = every(step, middle if half == REPORT else start, middle if half == TUNE else end)
    known = answers.take(np.flatnonzero(answers.at < np.datetime64(moments[0].replace(tzinfo=None), "s")))
    alarms = Replay(answers, sensitivity, frozenset(LEVELS), Issues.of(known)).run(moments)
    # what stands at the first look would have been told before
    return (moments[-1] - moments[0]) / timedelta(weeks=1), [each for each in alarms if each.at > moments[0]]


def print_injected(sets: dict[str, Answers], sensitivity: Sensitivity, options: argparse.Namespace) -> None:
    """Issues of several sizes, put into a base without them."""
    hours = WITHIN / timedelta(hours=1)
    print(f"Told within {hours:.0f} h of the tenth answer; median hours from the first answer to the alarm\n")
    print(f"| issue | answers in {SPREAD_DAYS} days | told in time | 95 % interval | median |\n|---|---|---|---|---|")
    trials: list[Trial] = []
    bases: dict[tuple[str, ...], tuple[Answers, Issues]] = {}
    for issue in issues_of(sets, options.half):
        if issue.without not in bases:
            bases[issue.without] = base_of(mixed(sets, issue.without))
        own = list(tried(issue, *bases[issue.without], sensitivity, options))
        print_trials(issue.name, own, options.sizes)
        trials += own
    print_trials("all new ones", [each for each in trials if not each.issue.chronic], options.sizes)
    print_trials("all chronic ones", [each for each in trials if each.issue.chronic], options.sizes)


def print_trials(name: str, trials: Sequence[Trial], sizes: Sequence[int]) -> None:
    for size in sizes:
        own = [each for each in trials if each.size == size]
        if not own:
            continue
        count = sum(each.in_time for each in own)
        low, high = binomtest(count, len(own)).proportion_ci(method="wilson")
        hours = [(each.found - each.first) / timedelta(hours=1) for each in own if each.found is not None]
        median = f"{np.median(hours):.0f} h" if hours else "never"
        told = f"{count / len(own):.0%} ({count}/{len(own)})"
        print(f"| {name} | {size} | {told} | {low:.0%}-{high:.0%} | {median} |", flush=True)


def base_of(base: Answers) -> tuple[Answers, Issues]:
    """A base and the issues of its first HISTORY days."""
    return base, Issues.of(base.take(np.flatnonzero(base.at < START + np.timedelta64(HISTORY, "D"))))


def tried(
    issue: Issue, base: Answers, known: Issues, sensitivity: Sensitivity, options: argparse.Namespace
) -> Iterator[Trial]:
    """Trials at random times; those of the two halves share no random number."""
    last = int((base.at[-1] - START) / np.timedelta64(1, "D")) - SPREAD_DAYS - 3
    random = np.random.default_rng([*issue.name.encode(), options.half == TUNE])
    for _ in range(options.seeds):
        begins = START + np.timedelta64(int(random.integers(24 * (HISTORY + BEFORE.days), 24 * last)), "h")
        for size in options.sizes:
            yield one_trial(issue, base, known, begins, size, sensitivity, options.step, random)


def one_trial(
    issue: Issue,
    base: Answers,
    known: Issues,
    begins: np.datetime64,
    size: int,
    sensitivity: Sensitivity,
    step: int,
    random: np.random.Generator,
) -> Trial:
    """The issue's answers come at random within two days."""
    seconds = np.sort(random.integers(0, SPREAD_DAYS * 86_400, size))
    answers, ours = put_in(base, issue.rows, begins + seconds.astype("timedelta64[s]"), random)
    own = answers.at[ours]
    first, tenth, start = moment(own[0]), moment(own[min(TENTH, size) - 1]), moment(begins)
    replay = Replay(answers, sensitivity, frozenset(LEVELS), known.copy())
    replay.run(every(12, start - BEFORE, start))
    moments = every(step, start + timedelta(hours=step), tenth + WAIT)
    found = next((now for now in moments if told_of(replay, now, ours)), None)
    return Trial(issue, size, first, tenth, found)


def told_of(replay: Replay, now: datetime, ours: np.ndarray) -> bool:
    """Whether this evaluation tells of the answers put in."""
    before = len(replay.alarms)
    replay.step(now)
    return any(each.wakes and ours[each.rows].mean() >= OURS for each in replay.alarms[before:])


if __name__ == "__main__":
    main()
