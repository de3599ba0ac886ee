"""Loading: what comes in, and what is refused with which words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from streamspike.belief.prompts import END
from streamspike.config import ModelConfig
from streamspike.engine import model as model_module
from streamspike.engine.model import LoadedModel, choose_device, choose_dtype, load_model, read_frame_spec
from streamspike.errors import ModelError
from tests.support.checkpoints import save_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "porch", "qwen2_5_vl")


def load(folder: Path) -> LoadedModel:
    return load_model(ModelConfig(name=str(folder), device="cpu"))


def test_a_saved_checkpoint_comes_back_ready_to_answer(tiny: LoadedModel) -> None:
    assert not tiny.model.training
    assert {parameter.dtype for parameter in tiny.model.parameters()} == {torch.float32}
    assert tiny.layout.timestamps == (tiny.family == "qwen3_vl")
    assert tiny.tokenizer.decode([tiny.layout.special.end]) == END
    assert (tiny.frames.height_px, tiny.frames.width_px, tiny.frames.merge) == (32, 48, 2)
    assert tiny.frames.mean == (0.5, 0.4, 0.3)


def test_special_and_padded_ids_are_suppressed_but_not_the_end(tiny: LoadedModel) -> None:
    special = tiny.layout.special
    assert {special.video, special.vision_start, special.vision_end} <= set(tiny.suppressed)
    assert special.end not in tiny.suppressed
    assert max(tiny.suppressed) == tiny.model.config.text_config.vocab_size - 1
    assert tiny.layout.tokenize("a")[0] not in tiny.suppressed


def test_the_name_is_the_folder_and_changes_with_the_weights(tmp_path: Path) -> None:
    names = [load(save_checkpoint(tmp_path / str(seed) / "porch", "qwen2_5_vl", seed)).name for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("porch@") and len(name) == len("porch@") + 8 for name in names)


def test_the_config_can_fix_the_frame_size(checkpoint: Path) -> None:
    loaded = load_model(ModelConfig(name=str(checkpoint), device="cpu", frame_width_px=64, frame_height_px=64))
    assert loaded.frames.frame_size(720, 1280).width_px == 64


@pytest.mark.parametrize("name", ["./no/such/folder", "a/b/c", "no-such-model"])
def test_a_name_that_is_nothing_says_what_would_be(name: str) -> None:
    with pytest.raises(ModelError, match="neither 'nano', nor a folder, nor a Hugging Face id"):
        load_model(ModelConfig(name=name, device="cpu"))


def test_a_folder_without_a_config_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        load(tmp_path)


def test_pickled_weights_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled"):
        load(checkpoint)


def test_another_architecture_is_refused_by_name(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "qwen2"}), encoding="utf-8")
    with pytest.raises(ModelError, match="'qwen2'"):
        load(checkpoint)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("text_config", "use_sliding_window", True, "sliding-window attention"),
        (
            "text_config",
            "rope_parameters",
            {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
            "'dynamic' rotary",
        ),
        ("vision_config", "out_hidden_size", 48, "tokens of width 48, its text_config reads 32"),
        ("vision_config", "deepstack_visual_indexes", [0, 1, 1], "3 deepstack levels for 2 language layers"),
    ],
)
def test_what_the_engine_would_get_wrong_is_refused_with_a_sentence(
    checkpoint: Path, section: str, key: str, value: object, message: str
) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    config[section][key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load(checkpoint)


def test_a_config_that_is_not_json_is_refused(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot read the model"):
        load(checkpoint)


def test_remote_code_is_never_run(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.EvilConfig"}}
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    marker = checkpoint / "ran"
    (checkpoint / "evil.py").write_text(f"open({str(marker)!r}, 'w')", encoding="utf-8")
    with pytest.raises(ModelError):
        load(checkpoint)
    assert not marker.exists()


def test_a_missing_tokenizer_is_said(checkpoint: Path) -> None:
    for path in checkpoint.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        load(checkpoint)


def test_truncated_weights_are_refused(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(checkpoint)


def test_missing_weights_are_not_made_up(checkpoint: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(checkpoint / "model.safetensors")
    lost = next(name for name in weights if "q_proj.weight" in name)
    del weights[lost]
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing.*q_proj"):
        load(checkpoint)


def test_a_processor_that_disagrees_with_the_weights_is_refused(checkpoint: Path) -> None:
    (checkpoint / "preprocessor_config.json").write_text(json.dumps({"patch_size": 14}), encoding="utf-8")
    with pytest.raises(ModelError, match="patch_size 14"):
        load(checkpoint)


def test_nested_video_values_win_over_image_files(tiny: LoadedModel, tmp_path: Path) -> None:
    video = {"image_mean": [0.1, 0.1, 0.1], "size": {"shortest_edge": 4096, "longest_edge": 99999}}
    nested = {"image_processor": {"image_mean": [0.2, 0.2, 0.2]}, "video_processor": video}
    (tmp_path / "processor_config.json").write_text(json.dumps(nested), encoding="utf-8")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.3, 0.3, 0.3]}), encoding="utf-8")
    spec = read_frame_spec("x", str(tmp_path), tiny.family, tiny.model.config.vision_config)
    assert spec.mean == (0.1, 0.1, 0.1)
    assert spec.height_px == spec.width_px == 0  # bounds are not a size


def test_without_processor_files_the_family_decides(tiny: LoadedModel, tmp_path: Path) -> None:
    spec = read_frame_spec("x", str(tmp_path), tiny.family, tiny.model.config.vision_config)
    assert spec.mean[0] == (0.48145466 if tiny.family == "qwen2_5_vl" else 0.5)
    assert (spec.patch_px, spec.merge, spec.temporal_patch) == (8, 2, 2)


@pytest.mark.parametrize(
    ("dtype", "units", "tower"),
    [("auto", True, torch.bfloat16), ("auto", False, torch.float32), ("float32", True, torch.float32)],
)
def test_on_a_cpu_with_units_for_it_the_vision_tower_alone_is_in_bfloat16(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, units: bool, tower: torch.dtype
) -> None:
    monkeypatch.setattr(model_module, "has_half_units", lambda: units)
    loaded = load_model(ModelConfig.model_validate({"name": str(checkpoint), "device": "cpu", "dtype": dtype}))
    assert {parameter.dtype for parameter in loaded.model.model.visual.parameters()} == {tower}
    assert {parameter.dtype for parameter in loaded.model.model.language_model.parameters()} == {torch.float32}
    assert loaded.dtype == torch.float32


def test_devices_and_types_are_chosen_and_checked() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    assert choose_dtype("auto", torch.device("cuda")) == torch.bfloat16
    assert choose_dtype("float16", torch.device("cpu")) == torch.float16
    with pytest.raises(ModelError, match="unknown device"):
        choose_device("toaster")
    with pytest.raises(ModelError, match="no device 'cuda:77'"):
        choose_device("cuda:77")


def test_a_small_model_takes_one_thread_unless_told_otherwise(checkpoint: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        load_model(ModelConfig(name=str(checkpoint), device="cpu", threads=2))
        assert torch.get_num_threads() == 2
        load(checkpoint)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_copies_of_a_checkpoint_load_under_their_own_name(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "yard")
    porch, yard = load(checkpoint).name, load(tmp_path / "yard").name
    assert porch.split("@")[1] == yard.split("@")[1] and yard.startswith("yard@")
