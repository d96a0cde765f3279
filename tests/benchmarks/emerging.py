"""Real dated answers lived through day by day, with issues put in at known times: what is told, how soon, how often.

`HOLOS_DATASETS=... python -m tests.benchmarks.emerging --cache DIR --half report` prints the tables; what is tuned is
tuned on `--half tune`. Answers are read once by the shipped model and kept in DIR. Issues are those that `nlp.cluster`
finds in the weeks before; new answers are placed in them, and those that come up are found by `nlp.births`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from nlp.emerging import Sensitivity
from tests.benchmarks.emerging_data import Answers, load
from tests.benchmarks.emerging_replay import Alarm, Issues, Replay, every, moment
from tests.benchmarks.emerging_sets import NAMES, START, Issue, in_order, issues_of, mixed, put_in, shuffle

SIZES = (8, 15, 30)
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
LEVELS = {"theme": {"theme"}, "cluster": {"cluster"}, "both": {"theme", "cluster"}}
SHUFFLES = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """An issue put in once; `found` says by level when it was told."""

    issue: Issue
    size: int
    first: datetime
    tenth: datetime
    found: dict[str, datetime | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--seeds", type=int, default=4, help="trials of each issue and size")
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
        print_injected(sets, sensitivity, options.half, options.step, options.seeds)


def print_flights(answers: Answers, sensitivity: Sensitivity) -> None:
    """The nine days of February 2015, hour by hour from the fifth on."""
    answers = in_order(answers)
    start, end = datetime(2015, 2, 20, tzinfo=UTC), datetime(2015, 2, 24, 12, tzinfo=UTC)
    print("February 2015, tweets to airlines\n\n| told at | of | answers | expected | labelled as cancelled flights |")
    print("|---|---|---|---|---|")
    for levels in LEVELS.values():
        known = Issues.of(answers.take(np.flatnonzero(answers.at < np.datetime64("2015-02-20"))))
        for alarm in Replay(answers, sensitivity, frozenset(levels), known).run(every(1, start, end)):
            share = np.mean(["Cancelled Flight" in answers.labels[row] for row in alarm.rows])
            of, name = alarm.finding, "+".join(sorted(levels))
            if alarm.wakes:
                what = f"{of.kind} {of.id} ({name})"
                print(f"| {alarm.at:%d %b %H:%M} | {what} | {of.observed} | {of.expected:.0f} | {share:.0%} |")
    print(flush=True)


def print_quiet(sets: dict[str, Answers], sensitivity: Sensitivity, half: str, step: int) -> None:
    """Alarms where nothing was put in: over answers as they came, and over the same in shuffled order."""
    print("| nothing put in | levels | weeks | alarms | a week |\n|---|---|---|---|---|")
    for name, answers, levels, hours in quiet_streams(sets, half, step):
        weeks, alarms = replay_quietly(answers, levels, sensitivity, hours, half)
        waking = [each for each in alarms if each.wakes]
        print(f"| {name} | {levels} | {weeks:.1f} | {len(waking)} | {len(waking) / weeks:.2f} |", flush=True)
        for alarm in waking:
            of = alarm.finding
            what = f"{of.kind} {of.id}: {of.observed} in {of.days} d, {of.expected:.1f} expected, q={of.q:.0e}"
            print(f"    {alarm.at:%Y-%m-%d %H:%M} {what}")
    print()


def quiet_streams(sets: dict[str, Answers], half: str, step: int) -> Iterator[tuple[str, Answers, str, int]]:
    """Name, answers, levels, hours between evaluations."""
    base, both = mixed(sets, ()), "theme+cluster"
    yield "nhs + bank at 100 a day, in true order", base, both, step
    for number in range(SHUFFLES):
        seed = 2 * number + (half == "tune")
        yield f"the same, shuffled ({number + 1})", shuffle(base, seed), both, step
    yield "bank, true dates (3 a day)", in_order(sets["bank_reviews_ru"]), both, 4 * step
    nhs = in_order(sets["nhs_fft_en"])
    yield "nhs, true dates (10 a day)", nhs.take(np.flatnonzero(nhs.at >= np.datetime64("2021-09-01"))), both, 4 * step


def replay_quietly(
    answers: Answers, levels: str, sensitivity: Sensitivity, step: int, half: str
) -> tuple[float, list[Alarm]]:
    """The half of the weeks after the history, and what was told in them."""
    start, end = moment(answers.at[0]) + timedelta(days=HISTORY), moment(answers.at[-1])
    middle = start + (end - start) / 2
    moments = every(step, start, middle) if half == "tune" else every(step, middle, end)
    known = answers.take(np.flatnonzero(answers.at < np.datetime64(moments[0].replace(tzinfo=None), "s")))
    replay = Replay(answers, sensitivity, frozenset(levels.split("+")), Issues.of(known))
    alarms = replay.run(moments)
    # what stands at the first look would have been told before
    return (moments[-1] - moments[0]) / timedelta(weeks=1), [each for each in alarms if each.at > moments[0]]


def print_injected(sets: dict[str, Answers], sensitivity: Sensitivity, half: str, step: int, seeds: int) -> None:
    """Issues of several sizes, put into a base without them."""
    hours = WITHIN / timedelta(hours=1)
    print(f"Told within {hours:.0f} h of the tenth answer, and median hours from the first answer to the alarm\n")
    print(f"| issue | answers in {SPREAD_DAYS} days | " + " | ".join(LEVELS) + " |\n|---|---|" + "---|" * len(LEVELS))
    trials: list[Trial] = []
    for issue in issues_of(sets):
        own = list(tried(issue, sets, sensitivity, half, step, seeds))
        print_trials(issue.name, own)
        trials += own
    print_trials("all new ones", [each for each in trials if not each.issue.chronic])
    print_trials("all chronic ones", [each for each in trials if each.issue.chronic])


def print_trials(name: str, trials: Sequence[Trial]) -> None:
    for size in SIZES:
        own = [each for each in trials if each.size == size]
        if not own:
            continue
        cells = [_cell(own, level) for level in LEVELS]
        print(f"| {name} | {size} | " + " | ".join(cells) + " |", flush=True)


def _cell(trials: Sequence[Trial], level: str) -> str:
    found = [(each, each.found[level]) for each in trials]
    hours = [(at - each.first) / timedelta(hours=1) for each, at in found if at is not None]
    in_time = sum(at is not None and at <= each.tenth + WITHIN for each, at in found)
    median = f", {np.median(hours):.0f} h" if hours else ""
    return f"{in_time / len(trials):.0%} ({in_time}/{len(trials)}{median})"


def tried(
    issue: Issue, sets: dict[str, Answers], sensitivity: Sensitivity, half: str, step: int, seeds: int
) -> Iterator[Trial]:
    """Trials at random times; those of the two halves share no random number."""
    base = mixed(sets, issue.without)
    last = int((base.at[-1] - START) / np.timedelta64(1, "D")) - SPREAD_DAYS - 3
    random = np.random.default_rng([*issue.name.encode(), half == "tune"])
    for _ in range(seeds):
        begins = START + np.timedelta64(int(random.integers(24 * (HISTORY + BEFORE.days), 24 * last)), "h")
        known = Issues.of(base.take(np.flatnonzero(base.at < begins - np.timedelta64(BEFORE))))
        for size in SIZES:
            yield one_trial(issue, base, known, begins, size, sensitivity, step, random)


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
    found = {}
    for level, levels in LEVELS.items():
        replay = Replay(answers, sensitivity, frozenset(levels), known.copy())
        replay.run(every(12, start - BEFORE, start))
        moments = every(step, start + timedelta(hours=step), tenth + WAIT)
        found[level] = next((now for now in moments if told_of(replay, now, ours)), None)
    return Trial(issue, size, first, tenth, found)


def told_of(replay: Replay, now: datetime, ours: np.ndarray) -> bool:
    """Whether this evaluation tells of the answers put in."""
    before = len(replay.alarms)
    replay.step(now)
    return any(each.wakes and ours[each.rows].mean() >= OURS for each in replay.alarms[before:])


if __name__ == "__main__":
    main()
