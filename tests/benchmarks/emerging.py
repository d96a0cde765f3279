"""Real dated answers lived through day by day, with issues put in at known times: what is told, how soon, how often.

`HOLOS_DATASETS=... python -m tests.benchmarks.emerging --cache DIR --half report` prints the tables; what is tuned is
tuned on `--half tune`. Answers are read once by the shipped model and kept in DIR. Issues are found again by the
clustering of `nlp.cluster` over the first weeks; new answers are placed and births found as the store does it.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from nlp.emerging import Sensitivity
from tests.benchmarks.emerging_data import SEEDS, Answers, load, together
from tests.benchmarks.emerging_replay import Alarm, Issues, Replay, every, moment

BASE_A_DAY = 100
SIZES = (8, 15, 30)
SPREAD_DAYS = 2
START = np.datetime64("2026-03-02T00:00:00")  # a Monday
HISTORY = 28
"""Days of the base before anything is evaluated; the clustering is of these."""
BEFORE = 2
"""Days of evaluations before an issue begins, so that what is told anyway has been told."""
WAIT = timedelta(hours=48)
TENTH = 10
CONTACT, TRANSPORT, REMOTE = "Contacting services", "Transport to/ from services", "Дистанционное обслуживание"
"""Labels of the base's own data: put back into it as an issue, they are broad, and like the rest."""
OURS = 0.5
"""Share of an alarm's answers from which it is about the issue put in."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Complaints of one kind, put into a base that has none with these labels."""

    name: str
    base: str
    rows: Answers


@dataclass(frozen=True, slots=True)
class Trial:
    issue: str
    size: int
    tenth: datetime
    first: datetime
    found: dict[str, datetime | None]
    """By level (theme, cluster, either): when it was told."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--seeds", type=int, default=2, help="trials of each issue and size")
    parser.add_argument("--step", type=int, default=3, help="hours between evaluations (the product: 1)")
    parser.add_argument("--set", nargs="*", default=[], help="sensitivity to try: rate=0.05 ratio=1.5")
    parser.add_argument("--only", choices=("quiet", "injected", "flights"))
    options = parser.parse_args()
    tried = {name: float(value) for name, _, value in (word.partition("=") for word in options.set)}
    sensitivity = replace(Sensitivity(), **tried)
    sets = {
        name: load(name, options.cache) for name in ("nhs_fft_en", "bank_reviews_ru", "us_airline_tweets_en", SEEDS)
    }
    print(f"{options.half}: {sensitivity}, evaluated every {options.step} h\n")
    if options.only in (None, "flights"):
        print_flights(sets["us_airline_tweets_en"], sensitivity)
    if options.only in (None, "quiet"):
        print_quiet(sets, sensitivity, options)
    if options.only in (None, "injected"):
        print_injected(sets, sensitivity, options)


def print_flights(answers: Answers, sensitivity: Sensitivity) -> None:
    """The nine days of February 2015, hour by hour from the third on."""
    answers = in_order(answers)
    replay = Replay(answers, sensitivity, frozenset({"theme"}))
    alarms = replay.run(every(1, datetime(2015, 2, 20, tzinfo=UTC), datetime(2015, 2, 24, 12, tzinfo=UTC)))
    print("February 2015, tweets to airlines:\n\n| told at | of | answers | expected | labelled as cancelled flights |")
    print("|---|---|---|---|---|")
    for alarm in (each for each in alarms if each.wakes):
        share = np.mean(["Cancelled Flight" in answers.labels[row] for row in alarm.rows])
        of = alarm.finding
        print(f"| {alarm.at:%d %b %H:%M} | {of.kind} {of.id} | {of.observed} | {of.expected:.0f} | {share:.0%} |")
    print(flush=True)


def print_quiet(sets: dict[str, Answers], sensitivity: Sensitivity, options: argparse.Namespace) -> None:
    """Alarms where nothing was put in: over answers as they came, and over the same in shuffled order."""
    print("| nothing put in | levels | weeks | alarms | a week |\n|---|---|---|---|---|")
    base = mixed(sets, ())
    for name, answers, levels, step in quiet_streams(sets, base, options.half, options.step):
        began = time.perf_counter()
        weeks, alarms = replay_quietly(answers, levels, sensitivity, step, options.half)
        waking = [each for each in alarms if each.wakes]
        print(f"| {name} | {levels} | {weeks:.1f} | {len(waking)} | {len(waking) / weeks:.2f} |", flush=True)
        for alarm in waking:
            of = alarm.finding
            what = f"{of.kind} {of.id}: {of.observed} in {of.days} d, {of.expected:.1f} expected, q={of.q:.0e}"
            print(f"    {alarm.at:%Y-%m-%d %H:%M} {what}")
        print(f"    ({time.perf_counter() - began:.0f} s, falling: {len(alarms) - len(waking)})", flush=True)
    print()


def quiet_streams(sets: dict[str, Answers], base: Answers, half: str, step: int) -> Iterator[tuple]:
    yield "nhs + bank at 100 a day, as they came", base, "theme+cluster", step
    for seed in range(3):
        shuffled = shuffle(base, seed + (0 if half == "tune" else 100))
        yield f"the same, shuffled ({seed})", shuffled, "theme+cluster", step
    yield "bank, true dates (3 a day)", in_order(sets["bank_reviews_ru"]), "theme+cluster", 12
    nhs = in_order(sets["nhs_fft_en"])
    yield "nhs, true dates", nhs.take(np.flatnonzero(nhs.at >= np.datetime64("2021-09-01"))), "theme", 12


def replay_quietly(
    answers: Answers, levels: str, sensitivity: Sensitivity, step: int, half: str
) -> tuple[float, list[Alarm]]:
    """The half of the weeks after the history, and what was told in them."""
    start, end = moment(answers.at[0]) + timedelta(days=HISTORY), moment(answers.at[-1])
    middle = start + (end - start) / 2
    moments = every(step, start, middle) if half == "tune" else every(step, middle, end)
    known = answers.take(np.flatnonzero(answers.at < np.datetime64(moments[0].replace(tzinfo=None), "s")))
    issues = Issues.of(known) if "cluster" in levels else None
    replay = Replay(answers, sensitivity, frozenset(levels.split("+")), issues)
    alarms = replay.run(moments)
    # what stands at the first look has been told at once, as a new workspace is; it is no week's alarm
    return (moments[-1] - moments[0]) / timedelta(weeks=1), [each for each in alarms if each.at > moments[0]]


def print_injected(sets: dict[str, Answers], sensitivity: Sensitivity, options: argparse.Namespace) -> None:
    """Issues of several sizes, put into a base without them."""
    trials: list[Trial] = []
    for issue in issues_of(sets):
        trials += tried(issue, sets, sensitivity, options)
        print_trials(issue.name, [each for each in trials if each.issue == issue.name])
    print_trials("all", trials)


def print_trials(name: str, trials: Sequence[Trial]) -> None:
    if name == "all":
        print()
    for size in SIZES:
        own = [each for each in trials if each.size == size]
        cells = []
        for level in ("theme", "cluster", "either"):
            hours = sorted(
                (each.found[level] - each.first) / timedelta(hours=1) for each in own if each.found[level] is not None
            )
            intime = sum(
                each.found[level] is not None and each.found[level] <= each.tenth + timedelta(hours=24) for each in own
            )
            median = f"{np.median(hours):.0f}" if hours else "-"
            cells.append(f"{intime / len(own):.0%} ({intime}/{len(own)}), {median} h")
        print(f"| {name} | {size} | " + " | ".join(cells) + " |", flush=True)


def tried(
    issue: Issue, sets: dict[str, Answers], sensitivity: Sensitivity, options: argparse.Namespace
) -> Iterator[Trial]:
    base = mixed(sets, (issue.base,)) if issue.base else mixed(sets, ())
    last = (base.at[-1] - START).astype("timedelta64[D]").astype(int) - SPREAD_DAYS - 3
    random = np.random.default_rng([len(issue.name), 0 if options.half == "tune" else 1])
    for _ in range(options.seeds):
        day = int(random.integers(HISTORY + BEFORE, last))
        begins = START + np.timedelta64(day, "D") + np.timedelta64(int(random.integers(0, 24)), "h")
        known = Issues.of(base.take(np.flatnonzero(base.at < begins - np.timedelta64(BEFORE, "D"))))
        for size in SIZES:
            yield one_trial(issue, base, known.copy(), begins, size, sensitivity, options.step, random)


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
    """The issue's answers fall evenly at random over two days."""
    chosen = issue.rows.take(random.choice(len(issue.rows.at), size, replace=len(issue.rows.at) < size))
    seconds = np.sort(random.integers(0, SPREAD_DAYS * 86_400, size))
    chosen = replace(chosen, at=begins + seconds.astype("timedelta64[s]"))
    answers = together([base, chosen])
    order = np.argsort(answers.at, kind="stable")
    ours = order >= len(base.at)
    answers = answers.take(order)
    first, tenth = moment(chosen.at[0]), moment(chosen.at[min(TENTH, size) - 1])
    found: dict[str, datetime | None] = {}
    for level, levels in (("theme", {"theme"}), ("cluster", {"cluster"}), ("either", {"theme", "cluster"})):
        replay = Replay(answers, sensitivity, frozenset(levels), known.copy())
        replay.run(every(12, moment(begins) - timedelta(days=BEFORE), moment(begins)))
        found[level] = next(
            (
                now
                for now in every(step, moment(begins) + timedelta(hours=step), max(tenth, first) + WAIT)
                if told_of(replay, now, ours)
            ),
            None,
        )
    return Trial(issue.name, size, tenth, first, found)


def told_of(replay: Replay, now: datetime, ours: np.ndarray) -> bool:
    """Whether this evaluation tells of the answers put in."""
    before = len(replay.alarms)
    replay.step(now)
    return any(each.wakes and ours[each.rows].mean() >= OURS for each in replay.alarms[before:])


def issues_of(sets: dict[str, Answers]) -> list[Issue]:
    air, nhs, bank, seed = (sets[name] for name in ("us_airline_tweets_en", "nhs_fft_en", "bank_reviews_ru", SEEDS))
    return [
        Issue("lost luggage (en)", "", labelled(air, "Lost Luggage")),
        Issue("cancelled flights (en)", "", labelled(air, "Cancelled Flight")),
        Issue("crew (en)", "", labelled(air, "Flight Attendant Complaints")),
        Issue("contacting the surgery (en, same kind)", CONTACT, labelled(nhs, CONTACT)),
        Issue("transport (en, same kind)", TRANSPORT, labelled(nhs, TRANSPORT)),
        Issue(
            "online bank (ru, same kind)", "Дистанционное обслуживание", labelled(bank, "Дистанционное обслуживание")
        ),
        Issue("late delivery (pl+uk+ru)", "", labelled(seed, "delivery.time", ("pl", "uk", "ru"))),
        Issue("app (pl+uk)", "", labelled(seed, "digital.reliability", ("pl", "uk"))),
    ]


def labelled(answers: Answers, label: str, languages: Sequence[str] = ()) -> Answers:
    """Complaints that people gave this label."""
    held = np.array([label in found for found in answers.labels]) & answers.complaints
    if languages:
        held &= np.isin(answers.language, languages)
    return answers.take(np.flatnonzero(held))


def mixed(sets: dict[str, Answers], without: Sequence[str]) -> Answers:
    """English and Russian answers of two trades in one workspace, BASE_A_DAY a day, each in its true order."""
    parts = []
    dated = [in_order(sets[name]) for name in ("nhs_fft_en", "bank_reviews_ru")]
    days = sum(len(each.at) for each in dated) / BASE_A_DAY
    for answers in dated:
        place = np.arange(len(answers.at)) / len(answers.at) * days * 86_400
        moved = replace(answers, at=START + place.astype("timedelta64[s]"))
        kept = [row for row, found in enumerate(answers.labels) if not set(found) & set(without)]
        parts.append(moved.take(np.array(kept)))
    return in_order(together(parts))


def in_order(answers: Answers) -> Answers:
    """Those with a time, by time; dates without one are spread over their day."""
    known = answers.take(np.flatnonzero(~np.isnat(answers.at)))
    midnight = known.at == known.at.astype("datetime64[D]")
    spread = np.random.default_rng(0).integers(7 * 3600, 22 * 3600, len(known.at)).astype("timedelta64[s]")
    known = replace(known, at=np.where(midnight, known.at + spread, known.at))
    return known.take(np.argsort(known.at, kind="stable"))


def shuffle(answers: Answers, seed: int) -> Answers:
    """The same answers at each other's times: whatever rose in truth rises no more."""
    order = np.random.default_rng(seed).permutation(len(answers.at))
    return replace(answers.take(order), at=answers.at)


if __name__ == "__main__":
    main()
