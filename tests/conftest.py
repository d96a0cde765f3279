"""What every test stands on: no champion of whoever runs the tests, and a name of its own."""

from collections import Counter
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The registry of models is an empty folder, here and in the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one name would be run once where they are shared out, and the others left out without a word."""
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"tests of the same name: {', '.join(twice[:5])}")
