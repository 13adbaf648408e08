"""Runs by the command: resumed exactly, shared by processes, and files that every command takes."""

import json
import math
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command_line import Command
from documents import ROOT, code_blocks
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_training import lines_of, train, write_config
from standin import REFERENCE

import relight_cli
from relight_cli.checkpoints.croco import read_croco
from relight_cli.photos.header import read_record
from relight_cli.training.crocodilight import run
from relight_cli.training.crocodilight.layouts import LAYOUTS
from relight_cli.training.crocodilight.reading import SCHEDULES, TABLES, load_config
from relight_cli.training.crocodilight.run import Run

LONGER = {"schedule": {"steps": 5, "ema": 0.9}, "log": {"save_every": 2, "sheet_every": 2, "every": 2}}


def test_a_killed_run_is_resumed_bit_for_bit(trained: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_config(trained, "light", name="whole", **LONGER)
    killed = write_config(trained, "light", name="killed", **LONGER)
    train("light", whole)
    own_advance = Run.advance

    def advance(self: Run, batch: object) -> dict[str, float]:
        if self.step == 3:
            raise KeyboardInterrupt
        return own_advance(self, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", advance)
        assert command("train", "light", killed, "--device", "cpu").code == 130
    assert "step 2 of 5" in command("train", "light", killed, "--device", "cpu").err
    first, second = (trained / name / "light.safetensors" for name in ("whole", "killed"))
    assert first.read_bytes() == second.read_bytes()
    logs = [
        [{k: v for k, v in line.items() if k != "seconds"} for line in lines_of(trained / name / "log.jsonl")]
        for name in ("whole", "killed")
    ]
    assert logs[0] == logs[1]
    assert (trained / "killed" / "sheet_0000004.png").exists()
    assert command("train", "light", killed, "--device", "cpu").code == 0  # nothing is left to do
    assert first.read_bytes() == second.read_bytes()


def test_a_folder_keeps_its_run(trained: Path, command: Command) -> None:
    config = write_config(trained, "decoder", schedule={"rate": 2e-3})
    done = command("train", "decoder", config, "--device", "cpu")
    assert done.code == 2
    assert "other values of schedule.rate:" in done.lines[-1]
    write_config(trained, "decoder")


def test_a_damaged_checkpoint_and_a_folder_that_is_a_file(trained: Path, command: Command) -> None:
    config = write_config(trained, "shadow", name="damaged")
    (trained / "damaged").mkdir()
    (trained / "damaged" / "checkpoint.pt").write_bytes(b"PK\x03\x04 no checkpoint")
    done = command("train", "shadow", config, "--device", "cpu", "--quiet")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "checkpoint.pt is damaged" in done.lines[0]
    config = write_config(trained, "shadow", name="file")
    (trained / "file").write_text("")
    done = command("train", "shadow", config, "--device", "cpu", "--quiet")
    assert (done.code, len(done.lines)) == (5, 1)
    assert "file cannot be written" in done.lines[0]


def test_a_full_disk_costs_no_checkpoint(trained: Path, command: Command, tmp_path: Path) -> None:
    """A checkpoint, a sheet and a network that cannot be written: one line each, and nothing is lost or left over."""
    resource = pytest.importorskip("resource")
    train("croco", write_config(trained, "croco", name="filled"))
    folder = trained / "filled"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    lines = before.pop("log.jsonl")
    with (folder / "log.jsonl").open("a") as log:
        log.write('torn line\n{"step": 2, "total": ')  # of a disk that was full before
    for limit, what, log in (
        (4000, "checkpoint.pt", {"save_every": 3}),
        (2000, "sheet_0000003.png", {"sheet_every": 3}),
        (20_000, "croco.pth", {"sheet_every": 3}),
    ):
        config = write_config(trained, "croco", name="filled", schedule={"steps": 4}, log={"every": 100, **log})
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        try:
            done = command("train", "croco", config, "--device", "cpu", "--quiet")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert (done.code, len(done.lines)) == (5, 1), done.err
        assert what in done.lines[0]
        assert "File too large" in done.lines[0]
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert kept.pop("log.jsonl").startswith(lines)
        assert {name: kept.pop(name) for name in before} == before
        assert all(name.startswith("sheet_") for name in kept)
    assert "step 2 of 4" in command("train", "croco", config, "--device", "cpu").err


def test_a_run_that_diverges_is_stopped(trained: Path, command: Command) -> None:
    schedule = {"steps": 40, "rate": 1e30, "warm_up": 0.0}
    config = write_config(trained, "croco", name="diverged", schedule=schedule, log={"every": 4})
    done = command("train", "croco", config, "--device", "cpu", "--quiet")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "not been finite since step" in done.lines[0]
    assert lines_of(trained / "diverged" / "log.jsonl")[-1]["total"] is None
    assert not (trained / "diverged" / "croco.pth").exists()


def test_figures_are_of_all_held_out_scenes(trained: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet shows a few of them; how many does not matter."""
    found = []
    for name, rows in (("together", 8), ("one_by_one", 1)):
        monkeypatch.setattr(run, "SHEET_ROWS", rows)
        config = write_config(trained, "croco", name=name, schedule={"steps": 1}, log={"held_out": 2})
        twice = '[[pairs]]\nfolder = "pairs"\nlicence = "CC0"\n'
        config.write_text(config.read_text().replace(twice, 2 * twice))
        assert command("train", "croco", config, "--device", "cpu", "--quiet").code == 0
        found.append(lines_of(trained / name / "log.jsonl")[-1])
        assert Image.open(trained / name / "sheet_0000001.png").size == (4 * 64, min(rows, 2) * 64)
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_another_file_to_start_from_is_another_run(trained: Path, command: Command) -> None:
    own = (trained / "light" / "light.safetensors").read_bytes()
    (trained / "copy.safetensors").write_bytes(own)
    config = write_config(trained, "shadow", name="from_copy", top={"start": "copy.safetensors"})
    train("shadow", config)
    (trained / "copy.safetensors").write_bytes((trained / "whole" / "light.safetensors").read_bytes())
    done = command("train", "shadow", config, "--device", "cpu")
    assert done.code == 2
    assert "other values of start_sha256" in done.lines[-1]


def test_two_processes_learn_as_one_with_the_whole_batch(trained: Path) -> None:
    curves = {}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for name in ("one", "two"):
        tables = {"schedule": {"steps": 3}, "loss": {"metric": "gradients"}}
        config = write_config(trained, "light", name=name, **tables)
        if name == "one":
            train("light", config)
        else:
            words = [*torchrun, "-m", "relight_cli", "train", "light", str(config), "--device", "cpu"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            assert done.stderr.count("written") == 1
        curves[name] = [line["total"] for line in lines_of(trained / name / "log.jsonl") if "rate" in line]
    assert len(curves["one"]) == 3
    assert curves["two"] == pytest.approx(curves["one"], rel=1e-4)
    one, two = (load_file(trained / name / "light.safetensors") for name in curves)
    assert max((one[key] - two[key]).abs().max().item() for key in one) < 1e-4


def test_the_file_of_a_run_works_in_every_command(trained: Path, command: Command) -> None:
    model = trained / "albedo" / "albedo.safetensors"
    photo, light = (trained / "pairs" / "scene0" / f"light_{k}.png" for k in (0, 1))
    for words in (("relight", photo, "--light", light), ("deshadow", photo), ("albedo", photo)):
        done = command(*words, "--model", model, "-o", f"{words[0]}.png")
        assert done.code == 0, done.err
        assert "non-commercial" not in done.err
        assert Image.open(f"{words[0]}.png").size == (96, 80)
    Path("relight.toml").write_text(f'[interpolate-timelapse]\nmodel = "{model}"\n')
    done = command("interpolate-timelapse", photo, light, "--between", "1", "-o", "frames/")
    assert done.code == 0, done.err
    assert len(list(Path("frames").glob("*.png"))) == 3
    assert "albedo.safetensors" in (read_record(Path("deshadow.png")) or "")
    tensors = load_file(model)
    own = {key.removeprefix("mappers.shadow."): value for key, value in tensors.items()}
    other = {key: tensors[f"mappers.albedo.{key}"] for key in own if f"mappers.albedo.{key}" in tensors}
    assert any(not torch.equal(value, own[key]) for key, value in other.items())


def test_a_file_says_what_it_has_not_learnt_yet(trained: Path, command: Command) -> None:
    photo = trained / "pairs" / "scene0" / "light_0.png"
    done = command("deshadow", photo, "--model", trained / "light" / "light.safetensors", "-o", "x.png")
    assert done.code == 6
    assert "train shadow" in done.lines[-1]
    assert not Path("x.png").exists()
    done = command("relight", photo, "--light", photo, "--model", trained / "decoder" / "decoder.safetensors")
    assert done.code == 6
    assert "train light" in done.lines[-1]


@pytest.mark.parametrize("name", ["missing.safetensors", "text.safetensors", "other.safetensors"])
def test_files_that_are_none(name: str, trained: Path, command: Command) -> None:
    Path("text.safetensors").write_text("no tensors")
    save_file(load_file(trained / "light" / "light.safetensors"), "other.safetensors")
    done = command("deshadow", trained / "pairs" / "scene0" / "light_0.png", "--model", name)
    assert done.code == 6
    assert name in done.lines[-1]
    assert len(done.lines) == 1


def test_a_non_commercial_encoder_is_said_by_every_command(trained: Path, command: Command) -> None:
    content = read_croco(trained / "croco" / "croco.pth")
    assert content[2] == {"encoder": "CC0", "pictures of croco: pairs": "CC0"}
    plain = torch.load(trained / "croco" / "croco.pth", weights_only=True)
    published = trained / "CroCo_V2_small.pth"
    torch.save({key: plain[key] for key in ("croco_kwargs", "model")}, published)  # states no licence
    top = {"start": published.name, "licence": ""}
    config = write_config(trained, "decoder", name="nc_decoder", top=top, schedule={"steps": 1})
    config.write_text(config.read_text().replace('licence = ""\n', ""))
    done = command("train", "decoder", config, "--device", "cpu")
    assert done.code == 0
    assert "non-commercial use only (encoder: CC BY-NC-SA 4.0)" in done.err
    start = {"start": "nc_decoder/decoder.safetensors"}
    config = write_config(trained, "light", name="nc_light", top=start, schedule={"steps": 1})
    assert "non-commercial" in command("train", "light", config, "--device", "cpu").err
    model, photo = trained / "nc_light" / "light.safetensors", trained / "pairs" / "scene0" / "light_0.png"
    done = command("relight", photo, "--light", photo, "--model", model, "-o", "nc.png")
    assert done.code == 0
    assert [line for line in done.lines if "non-commercial" in line] == [
        f"{model}: for non-commercial use only (encoder: CC BY-NC-SA 4.0)"
    ]
    with safe_open(model, "pt") as file:
        facts = json.loads(file.metadata()["crocodilight"])
    assert facts["licences"]["encoder"] == "CC BY-NC-SA 4.0"
    assert [one["stage"] for one in facts["recipe"]] == ["decoder", "light"]


def test_the_published_network_gets_a_mapper_of_its_own(trained: Path, small_standin: Path, command: Command) -> None:
    top, once = {"start": str(small_standin / "CroCoDiLight.pth")}, {"steps": 1, "batch": 1}
    config = write_config(trained, "shadow", name="published", top=top, schedule=once, log={"held_out": 0})
    done = command("train", "shadow", config, "--device", "cpu")
    assert done.code == 0, done.err
    assert "non-commercial use only (encoder: CC BY-NC-SA 4.0; start: CC BY-NC-SA 4.0)" in done.err
    raw = torch.load(small_standin / "CroCoDiLight.pth", weights_only=True)["model"]
    tensors = load_file(trained / "published" / "shadow.safetensors")
    theirs, ours = "lighting_entangler.base_blocks.0.attn.qkv.weight", "relighting.blocks.0.attn.qkv.weight"
    assert torch.equal(raw[theirs], tensors[ours])
    mapper = tensors["mappers.shadow.blocks.0.attn.qkv.weight"]
    assert 0 < (mapper - raw[theirs]).abs().max() < 2e-3  # one step away from the relighting transformer


def test_a_fine_tuned_tiny_is_a_model_too(trained: Path, command: Command) -> None:
    embedded = Path(relight_cli.__file__).parent / "data" / "tiny.safetensors"
    shutil.copy(embedded, "mine.safetensors")
    photo = trained / "pairs" / "scene0" / "light_0.png"
    pictures = []
    for model in ("tiny", "mine.safetensors"):
        done = command("deshadow", photo, "--model", model, "-o", "out.png", "--overwrite", "--max-side", "64")
        assert done.code == 0, done.err
        pictures.append(np.asarray(Image.open("out.png")))
    assert np.array_equal(*pictures)


def test_croco_files_have_the_published_names(trained: Path) -> None:
    layout = json.loads((REFERENCE / "layout.json").read_text())
    published = {key.removeprefix("croco.") for key, _ in layout["model"] if key.startswith("croco.")}
    without = {key for key in published if key.startswith(("out_dec", "out_decoder", "head."))}
    mine = torch.load(trained / "croco" / "croco.pth", weights_only=True)

    def first_blocks(keys: set[str]) -> set[str]:
        return {key for key in keys if "blocks." not in key or "blocks.0." in key}

    assert first_blocks(set(mine["model"])) == first_blocks(published - without)
    assert set(layout["croco_kwargs"]) <= set(mine["croco_kwargs"])


def test_dry_run_prints_the_whole_configuration_and_writes_nothing(trained: Path, command: Command) -> None:
    config = write_config(trained, "light", name="dry", schedule={"steps": 0, "epochs": 3})
    done = command("train", "light", config, "--dry-run")
    assert done.code == 0
    text = done.out.decode()
    assert "12 samples, 1 scenes held out, 9 steps" in text
    shown = tomllib.loads(text)
    assert shown["schedule"]["betas"] == [0.9, 0.999]
    assert shown["crops"]["grey"] == 0.05
    assert shown["loss"]["intrinsic"] == 0.3
    assert not (trained / "dry").exists()


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"schedule": {"stepps": 3}}, "did you mean steps?"),
        ({"schedule": {"steps": "three"}}, "write a whole number"),
        ({"schedule": {"batch": 5, "accumulate": 2}}, "give a multiple"),
        ({"schedule": {"steps": -1}}, "[schedule] epochs and steps"),
        ({"schedule": {"seed": -1}}, "[schedule] seed"),
        ({"schedule": {"rate": math.inf}}, "[schedule] rate = inf: give a finite number"),
        ({"schedule": {"steps": 0, "epochs": math.inf}}, "[schedule] epochs = inf"),
        ({"loss": {"perceptual": 0.0, "mse": 0.0}}, "not all 0"),
        ({"loss": {"mse": -1.0}}, "[loss] perceptual, mse"),
        ({"crops": {"mask": 1.0}}, "[crops] mask"),
        ({"network": {"tile_size": 50}}, "multiple of 32"),
        ({"network": {"decoder_depth": 3}}, "12 or more"),
        ({"loss": {"metric": "ssim"}}, "choose lpips-vgg"),
        ({"top": {"start": "nowhere.pth"}}, "no such file"),
        ({"top": {"start": "light/light.safetensors/x"}}, "no such file"),
        ({"top": {"start": "croco/croco.pth"}}, "output of the stage before"),
        ({"nonsense": {}}, "unknown key nonsense"),
        ({"loss": {"backbone": "nowhere.pth"}}, 'metric = "gradients"'),
        ({"loss": {"metric": "lpips-vgg", "backbone": "alex.pth"}}, 'metric = "gradients"'),
    ],
)
def test_wrong_configurations(tables: dict, words: str, trained: Path, command: Command) -> None:
    config = write_config(trained, "light", name="wrong", **tables)
    done = command("train", "light", config, "--device", "cpu", "--quiet")
    assert done.code in (2, 6)
    assert len(done.lines) == 1
    assert words in done.lines[0]
    assert not (trained / "wrong" / "light.safetensors").exists()


def test_without_its_backbone_training_offers_another_loss(trained: Path, command: Command) -> None:
    config = write_config(trained, "light", name="unfetched", loss={"metric": "lpips-vgg", "backbone": ""})
    config.write_text(config.read_text().replace('backbone = ""\n', ""))
    done = command("train", "light", config, "--device", "cpu", "--offline", "--quiet")
    assert done.code == 6
    assert "vgg16.tv_in1k" in done.err
    assert 'metric = "gradients"' in done.err


def test_losses_go_to_tensorboard_where_it_is_installed(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            written.append((Path(folder), purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, step))

    config = write_config(trained, "shadow", name="board", log={"tensorboard": True})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    train("shadow", config)
    assert written[0] == (trained / "board" / "tensorboard", 0)
    assert [entry for entry in written if entry[0] == "total"] == [("total", 1), ("total", 2)]
    assert ("mapped_db", 2) in written
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # not installed
    train("shadow", write_config(trained, "shadow", name="no_board", log={"tensorboard": True}))


def test_the_page_on_training_has_every_key_and_a_configuration_that_loads(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (block,) = (block for above, block in code_blocks(ROOT / "docs" / "training.md", "toml"))
    path = tmp_path / "light.toml"
    path.write_text(block)
    config = load_config(path, "light")
    assert (config.schedule.batch, config.pairs[1].repeat) == (8, 2)
    table = page.partition("| table | keys |")[2].partition("\n\n")[0]
    keys = set(re.findall(r"`(\w+)`", table))
    for name, kind in TABLES.items():
        if name != "network":  # the page names only some of its sizes
            assert {field.name for field in fields(kind)} <= keys, name
    layouts = page.partition("| layout | files | used by |")[2].partition("\n\n")[0]
    assert set(LAYOUTS) == set(re.findall(r"^\| `(\w+)`", layouts, re.MULTILINE))
    assert set(SCHEDULES) <= set(re.findall(r"`train (\w+)`", page))
