"""Load the networks of depth refinement from folders laid out as on the Hub, each part by itself."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relight_cli.checkpoints.consent import Ask
from relight_cli.checkpoints.depth_files import CAPTIONER, DIFFUSION, TINY_AUTOENCODER, depth_files, find_folders
from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.kept_networks import loaded_once
from relight_cli.checkpoints.models import warn
from relight_cli.checkpoints.weights import LookUp
from relight_cli.devices import Compute, choose
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.depth_anything import DepthNetwork, DisparityDecoder
from relight_cli.models.depth_model import DepthModel, DiffusionJudge
from relight_cli.models.diffusion_prior import DiffusionPrior, TinyEncoder, VariationalEncoder
from relight_cli.models.geometry_depth import GeometryDepth

REMEDY = "put the published files there, or fetch them again with 'relight-cli weights fetch refine-depth'"
Network = TypeVar("Network", bound=nn.Module)
Embed = Callable[[str], Tensor]
"""Takes a text; returns its embedding (1, L, C), float32 on the CPU."""
Caption = Callable[[NDArray[np.float32]], str]
"""Takes an sRGB picture (H, W, 3), nominally in [0, 1]; returns a caption."""

VARIANT = "fp16"  # of Stable Diffusion's files: half the download, and the score is no worse


@loaded_once
def load_depth_model(
    size: str = "small",
    *,
    fast: bool = False,
    caption: bool = False,
    refined: bool = True,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: str | Path | None = None,
    offline: bool = False,
    progress: bool = False,
    accept_licence: bool = False,
    ask: Ask | None = None,
    download: bool = True,
    notify: Callable[[str], None] = warn,
) -> DepthModel:
    """Load Depth Anything V2 ("small", "base" or "large") and Stable Diffusion 1.5, which judges its refinement.

    "tiny" is the geometry network inside the package. Without `refined` no Stable Diffusion is loaded, for
    `DepthOptions.steps` of 0. `fast` loads TAESD instead of Stable Diffusion's VAE, `caption` adds BLIP, which
    describes the photo. The other arguments are those of `load_model`; `dtype` is that of denoiser and encoder. Base
    and large have the licence CC-BY-NC-4.0; `notify` gets a line about it.
    Raises UsageError for unknown names, DeviceError, ModelUnavailableError naming everything that is missing.
    """
    compute = choose(device, dtype)
    folder = Path(weights_dir) if weights_dir else None
    wanted = depth_files(size, fast=fast, caption=caption, refined=refined, weights_dir=folder)
    folders = find_folders(wanted.files, LookUp(folder, offline, progress, accept_licence, ask, download), notify)
    network = (
        load_depth_network(folders[wanted.name], device=compute.device)
        if wanted.name in folders
        else load_geometry_depth(compute.device)
    )
    captioner = load_captioner(folders[CAPTIONER], device=compute.device) if caption else None
    if wanted.licence.startswith("CC-BY-NC"):
        notify(f"{wanted.name}: licence {wanted.licence}.")
    return DepthModel(
        network,
        _judge(folders, compute) if refined else None,
        captioner,
        wanted.name,
        wanted.revision,
        wanted.sha256,
        tuple(wanted.sources),
        compute.device,
        compute.dtype,
    )


def load_geometry_depth(device: str) -> GeometryDepth:
    """Load the geometry network inside the package, as a network whose depth is refined."""
    return _ready(GeometryDepth(load_geometry(device=device)), device)


def _judge(folders: Mapping[str, Path], compute: Compute) -> DiffusionJudge:
    """Load Stable Diffusion."""
    folder, tiny_autoencoder = folders[DIFFUSION], folders.get(TINY_AUTOENCODER)
    embed = load_embedder(folder)
    prior = load_prior(folder, tiny_autoencoder, embed, "a photo", device=compute.device, dtype=compute.dtype)
    return DiffusionJudge(prior, embed)


@loaded_once
def load_depth_network(folder: Path, *, device: str) -> DepthNetwork:
    """Load Depth Anything V2 in float32. Raises ModelUnavailableError, as all loaders here."""
    with _errors_named(folder):
        from transformers import DepthAnythingForDepthEstimation

        network = _complete(DepthAnythingForDepthEstimation, folder, dtype=torch.float32)
        if network.config.depth_estimation_type != "relative":
            raise ValueError(f"it gives {network.config.depth_estimation_type} depth, not disparity")
        colours = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        decoder = DisparityDecoder(network.neck, network.head)
        whole = DepthNetwork(network.backbone, decoder, colours["image_mean"], colours["image_std"])
        return _ready(whole, device)


def load_embedder(folder: Path) -> Embed:
    """Load Stable Diffusion's text encoder and its tokenizer."""
    with _errors_named(folder):
        from transformers import CLIPTextModel, CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        encoder = _complete(
            CLIPTextModel, folder, subfolder="text_encoder", variant=VARIANT, dtype=torch.float32
        ).eval()

    @torch.no_grad()
    def embed(text: str) -> Tensor:
        longest = encoder.config.max_position_embeddings
        tokens = tokenizer(text, padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
        return encoder(tokens.input_ids).last_hidden_state

    return embed


def load_prior(
    folder: Path, tiny_autoencoder: Path | None, embed: Embed, prompt: str, *, device: str, dtype: torch.dtype
) -> DiffusionPrior:
    """Load Stable Diffusion's denoiser and encoder, or the tiny encoder if given; `embed` is from `load_embedder`."""
    with _errors_named(folder):
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
        if scheduler.config.prediction_type != "epsilon":
            raise ValueError(f"it predicts {scheduler.config.prediction_type}, not noise")
        denoiser = _complete(UNet2DConditionModel, folder, subfolder="unet", variant=VARIANT, torch_dtype=dtype)
    encoder, shrinks, channels = _encoder(tiny_autoencoder or folder, tiny=tiny_autoencoder is not None, dtype=dtype)
    size = denoiser.config.sample_size
    if channels != denoiser.config.in_channels:
        raise ModelUnavailableError(f"{folder} and {tiny_autoencoder} have latents with different channels: {REMEDY}.")
    prior = DiffusionPrior(
        encoder,
        denoiser,
        scheduler.alphas_cumprod,
        prompt=embed(prompt).to(dtype),
        unconditional=embed("").to(dtype),
        side=size * shrinks,
        latent_shape=(channels, size, size),
    )
    return _ready(prior, device)


def load_captioner(folder: Path, *, device: str) -> Caption:
    """Load BLIP."""
    with _errors_named(folder):
        from transformers import AutoTokenizer, BlipForConditionalGeneration
        from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

        network = _complete(BlipForConditionalGeneration, folder, dtype=torch.float32).eval().to(device)
        prepare = BlipImageProcessorPil.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    @torch.inference_mode()
    def caption(picture: NDArray[np.float32]) -> str:
        pixels = np.rint(np.nan_to_num(picture).clip(0, 1) * 255).astype(np.uint8)
        inputs = prepare(pixels, return_tensors="pt").to(device)
        tokens = network.generate(**inputs, max_new_tokens=30, do_sample=False)
        return str(tokenizer.decode(tokens[0], skip_special_tokens=True)).strip()

    return caption


def _encoder(folder: Path, *, tiny: bool, dtype: torch.dtype) -> tuple[VariationalEncoder | TinyEncoder, int, int]:
    """Load an encoder; return it, the factor by which it shrinks a picture, and the channels of its latents."""
    with _errors_named(folder):
        if tiny:
            from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

            small = _complete(AutoencoderTiny, folder, torch_dtype=dtype)
            small.decoder = None
            return TinyEncoder(small), 2 ** (len(small.config.num_encoder_blocks) - 1), small.config.latent_channels
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        full = _complete(AutoencoderKL, folder, subfolder="vae", variant=VARIANT, torch_dtype=dtype)
        full.decoder = full.post_quant_conv = None
        return VariationalEncoder(full), 2 ** (len(full.config.block_out_channels) - 1), full.config.latent_channels


def _ready(network: Network, device: str) -> Network:
    """Return a network ready to run, channels last: a full-size step takes 13 s, not 19 s (one core, bfloat16)."""
    network.eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _complete(kind: Any, folder: Path, **options: Any) -> Any:
    """Load a network; raise ValueError if its file lacks tensors, which the libraries would initialise at random.

    Surplus tensors are allowed: published files carry buffers that newer networks compute (CLIP's position_ids).
    """
    network, found = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
    lacking = sorted({*map(str, found["missing_keys"]), *map(str, found["mismatched_keys"])})
    if lacking:
        raise ValueError(f"{len(lacking)} tensors are missing or of another shape, for example {lacking[0]}")
    return network


@contextmanager
def _errors_named(folder: Path) -> Iterator[None]:
    """Silence the libraries, and turn what they raise into a ModelUnavailableError that names the folder."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
    try:
        yield
    except (ModelUnavailableError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = lines[0].rstrip(".") if lines else type(error).__name__
        raise ModelUnavailableError(f"{folder} cannot be loaded ({reason}): {REMEDY}.") from error
