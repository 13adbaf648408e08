"""The files in deploy/: what they run is what the command line takes, with shares that have no photo in common."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import Command
from photo_fixtures import noise

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
STUB = """#!/bin/sh
for one in "$@"; do printf '%s\\0' "$one"; done > words
"""
COUNT = 4

needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


@pytest.fixture
def words_of(tmp_path: Path) -> Callable[..., list[str]]:
    """Run a shell command whose relight-cli keeps the words that it is called with."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/relight-cli").write_text(STUB)
    (tmp_path / "bin/relight-cli").chmod(0o755)

    def words(program: list[str], **environment: str) -> list[str]:
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(program, cwd=tmp_path, env={"PATH": path, **environment}, check=True)
        return (tmp_path / "words").read_text().split("\0")[:-1]

    return words


def job() -> dict:
    return yaml.safe_load((DEPLOY / "kubernetes-job.yaml").read_text())


def made_by_shares(command: Command, folder: Path, words: Callable[[int], list[str]]) -> None:
    """Run all shares of six photos, and check that each photo is made once."""
    (folder / "in here").mkdir()
    for number in range(6):
        write_photo(Photo(noise((16, 24, 3), seed=number)), folder / f"in here/{number}.png")
    for number in range(COUNT):
        done = command(*words(number))
        assert done.code == 0, done.err
    lines = [line for report in (folder / "reports").iterdir() for line in report.read_text().splitlines()]
    entries = [json.loads(line) for line in lines]
    assert sorted(entry["input"] for entry in entries) == [f"in here/{number}.png" for number in range(6)]
    assert {entry["share"].split("/")[1] for entry in entries} == {str(COUNT)}
    assert len(list((folder / "out").iterdir())) == 6


@needs_bash
def test_the_slurm_array_makes_each_photo_once(
    command: Command, tmp_path: Path, words_of: Callable[..., list[str]]
) -> None:
    script = str(DEPLOY / "slurm-array.sh")
    subprocess.run(["bash", "-n", script], check=True)
    assert os.access(script, os.X_OK)
    common = {"PHOTOS": "in here", "OUTPUT": "out/", "SLURM_ARRAY_TASK_COUNT": str(COUNT), "SLURM_ARRAY_TASK_MIN": "7"}
    made_by_shares(
        command, tmp_path, lambda number: words_of(["bash", script], **common, SLURM_ARRAY_TASK_ID=str(7 + number))
    )
    refused = subprocess.run(["bash", script], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
    assert refused.returncode != 0
    assert b"PHOTOS" in refused.stderr


def test_the_kubernetes_job_makes_each_photo_once(
    command: Command, tmp_path: Path, words_of: Callable[..., list[str]]
) -> None:
    spec = job()["spec"]
    container = spec["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["SHARES"] == str(spec["completions"])
    assert spec["completionMode"] == "Indexed"
    own = environment | {"PHOTOS": "in here", "OUTPUT": "out/", "REPORTS": "reports", "SHARES": str(COUNT)}
    program = [*container["command"], *container["args"]]
    made_by_shares(command, tmp_path, lambda number: words_of(program, **own, JOB_COMPLETION_INDEX=str(number)))
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == container["name"]
    mounts = {one["name"] for one in container["volumeMounts"]}
    assert mounts == {one["name"] for one in spec["template"]["spec"]["volumes"]}


def test_compose_runs_what_the_command_line_takes(command: Command, tmp_path: Path) -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    targets = set(re.findall(r"^FROM .* AS (\w+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    (tmp_path / "photos").mkdir()
    write_photo(Photo(noise((16, 24, 3))), tmp_path / "photos/a.png")
    for name, service in composed["services"].items():
        assert service["build"]["target"] in targets
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        words = [word.replace("/photos", str(tmp_path / "photos")) for word in service["command"]]
        done = command(*words)
        if name == "serve":  # all is well but that the secret is not there
            assert (done.code, service["secrets"]) == (2, list(composed["secrets"]))
            assert "/run/secrets/token cannot be read" in done.err
        else:
            assert done.code == 0, done.err
    assert (tmp_path / "photos/out/a_deshadowed.png").is_file()


@needs_bash
def test_the_ray_jobs_are_command_lines(command: Command, tmp_path: Path, words_of: Callable[..., list[str]]) -> None:
    """As far as they can be tried without a cluster: as a plan, of what `ray job submit` and KubeRay would run."""
    (tmp_path / "in here").mkdir()
    write_photo(Photo(noise((16, 24, 3))), tmp_path / "in here/a.png")
    shutil.copy(tmp_path / "bin/relight-cli", tmp_path / "bin/ray")
    script, own = str(DEPLOY / "ray-job.sh"), {"PHOTOS": "in here", "OUTPUT": "out/"}
    submitted = words_of(["bash", script], RAY_JOB_ADDRESS="http://head:8265", ACTORS="2-8", **own)
    assert submitted[:5] == ["job", "submit", "--address", "http://head:8265", "--"]
    assert submitted[5] == "relight-cli"
    assert submitted[-2:] == ["--actors", "2-8"]
    spec = yaml.safe_load((DEPLOY / "kubernetes-rayjob.yaml").read_text())["spec"]
    environment = yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]
    entered = words_of(["sh", "-c", spec["entrypoint"]], **(environment | own | {"REPORT": "out.jsonl"}))
    for words in (submitted[6:], entered):
        planned = command(*words, "--dry-run")
        assert (planned.code, planned.err) == (0, "")
        assert planned.out.startswith(b"make     in here/a.png -> out/a_deshadowed.png")
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    images = {c["image"] for group in groups for c in group["template"]["spec"]["containers"]}
    assert images == {"relight-cli:ray"}
    assert "\nFROM base AS ray\n" in (DEPLOY / "Dockerfile").read_text()


def test_the_dockerfile_copies_what_there_is_and_runs_as_no_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    for names in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for name in names.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}" in ignored
    final = {stage.split()[2]: stage for stage in stages}
    for target in ("cpu", "cuda", "ray"):
        last = [line for line in final[target].splitlines() if line and not line.startswith("#")][-1]
        assert last == "USER 10001:10001"
    extras = re.search(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)
    project = (ROOT / "pyproject.toml").read_text()
    assert extras
    assert all(re.search(rf"^{name} = \[", project, re.MULTILINE) for name in extras[1].split(","))
