"""What every test stands on: no champion of whoever runs the tests."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The registry of models is an empty folder, here and in the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield
