from pathlib import Path

import pytest
from small_training import train_all


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with made pictures and the runs of all stages, of two steps each."""
    return train_all(tmp_path_factory.mktemp("trained"))
