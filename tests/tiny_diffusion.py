"""Tiny real parts of depth refinement, saved as the Hub's repositories are laid out, with a manifest that knows them.

python tests/tiny_diffusion.py FOLDER
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

SD = "stable-diffusion-v1-5"
MANIFEST = Path(__file__).parent.parent / "weights_manifest.toml"
LATENT_SIDE, SHRINKS = 8, 8


def write_tiny(folder: Path) -> Path:
    """Write every repository of refine-depth below a folder, and `manifest.toml`; give the folder."""
    torch.manual_seed(0)
    for name in ("Small", "Base"):
        _depth_anything(folder / f"Depth-Anything-V2-{name}-hf")
    _stable_diffusion(folder / SD)
    _tiny_autoencoder(folder / "taesd")
    _captioner(folder / "blip-image-captioning-base")
    _manifest(folder)
    return folder


def _depth_anything(folder: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=24,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        patch_size=14,
    )
    network = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():  # so that disparity is neither flat nor cut off at zero
        for layer in network.head.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
        for layer in network.neck.modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        network.head.conv3.weight.mul_(0.2)
        network.head.conv3.bias.fill_(1.5)
    network.save_pretrained(folder)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours))


def _stable_diffusion(folder: Path) -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    denoiser = UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    denoiser.half().save_pretrained(folder / "unet", variant="fp16")
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        sample_size=LATENT_SIDE * SHRINKS,
    )
    autoencoder.half().save_pretrained(folder / "vae", variant="fp16")
    _rename(folder / "vae" / "diffusion_pytorch_model.fp16.safetensors", PUBLISHED_VAE)
    tokens = _clip_tokenizer(folder / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
    )
    CLIPTextModel(config).half().save_pretrained(folder / "text_encoder", variant="fp16")
    _rename(folder / "text_encoder" / "model.fp16.safetensors", {"": "text_model."}, position_ids=16)
    scheduler = {
        "_class_name": "PNDMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "trained_betas": None,
        "clip_sample": False,
    }
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))


PUBLISHED_VAE = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def _rename(path: Path, names: dict[str, str], position_ids: int = 0) -> None:
    """Give tensors the names of the published files, which are older than the libraries' own."""
    state = load_file(path)
    for ours, theirs in names.items():
        state = {(theirs + k if not ours else k.replace(ours, theirs)): v for k, v in state.items()}
    if position_ids and not any(k.startswith("text_model.text_model") for k in state):
        state["text_model.embeddings.position_ids"] = torch.arange(position_ids)[None]
    state = {k.replace("text_model.text_model", "text_model"): v for k, v in state.items()}
    save_file(state, path, metadata={"format": "pt"})


def _clip_tokenizer(folder: Path) -> int:
    """Write a tokenizer of single letters, and tell how many tokens it has."""
    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special | {"pad_token": "<|endoftext|>"}))
    config = special | {"pad_token": "<|endoftext|>", "tokenizer_class": "CLIPTokenizer", "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(words)


def _tiny_autoencoder(folder: Path) -> None:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    small = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )
    small.save_pretrained(folder)


def _captioner(folder: Path) -> None:
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *(chr(code) for code in range(97, 123))]
    text = {
        "vocab_size": len(words),
        "hidden_size": 16,
        "encoder_hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "bos_token_id": 5,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
    }
    network = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    network.config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    tokenizer.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    processor = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor | {"do_resize": True, "do_normalize": True}))


def _manifest(folder: Path) -> None:
    """Write the project's manifest with the sizes and hashes of these files in place of the published ones."""
    lines = []
    for repository in tomllib.loads(MANIFEST.read_text())["repository"]:
        if repository.get("used_by") != ["refine-depth"]:
            continue
        lines.append("[[repository]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in repository.items() if key != "file"]
        for file in repository["file"]:
            path = folder / repository["id"].partition("/")[2] / file["path"]
            lines += ["[[repository.file]]", f"path = {json.dumps(file['path'])}"]
            if path.exists():
                data = path.read_bytes()
                lines += [f"size = {len(data)}", f'sha256 = "{hashlib.sha256(data).hexdigest()}"']
    (folder / "manifest.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    print(write_tiny(Path(sys.argv[1])))
