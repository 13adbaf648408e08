"""The shipped manifest."""

import pytest

from relight_cli.checkpoints.manifest import load_manifest
from relight_cli.errors import UsageError


def test_the_shipped_manifest_is_sound() -> None:
    manifest = load_manifest()
    assert len({file.name for file in manifest.files}) == len(manifest.files)
    for file in manifest.files:
        assert file.licence
        assert file.used_by
        assert file.config or file.size or file.about
        assert file in manifest.select(file.fetch_name)
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
        assert file.revision is None or len(bytes.fromhex(file.revision)) == 20
    assert manifest.select("relight") == manifest.select("crocodilight")  # another scene's light needs the mappers
    assert [file.name for file in manifest.select("albedo")] == ["CroCoDiLight.pth", "CroCoDiLight_albedo_mapper.pth"]
    depth = manifest.select("refine-depth")
    assert {file.repository_name for file in depth} == {"Depth-Anything-V2-Small-hf", "stable-diffusion-v1-5"}
    assert sum(file.size or 0 for file in depth) == 99173660 + 1719125304 + 167335342 + 246144864
    assert [file.config for file in manifest.select("madebyollin/taesd")] == [False, True]
    assert manifest.select("crocodilight") == manifest.select("alistairfoggin/CroCoDiLight")  # as --model has it
    with pytest.raises(UsageError, match="no weights called 'nothing'"):
        manifest.select("nothing")
