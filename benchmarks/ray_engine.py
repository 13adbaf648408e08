"""--engine ray under faults and under the clock: two nodes, actors that are killed, two actors against one.

python benchmarks/ray_engine.py [faults] [throughput] [--photos 500] [--kills 20] [--clocked 60]

`faults` runs `relight-cli deshadow --engine ray` on a cluster of two nodes (`ray.cluster_utils.Cluster`) and ends its
actors by SIGKILL at random moments, never twice while they make the same photo; then the same photos in one process
with as many threads, and in four shares. Prints what was lost, reported twice, torn or different, and exits with 1 if
anything was. `throughput` makes photos of 2 MP with one actor of one thread and with two, from the first report line
to the last, so that loading and the cluster's start are left out; besides, it prints photos per processor second.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from photos import make_photo

ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
PROGRAM = [sys.executable, "-W", "ignore", "-m", "relight_cli"]
ACTOR = re.compile(rb"ray::.*PhotoActor")


@contextmanager
def two_nodes() -> Iterator[str]:
    """Yield the address of a cluster of two nodes with one core each."""
    from ray.cluster_utils import Cluster

    os.environ.update({"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"})
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
    for tries_left in (3, 2, 1, 0):  # on a busy machine Ray's processes wait too short for each other
        cluster = Cluster()
        try:
            cluster.add_node(**node, include_dashboard=False)
            cluster.add_node(**node)
            break
        except Exception:
            cluster.shutdown()
            if not tries_left:
                raise
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def actors() -> list[int]:
    """Return the processes of actors that make photos."""
    found = []
    for name in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if ACTOR.search(name.read_bytes()):
                found.append(int(name.parent.name))
        except OSError:
            continue
    return found


def photo_of(process: int, folder: Path) -> str | None:
    """Return the photo that an actor makes at this moment: the one whose output it has claimed."""
    for link in Path(f"/proc/{process}/fd").glob("*"):
        try:
            if (found := link.readlink()).suffix == ".lock" and folder in found.parents:
                return found.name
        except OSError:
            continue
    return None


def kill_actors(kills: int, folder: Path, run: "subprocess.Popen[str]") -> tuple[int, int]:
    """Kill actors that are at work; return how many, and how many photos they were at."""
    rng, killed, photos = random.Random(1), 0, set[str]()
    while killed < kills and run.poll() is None:
        time.sleep(rng.uniform(0.2, 1.5))
        at_work = [(process, photo_of(process, folder)) for process in actors()]
        victims = [(process, photo) for process, photo in at_work if photo and photo not in photos]
        if not victims:
            continue
        process, photo = rng.choice(victims)
        assert photo
        photos.add(photo)
        os.kill(process, 9)
        killed += 1
    return killed, len(photos)


def entries(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []


def run(folder: Path, output: str, *options: str) -> "subprocess.Popen[str]":
    words = ["deshadow", "in", "--model", "tiny", "-o", f"{output}/", "--report", f"{output}.jsonl", "-q", *options]
    return subprocess.Popen([*PROGRAM, *words], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def faults(photos: int, kills: int, side: int) -> dict[str, Any]:
    """Kill actors of a run on two nodes; compare it with a local run and with four shares."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(photos):
            make_photo(folder / f"in/{number:04}.jpg", side * side * 1e-6, number)
        with two_nodes() as address:
            began = time.perf_counter()
            process = run(folder, "ray", "--engine", "ray", "--actors", "2", "--ray-address", address)
            killed, at = kill_actors(kills, folder / "ray", process)
            said, seconds = process.communicate()[1], time.perf_counter() - began
        local = run(folder, "local")
        local.communicate()
        began, shares = time.perf_counter(), []
        for number in range(1, 5):
            shares.append(run(folder, "shares", "--shard", f"{number}/4"))
            shares[-1].communicate()
        expected, found = files(folder / "local"), files(folder / "ray")
        reported = Counter(entry["input"] for entry in entries(folder / "ray.jsonl"))
        return {
            "photos": photos,
            "killed": killed,
            "photos_in_work_then": at,
            "exit_code": process.returncode,
            "said": said.splitlines()[-3:],
            "seconds": round(seconds, 1),
            "lost": len(expected.keys() - found.keys()),
            "torn_or_different": sum(found[name] != data for name, data in expected.items() if name in found),
            "left_over": sorted(found.keys() - expected.keys()),
            "reported_twice": sum(count > 1 for count in reported.values()),
            "not_reported": photos - len(reported),
            "statuses": dict(Counter(entry["status"] for entry in entries(folder / "ray.jsonl"))),
            "four_shares_equal_one_run": files(folder / "shares") == expected,
            "shares_seconds": round(time.perf_counter() - began, 1),
        }


def cpu_seconds(processes: list[int]) -> float:
    """Return the processor seconds that processes have used."""
    total = 0.0
    for process in processes:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    return total


def clock(folder: Path, output: str, photos: int, *options: str) -> dict[str, float]:
    """Return seconds and the actors' processor seconds for each photo, from the first report line to the last."""
    process, report = run(folder, output, *options), folder / f"{output}.jsonl"
    threading.Thread(target=process.communicate, daemon=True).start()
    times: list[tuple[int, float, float]] = []
    while process.poll() is None and (not times or times[-1][0] < photos):
        lines = len(report.read_bytes().splitlines()) if report.exists() else 0
        if lines and (not times or lines > times[-1][0]):
            times.append((lines, time.perf_counter(), cpu_seconds(actors())))
        time.sleep(0.02)
    process.wait()
    (first, began, used), (last, ended, all_used) = times[0], times[-1]
    return {"seconds": (ended - began) / (last - first), "cpu": (all_used - used) / (last - first)}


def throughput(photos: int) -> dict[str, Any]:
    """Clock one actor and two, in turn, twice each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(photos):
            make_photo(folder / f"in/{number:04}.jpg", 2.0, number)
        rounds = []
        for number in range(2):
            load = os.getloadavg()[0]
            one = clock(folder, f"one{number}", photos, "--engine", "ray", "--actors", "1")
            two = clock(folder, f"two{number}", photos, "--engine", "ray", "--actors", "2")
            rounds.append({"one": one, "two": two, "ratio": one["seconds"] / two["seconds"], "load": load})
            print(f"round {number + 1}: {json.dumps(rounds[-1])}", flush=True)
        best = {kind: min(each[kind]["seconds"] for each in rounds) for kind in ("one", "two")}
        return {
            "rounds": rounds,
            "photos_per_second": {k: 1 / v for k, v in best.items()},
            "ratio": best["one"] / best["two"],
        }


def main(
    what: Annotated[list[str] | None, typer.Argument(help="faults, throughput")] = None,
    photos: Annotated[int, typer.Option()] = 500,
    kills: Annotated[int, typer.Option()] = 20,
    side: Annotated[int, typer.Option(help="Pixels of a photo's side in the fault run.")] = 400,
    clocked: Annotated[int, typer.Option(help="Photos of 2 MP for the throughput.")] = 60,
) -> None:
    """Run the benchmark."""
    chosen, result = what or ["faults", "throughput"], {}
    if "faults" in chosen:
        result["faults"] = found = faults(photos, kills, side)
        print(json.dumps(found), flush=True)
    if "throughput" in chosen:
        result["throughput"] = throughput(clocked)
    print(json.dumps(result))
    found = result.get("faults", {})
    wrong = ("lost", "torn_or_different", "left_over", "reported_twice", "not_reported")
    if found and (any(found[name] for name in wrong) or not found["four_shares_equal_one_run"]):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
