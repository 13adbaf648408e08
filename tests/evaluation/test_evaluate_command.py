"""What the commands of evaluate share: failures, layouts, outputs, confidence, networks."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from documents import ROOT
from made_sets import grey, scores
from PIL import Image
from safetensors.torch import save_file
from typer.main import get_command

from relight_cli.checkpoints.models import load_model
from relight_cli.cli import app
from relight_cli.evaluation.flow_metrics import flow_weighted
from relight_cli.evaluation.protocol import in_8_bits
from relight_cli.evaluation.protocols import PROTOCOLS, protocols_of
from relight_cli.evaluation.tables import mean_of
from relight_cli.models.lpips import Backbone
from relight_cli.photos.reading import read_photo
from relight_cli.relighting.mapping import deshadow


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A multi-shot set of one view and three shots, 5, 10 and 20 steps below the truth."""
    folder = tmp_path / "shots"
    grey(folder / "h2_free.png", 200)
    for number, less in enumerate((5, 10, 20), start=1):
        grey(folder / f"h2_{number}.png", 200 - less)
    return folder


def test_what_cannot_be_read_costs_only_itself(command: Command, shots: Path, tmp_path: Path) -> None:
    (shots / "h2_2.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    grey(tmp_path / "theirs" / "h2_1.png", 200)
    words = ("--results", "theirs", "--report", "new/report.jsonl", "--csv", "new/scores.csv")
    done = command("evaluate", "shadow", shots, *words)
    assert done.code == 23
    torn, missing, counted = done.lines
    assert torn.startswith(f"{shots / 'h2_2.png'}: ")
    assert "holds no result for h2_3" in missing
    assert counted.startswith("2 of 3 pictures failed")
    report = [json.loads(line) for line in (tmp_path / "new" / "report.jsonl").read_text().splitlines()]
    assert [entry["status"] for entry in report] == ["done", "failed", "failed"]
    assert report[1]["error"] == "PhotoUnreadableError"
    rows = re.findall(r"^\| (\S+) +\| (\d+) ", done.out.decode(), re.MULTILINE)
    assert rows == [("untouched", "2"), ("theirs", "1")]
    with (tmp_path / "new" / "scores.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["picture"], line["method"]) for line in lines] == [
        ("h2_1", "untouched"),
        ("h2_1", "theirs"),
        ("h2_3", "untouched"),
    ]
    assert float(lines[0]["PSNR"]) == pytest.approx(-20 * math.log10(5 / 255), abs=0.01)
    assert lines[0]["PSNR in shadow"] == ""  # there is none
    again = command("evaluate", "shadow", shots, *words)
    assert (again.code, len(again.lines)) == (5, 1)


def test_pictures_with_an_unsound_truth_stand_apart(command: Command, shots: Path, tmp_path: Path) -> None:
    """The means of all, and of those that the list does not name; steps of 5, 10 and 20 below the truth."""
    (shots / "unsound-multishot.txt").write_text("# a shadow that stays\n\nh2_[13]\r\n", encoding="utf-8-sig")
    words = ("evaluate", "shadow", shots, "--results", shots)
    done = command(*words, "--json", "--csv", "scores.csv")
    assert done.code == 0, done.err
    assert json.loads(done.out)["unsound"] == ["h2_1", "h2_3"]
    every, sound = (scores(done.out, "untouched", truths=truths)["PSNR"] for truths in ("all", "sound"))
    assert sound == pytest.approx(-20 * math.log10(10 / 255), abs=0.01)
    assert every == pytest.approx(np.mean([-20 * math.log10(step / 255) for step in (5, 10, 20)]), abs=0.01)
    with (tmp_path / "scores.csv").open() as file:
        found = {line["picture"]: line["truth"] for line in csv.DictReader(file)}
    assert found == {"h2_1": "unsound", "h2_2": "sound", "h2_3": "unsound"}
    (tmp_path / "list.txt").write_text("h2_2\n")
    titles = re.findall(r"^multishot: (.+),", command(*words, "--unsound", "list.txt").out.decode(), re.MULTILINE)
    assert titles == ["3 pictures", "2 pictures with a sound truth"]
    assert "sound truth" not in command("evaluate", "relight", *words[2:]).out.decode()  # a truth of another protocol
    for text, code in (("h3_*", 2), ("\udcff", 4)):
        (tmp_path / "list.txt").write_bytes(text.encode(errors="surrogateescape"))
        wrong = command(*words, "--unsound", "list.txt")
        assert (wrong.code, len(wrong.lines)) == (code, 1), wrong.err


def test_folders_of_one_name_stay_apart_and_tiny_pictures_fail(command: Command, tmp_path: Path) -> None:
    for name, size in (("a", (64, 32)), ("b", (5, 5))):
        grey(tmp_path / "set" / "input" / f"{name}.png", 40, size=size)
        grey(tmp_path / "set" / "gt" / f"{name}.png", 128, size=size)
    for folder, code in (("one/out", 118), ("two/out", 128)):
        grey(tmp_path / folder / "a.png", code)
        grey(tmp_path / folder / "b.png", code, size=(5, 5))
    done = command("evaluate", "shadow", "set", "--results", "one/out", "--results", "two/out", "--json")
    assert done.code == 23
    assert scores(done.out, "out")["PSNR"] == pytest.approx(-20 * math.log10(10 / 255), abs=0.01)
    assert scores(done.out, "out (2)")["PSNR"] == 100
    assert [failed["picture"] for failed in json.loads(done.out)["failed"]] == ["input/b"] * 3


def test_a_result_of_another_size_is_a_failure(command: Command, shots: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        grey(tmp_path / "theirs" / f"h2_{number}.png", 200, size=(32, 32))
    done = command("evaluate", "shadow", shots, "--results", "theirs")
    assert done.code == 23
    assert "32 x 32 pixels and the truth 64 x 32" in done.lines[0]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("shadow", "empty"), 2, "istd+: test_A/NAME"),
        (("albedo", "empty", "--protocol", "iiw"), 2, "(iiw: data/ID.png, data/ID.json)"),
        (("depth", "empty", "--protocol", "istd+"), 2, "choose kitti, eth3d, nyu, co3d"),
        (("shadow", "nowhere"), 4, "no such folder"),
        (("shadow", "file"), 4, "not the folder of a data set"),
        (("relight", "shots", "--results", "nowhere"), 4, "no such folder of results"),
        (("relight", "shots", "--reference", "scene"), 2, "choose latents or aligned"),
        (("shadow", "shots", "--model", "huge"), 2, "'huge' is none of 'auto', 'crocodilight', 'tiny'"),
        (("protocols", "huge"), 2, "choose istd+"),
    ],
)
def test_mistakes_are_one_line(
    command: Command, shots: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = command("evaluate", *words)
    assert (done.code, len(done.lines), done.out) == (code, 1, b""), done.err
    assert told in done.err


def test_limit_takes_pictures_evenly_and_confidence_is_seeded(command: Command, shots: Path) -> None:
    def means(*more: object) -> list[float]:
        found = json.loads(command("evaluate", "relight", shots, "--results", shots, "--json", *more).out)
        assert found["pictures"] == (1 if "--limit" in more else 3)
        mean = found["tables"][0]["rows"][0]["scores"]["PSNR"]
        return [mean["low"], mean["mean"], mean["high"]]

    low, mean, high = means("--seed", 1)
    steps = (5, 10, 15)  # between the shots
    assert mean == pytest.approx(np.mean([-20 * math.log10(step / 255) for step in steps]), abs=0.01)
    assert -20 * math.log10(15 / 255) - 0.01 <= low < mean < high <= -20 * math.log10(5 / 255) + 0.01
    assert means("--seed", 1) == [low, mean, high]
    assert means("--limit", 1)[0] is None  # one picture has no interval


def test_the_bootstrap_covers_the_mean() -> None:
    """Of 200 samples of 40 normal values, about 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    intervals = [mean_of(list(rng.normal(3, 2, 40)), 300, 5) for _ in range(200)]
    assert 0.88 < np.mean([one.low <= 3 <= one.high for one in intervals]) < 0.99
    assert np.isnan(mean_of([float("nan")], 10, 0).mean)


def test_distances_count_where_the_flow_differs() -> None:
    difference = np.zeros((2, 2, 2), np.float32)
    fine, coarse = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0]])
    assert flow_weighted([fine, coarse], difference) == pytest.approx(2.5 + 5)  # equal flows: every place the same
    difference[0, 1], difference[1, 0] = (3, 4), (0, 15)  # lengths of 5 and 15
    assert flow_weighted([fine], difference) == pytest.approx((5 * 2 + 15 * 3) / 20)


def test_networks_are_judged_as_the_commands_run_them(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(60, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    for name, factor in (("free", 1.0), ("1", 0.5), ("2", 0.7)):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray((picture * factor).astype(np.uint8)).save(tmp_path / "set" / f"h2_{name}.png")
    done = command("evaluate", "shadow", "set", "--model", "tiny", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    model, psnrs = load_model("tiny", device="cpu"), []
    truth = read_photo(tmp_path / "set" / "h2_free.png").to_srgb()
    for number in (1, 2):
        made = deshadow(model, read_photo(tmp_path / "set" / f"h2_{number}.png")).photo.to_srgb()
        psnrs.append(-10 * math.log10(((in_8_bits(made) - truth) ** 2).mean()))
    assert scores(done.out, "tiny")["PSNR"] == pytest.approx(np.mean(psnrs), abs=1e-3)
    monkeypatch.setenv("RELIGHT_MODEL", "Tiny")
    relit = command("evaluate", "relight", "set", "--json")
    assert relit.err == ""
    assert scores(relit.out, "tiny, --reference latents")["PSNR"] > scores(relit.out, "untouched")["PSNR"]
    (tmp_path / "set" / "h2_3.png").write_bytes((tmp_path / "set" / "h2_free.png").read_bytes())
    frames = command("evaluate", "timelapse", "set", "--model", "tiny", "--limit", 1, "--json")
    assert {"cross-fade", "tiny, --mode latent", "tiny, --mode auto"} <= {
        row["method"] for row in json.loads(frames.out)["tables"][0]["rows"]
    }


def test_flolpips_is_lpips_where_nothing_moves(command: Command, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(Backbone("alex").state_dict(), tmp_path / "alex.safetensors")
    for number, code in enumerate((51, 102, 153)):
        grey(tmp_path / "set" / f"{number}.png", code)
    grey(tmp_path / "theirs" / "1.png", 102)
    words = ("evaluate", "timelapse", "set", "--results", "theirs", "--json")
    done = command(*words, "--lpips", "alex.safetensors")
    assert done.code == 0, done.err
    before, same = scores(done.out, "untouched"), scores(done.out, "theirs")
    assert before["FloLPIPS (AlexNet, DIS)"] == pytest.approx(before["LPIPS (AlexNet)"], rel=1e-5)
    assert same["LPIPS (AlexNet)"] == same["FloLPIPS (AlexNet, DIS)"] == 0 < before["LPIPS (AlexNet)"]
    missing = command(*words, "--lpips", "nowhere.pth")
    assert (missing.code, len(missing.lines)) == (6, 1)
    assert "--lpips" in missing.err


def test_every_protocol_is_documented(command: Command) -> None:
    page = " ".join((ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8").split())
    listed = command("evaluate", "protocols").out.decode()
    helps = get_command(app).commands["evaluate"].commands  # type: ignore[attr-defined]
    for protocol in PROTOCOLS:
        assert re.search(rf"^{re.escape(protocol.name)} +{protocol.task} ", listed, re.MULTILINE)
        assert re.search(rf"[ ,]{re.escape(protocol.name)}[ ,.]", helps[protocol.task].help), protocol.name
        for line in re.split(r"\n(?=[A-Z][a-z, ]+: )", protocol.text.strip()):
            assert " ".join(line.split()).split(": ", 1)[-1] in page, line
    assert command("evaluate", "protocols", "SRD").out.decode().strip() == protocols_of("shadow")["srd"].text.strip()
