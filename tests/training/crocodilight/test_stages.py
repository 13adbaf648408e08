"""The losses of the stages and a step of the optimiser, against the formulas computed another way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import write_config

from relight_cli.models.croco import CroCo
from relight_cli.models.crocodilight import CroCoDiLight
from relight_cli.training.crocodilight.average import MovingAverage
from relight_cli.training.crocodilight.data import data_of
from relight_cli.training.crocodilight.losses import gradient_distance, hidden_and_visible
from relight_cli.training.crocodilight.reading import load_config
from relight_cli.training.crocodilight.run import Run, learning_rate
from relight_cli.training.crocodilight.samples import Batch
from relight_cli.training.crocodilight.stages import CroCoStage, DecoderStage, LightStage, MapperStage, Stage
from relight_cli.training.crocodilight.start import start_of

STD = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)


@pytest.fixture
def run_of(trained: Path, tmp_path: Path) -> Any:
    """Return a function that makes a new run of a stage on the files of the stage before, with a made distance."""

    def distance(made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return (made - truth).abs().mean((1, 2, 3))

    def make(stage: str, **tables: Any) -> Run:
        tables["top"] = {"run": str(tmp_path / stage), **tables.get("top", {})}
        config = load_config(write_config(trained, stage, name=f"{stage}_by_hand", **tables), stage)
        return Run(config, data_of(config, lambda line: None), start_of(config), lambda name: distance, "cpu")  # type: ignore[arg-type,return-value]

    return make


def batch_of(run: Run, numbers: range = range(4)) -> Batch:
    return run.drawing.batch(numbers)


def losses_of(stage: Stage, batch: Batch) -> dict[str, float]:
    return {name: loss.item() for name, loss in stage(batch.pictures, batch.seeds).items()}


def image_loss(made: torch.Tensor, truth: torch.Tensor) -> float:
    """.5 of the distance + .5 of the MSE in normalised space, in double precision."""
    difference = (made.detach() - truth).double().numpy()
    return 0.5 * np.abs(difference).mean() + 0.5 * np.square(difference / STD).mean()


def test_the_loss_of_the_decoder(run_of: Any) -> None:
    run = run_of("decoder")
    batch, network = batch_of(run), run.start.network
    assert isinstance(run.stage, DecoderStage)
    truth = batch.pictures[:, 0]
    expected = image_loss(network.decode(network.encode(truth)), truth)
    assert losses_of(run.stage, batch)["total"] == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_cross_lighting(run_of: Any) -> None:
    run = run_of("light")
    batch, network = batch_of(run), run.start.network
    assert isinstance(run.stage, LightStage)
    a, b = batch.pictures.unbind(1)
    (intrinsic_a, light_a), (intrinsic_b, light_b) = (network.delight(network.encode(x)) for x in (a, b))
    a_in_b = network.decode(network.relight(intrinsic_a, light_b))
    b_in_a = network.decode(network.relight(intrinsic_b, light_a))
    intrinsic = np.square((intrinsic_a - intrinsic_b).detach().double().numpy()).mean()
    expected = image_loss(a_in_b, b) + image_loss(b_in_a, a) + 0.3 * intrinsic
    assert losses_of(run.stage, batch)["total"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mapper", ["shadow", "albedo"])
def test_the_loss_of_a_mapper_that_starts_as_the_relighting_transformer(mapper: str, run_of: Any) -> None:
    run = run_of(mapper)
    batch, network = batch_of(run), run.start.network
    assert isinstance(run.stage, MapperStage)
    own, relighting = network.mappers[mapper].state_dict(), network.relighting.state_dict()
    assert all(torch.equal(own[key], relighting[key]) for key in relighting)
    photo, truth = batch.pictures.unbind(1)
    intrinsic, light = network.delight(network.encode(photo))
    _, wanted = network.delight(network.encode(truth))
    tokens = torch.cat((intrinsic, light), dim=1)
    mapped = network.relighting(tokens, network.rotary(4, 4, 1, tokens))[:, -1:]
    expected = np.square((mapped - wanted).detach().double().numpy()).mean()
    assert losses_of(run.stage, batch)["total"] == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_completion_counts_hidden_patches_alone(run_of: Any) -> None:
    run = run_of("croco")
    batch, network = batch_of(run), run.start.network
    assert isinstance(network, CroCo)
    assert isinstance(run.stage, CroCoStage)
    hidden, visible = hidden_and_visible(batch.seeds, 16, 0.5)
    assert all(sorted([*h, *v]) == list(range(16)) for h, v in zip(hidden.tolist(), visible.tolist(), strict=True))
    view, other = batch.pictures.unbind(1)
    predicted = network(view, other, visible).detach().double().numpy()
    errors = []
    for sample, numbers in enumerate(hidden.tolist()):
        for number in numbers:
            row, column = divmod(number, 4)
            patch = view[sample, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            values = patch.permute(1, 2, 0).double().numpy().ravel()
            wanted = (values - values.mean()) / np.sqrt(values.var(ddof=1) + 1e-6)
            errors.append(np.square(predicted[sample, number] - wanted).mean())
    assert losses_of(run.stage, batch)["total"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert torch.equal(network.picture(network.patches(view)), view)


def test_completion_sees_only_what_is_visible(run_of: Any) -> None:
    run = run_of("croco")
    network, batch = run.start.network, batch_of(run)
    view, other = batch.pictures.unbind(1)
    hidden, visible = hidden_and_visible(batch.seeds, 16, 0.5)
    patches = network.patches(view)
    changed = patches.scatter(1, hidden[..., None].expand(-1, -1, 768), 0.0)
    first, second, third = (
        network(one, two, visible) for one, two in ((view, other), (network.picture(changed), other), (view, view))
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, third)
    turned = network(view, other, visible.flip(1))  # in another order
    torch.testing.assert_close(first, turned, rtol=1e-4, atol=1e-5)


def test_the_encoder_is_the_same_in_both_networks(run_of: Any) -> None:
    croco = run_of("croco", top={"start": "croco/croco.pth"}).start.network
    network = run_of("decoder").start.network
    assert isinstance(network, CroCoDiLight)
    picture = torch.rand(1, 3, 64, 64)
    tokens = croco._embed(picture)
    everything = torch.arange(16)[None]
    latents = croco.encoder(tokens, croco.encoder_rotary(4, 4, 0, tokens).of(everything))
    torch.testing.assert_close(latents, network.encode(picture), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stage", ["croco", "decoder", "light", "shadow"])
def test_a_step_of_the_optimiser(stage: str, run_of: Any) -> None:
    """The first step of Adam is p - rate * g / (|g| + 1e-8); of AdamW p is first reduced. The rest is frozen."""
    decay = 0.05 if stage == "croco" else 0.0
    run = run_of(stage, schedule={"weight_decay": decay})
    batch = batch_of(run)
    before = {name: p.detach().clone() for name, p in run.start.network.named_parameters()}
    run.stage(batch.pictures, batch.seeds)["total"].backward()
    gradients = {name: p.grad.clone() for name, p in run.parameters.items() if p.grad is not None}
    assert gradients.keys() == run.parameters.keys()
    assert all(gradient.any() for name, gradient in gradients.items() if "norm" not in name and "bias" not in name)
    run.advance(batch)
    for name, after in run.start.network.named_parameters():
        if name in gradients:
            g = gradients[name].double()
            expected = before[name] * (1 - 1e-3 * decay) - 1e-3 * g / (g.abs() + 1e-8)
            torch.testing.assert_close(after.detach().double(), expected, rtol=1e-4, atol=2e-5)
        else:
            assert torch.equal(after, before[name]), name


def test_checkpointing_and_accumulation_change_nothing(run_of: Any) -> None:
    plain, other = run_of("light"), run_of("light", machine={"checkpointing": True}, schedule={"accumulate": 2})
    first, second = plain.advance(batch_of(plain)), other.advance(batch_of(other))
    assert first == pytest.approx(second, rel=1e-5)
    for name, parameter in plain.parameters.items():
        torch.testing.assert_close(other.parameters[name], parameter, rtol=1e-3, atol=1e-4)


def test_the_moving_average() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    average, expected = MovingAverage({"p": parameter}, 0.5), 1.0
    for step in range(12):
        parameter.data = torch.tensor([float(step)])
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.applied():
        assert parameter.item() == pytest.approx(expected, rel=1e-6)
    assert parameter.item() == 11


def test_the_rate_of_a_schedule(trained: Path) -> None:
    config = load_config(write_config(trained, "croco", schedule={"warm_up": 0.2, "decay": "cosine"}), "croco")
    rates = [learning_rate(config, step, 10) for step in range(10)]
    assert rates[:2] == pytest.approx([5e-4, 1e-3])
    assert rates[6] == pytest.approx(5e-4)
    assert rates[9] < rates[8] < rates[2] == 1e-3


def test_the_gradient_distance_ignores_even_changes_and_finds_edges() -> None:
    picture = torch.rand(2, 3, 32, 32) * 0.5
    assert gradient_distance(picture, picture + 0.25).max() < 1e-6
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 16:] = 1.0  # a step between columns 15 and 16 is one of 31 differences, of 15, 7 and 3 in smaller copies
    expected = (1 / 31 + 1 / 15 + 1 / 7 + 1 / 3) / 4
    assert gradient_distance(edge, torch.zeros_like(edge)).item() == pytest.approx(expected, rel=1e-5)
