"""Many callers at once against a running server; every answer is checked against the text it belongs to.

python tests/benchmarks/load.py http://127.0.0.1:3000 --callers 64 --seconds 60
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

SENTENCES = (
    "Kurier spóźnił się trzy dni",
    "Obsługa była bardzo miła i pomocna",
    "Доставили швидко, але коробка була пошкоджена",
    "Всё понравилось, спасибо за быстрый ответ",
    "The app keeps crashing and support never answered me",
)
"""Made-up verbatims without anything to redact, so that an answer's text is the text sent."""


@dataclass(slots=True)
class Report:
    """What came back: seconds of each accepted request, statuses, and answers that were somebody else's."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    elapsed: float = 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the accepted requests was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        times = f"p50 {self.percentile(0.5) * 1000:.1f} ms, p99 {self.percentile(0.99) * 1000:.1f} ms"
        return f"{len(self.seconds) / self.elapsed:.0f} requests/s, {times}, {statuses}, wrong answers: {self.wrong}"


async def load(url: str, callers: int, seconds: float, items: int = 1) -> Report:
    """`callers` clients, each sending its next request when the last was answered, for `seconds`."""
    report = Report()
    numbers = itertools.count()
    limits = httpx.Limits(max_connections=callers, max_keepalive_connections=callers)
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:

        async def caller() -> None:
            while time.monotonic() - started < seconds:
                await _ask(client, report, [next(numbers) for _ in range(items)])

        await asyncio.gather(*(caller() for _ in range(callers)))
    report.elapsed = time.monotonic() - started
    return report


async def _ask(client: httpx.AsyncClient, report: Report, numbers: list[int]) -> None:
    texts = [f"{SENTENCES[number % len(SENTENCES)]} ({number})" for number in numbers]
    asked = [{"id": f"r{number}", "text": text} for number, text in zip(numbers, texts, strict=True)]
    started = time.monotonic()
    answer = await client.post("/v1/classify", json={"items": asked})
    report.statuses[answer.status_code] += 1
    if answer.status_code != 200:
        await asyncio.sleep(0.05)
        return
    report.seconds.append(time.monotonic() - started)
    found = [(item["id"], item["text"].casefold()) for item in answer.json()["items"]]
    report.wrong += found != [(item["id"], item["text"].casefold()) for item in asked]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--items", type=int, default=1, help="texts in one request")
    given = parser.parse_args()
    report = asyncio.run(load(given.url, given.callers, given.seconds, given.items))
    print(report)
    return 1 if report.wrong or any(status >= 500 and status != 503 for status in report.statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
