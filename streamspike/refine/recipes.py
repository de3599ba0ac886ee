"""How fast each method learns, unless somebody says otherwise: steps for small models and for large ones.

The small rates were tried on the built-in model (docs/refine.md); at a tenth of them nothing moved in minutes. Adapters
of large models would fall apart at such rates: theirs are what is customary for rank 16, and untried here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamspike.engine.model import FEW_PARAMETERS, LoadedModel


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps of one method."""

    small_rate: float
    """Learning rate at its peak, for models with less than FEW_PARAMETERS."""
    large_rate: float
    clips: int = 1
    """Items per step, of each process: clips; of SAVi and CRPO what their own settings say."""

    def rate(self, loaded: LoadedModel) -> float:
        """Learning rate at its peak for this model."""
        return self.small_rate if loaded.num_parameters < FEW_PARAMETERS else self.large_rate


RECIPES: Mapping[str, Recipe] = {
    "supervised": Recipe(5e-4, 1e-4, clips=4),
    "spike-rl": Recipe(2e-3, 1e-4, clips=2),
    "savi": Recipe(1e-3, 2e-5),
    "crpo": Recipe(5e-4, 5e-5),
}
