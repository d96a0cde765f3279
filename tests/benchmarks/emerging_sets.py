"""The workspaces that a replay lives through, and the issues that are put into them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.benchmarks.emerging_data import NAMES, SEEDS, Answers, together

__all__ = ["NAMES", "REPORT", "START", "TUNE", "Issue", "in_order", "issues_of", "mixed", "put_in", "shuffle"]

BASE_A_DAY = 100
START = np.datetime64("2026-03-02T00:00:00")  # a Monday
CONTACT, REMOTE, MORTGAGE = "Contacting services", "Дистанционное обслуживание", "Ипотека"
FOOD, MEDICINES = "Food & drink provision & facilities", "Supplying & understanding medication"
DEPOSITS, SHORTAGE, TRANSPORT = "Вклады", "Number & deployment of staff", "Transport to/ from services"
REPORT, TUNE = "report", "tune"
"""Halves of the evaluation: what is tuned is tuned on other issues and other times than those that are reported."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Complaints of one kind, put into a base that has none with the labels `without`.

    `chronic`: the base complains of much the same all the time, so that it is no new issue but a little more of one.
    """

    name: str
    without: tuple[str, ...]
    rows: Answers
    chronic: bool = False


def issues_of(sets: dict[str, Answers], half: str = REPORT) -> list[Issue]:
    """Of another trade, of the base's own, and in languages that the base has not; two chronic ones are reported."""
    air, nhs, bank, seed = (sets[name] for name in ("us_airline_tweets_en", "nhs_fft_en", "bank_reviews_ru", SEEDS))
    if half == TUNE:
        return [
            Issue("late flight (en)", (), complaints(air, "Late Flight")),
            Issue("damaged luggage (en)", (), complaints(air, "Damaged Luggage")),
            Issue("booking a flight (en)", (), complaints(air, "Flight Booking Problems")),
            Issue("deposits (ru, base's trade)", (DEPOSITS,), complaints(bank, DEPOSITS)),
            Issue("too few staff (en, base's trade)", (SHORTAGE,), complaints(nhs, SHORTAGE)),
            Issue("transport (en, base's trade)", (TRANSPORT,), complaints(nhs, TRANSPORT)),
            Issue("prices (pl, ru)", (), complaints(seed, "price.level", ("pl", "ru"))),
            Issue("queues (uk, ru)", (), complaints(seed, "process.waiting", ("uk", "ru"))),
        ]
    return [
        Issue("lost luggage (en)", (), complaints(air, "Lost Luggage")),
        Issue("cancelled flights (en)", (), complaints(air, "Cancelled Flight")),
        Issue("cabin crew (en)", (), complaints(air, "Flight Attendant Complaints")),
        Issue("mortgage (ru, base's trade)", (MORTGAGE,), complaints(bank, MORTGAGE)),
        Issue("food (en, base's trade)", (FOOD,), complaints(nhs, FOOD)),
        Issue("medicines (en, base's trade)", (MEDICINES,), complaints(nhs, MEDICINES)),
        Issue("late delivery (pl, uk, ru)", (), complaints(seed, "delivery.time", ("pl", "uk", "ru"))),
        Issue("app down (pl, uk)", (), complaints(seed, "digital.reliability", ("pl", "uk"))),
        Issue("surgery's telephone (en)", (CONTACT,), complaints(nhs, CONTACT, words="phone|call|ring"), True),
        Issue("chat of the bank (ru)", (REMOTE,), complaints(bank, REMOTE, words="чат"), True),
    ]


def complaints(answers: Answers, label: str, languages: Sequence[str] = (), words: str = "") -> Answers:
    """Complaints that people gave this label, in these languages and with one of these words where some are given."""
    held = np.array([label in found for found in answers.labels]) & answers.complaints
    held &= np.array([re.search(words, text.lower()) is not None for text in answers.texts])
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
        parts.append(
            moved.take(np.array([row for row, found in enumerate(answers.labels) if not set(found) & set(without)]))
        )
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


def put_in(base: Answers, pool: Answers, times: np.ndarray, random: np.random.Generator) -> tuple[Answers, np.ndarray]:
    """The base with answers out of a pool at these times, in order, and which are those, bool."""
    chosen = pool.take(random.choice(len(pool.at), len(times), replace=len(pool.at) < len(times)))
    answers = together([base, replace(chosen, at=times)])
    order = np.argsort(answers.at, kind="stable")
    return answers.take(order), order >= len(base.at)
