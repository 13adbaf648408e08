import pytest
from command_line import Command, small_tiny


@pytest.fixture
def command(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command line in this process with small tiles: these tests are not about what the network makes."""
    monkeypatch.setattr("relight_cli.checkpoints.models.load_tiny", small_tiny)
    return command
