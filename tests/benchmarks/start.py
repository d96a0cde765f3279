"""How long `holos serve` takes from the command to the first `/readyz` of 200: `python -m tests.benchmarks.start`.

The encoder's cache is warm (a start before the first that counts fills it), the database is new at each start.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.served import served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder), 0)
        taken = [start(Path(folder), number) for number in range(1, parser.parse_args().starts + 1)]
    print(f"median {statistics.median(taken):.2f} s of {len(taken)} starts: {min(taken):.2f} to {max(taken):.2f}")


def start(folder: Path, number: int) -> float:
    """Seconds until it was ready; it is stopped then."""
    with served(folder / str(number), {"HOLOS_CACHE_DIR": str(folder / "cache")}) as server:
        return server.seconds


if __name__ == "__main__":
    main()
