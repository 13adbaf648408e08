"""A file is hashed once, and again if it changes or its record is missing."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from relight_cli.checkpoints import checksums

BODY = b"a checkpoint" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List every file that is hashed."""
    seen: list[str] = []
    digest = hashlib.file_digest

    def spy(body, name):
        seen.append(Path(body.name).name)
        return digest(body, name)

    monkeypatch.setattr(checksums.hashlib, "file_digest", spy)
    return seen


def test_a_match_counts_until_time_or_size_change(tmp_path: Path, hashed: list[str]) -> None:
    file, record = tmp_path / "file", tmp_path / "deep" / "verified.json"
    file.write_bytes(BODY)
    assert checksums.matches(file, SHA256, record)
    assert checksums.matches(file, SHA256, record)
    assert len(hashed) == 1
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert checksums.matches(file, SHA256, record)
    assert len(hashed) == 2
    kept = file.stat()
    file.write_bytes(BODY + b"!")
    os.utime(file, ns=(0, kept.st_mtime_ns))
    assert not checksums.matches(file, SHA256, record)
    assert not checksums.matches(file, hashlib.sha256(b"another").hexdigest(), record)
    assert str(file) not in json.loads(record.read_text())


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', '{"/gone": 3}', "\x00"])
def test_a_damaged_record_costs_only_another_hash(tmp_path: Path, hashed: list[str], content: str) -> None:
    file, record = tmp_path / "file", tmp_path / "verified.json"
    file.write_bytes(BODY)
    record.write_text(content)
    assert checksums.matches(file, SHA256, record)
    assert checksums.matches(file, SHA256, record)
    assert len(hashed) == 1
    assert [path.name for path in tmp_path.iterdir() if path != file] == ["verified.json"]


def test_a_record_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    (tmp_path / "blocked").touch()
    assert checksums.matches(tmp_path / "file", SHA256, tmp_path / "blocked" / "verified.json")
