"""The update is orthogonal, whatever the gradient's scale."""

from __future__ import annotations

import pytest
import torch

from streamspike.refine.pretrain.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(24, 24), (12, 40), (40, 12)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_result_is_nearly_orthogonal(shape: tuple[int, int], scale: float) -> None:
    torch.manual_seed(0)
    matrix = scale * torch.randn(shape)
    result = orthogonalise(matrix)
    assert result.shape == shape
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.5 and float(values.max()) < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    nearest = (left @ right).flatten()
    assert float(torch.cosine_similarity(result.flatten(), nearest, dim=0)) > 0.97


def test_a_step_goes_down_by_the_same_length_however_steep_it_is() -> None:
    torch.manual_seed(0)
    steps = []
    direction = torch.randn(16, 32)
    for scale in (1e-3, 1e3):
        parameter = torch.nn.Parameter(torch.zeros(16, 32))
        optimizer = Muon([parameter], lr=0.1)
        parameter.grad = scale * direction
        optimizer.step()
        steps.append(parameter.detach().clone())
    assert torch.allclose(steps[0], steps[1], atol=1e-4)
    assert float((steps[0] * direction).sum()) < 0
    # Every singular value is about 1: the root mean square is lr * 0.2 sqrt(32) * sqrt(16 / (16 * 32)).
    assert float(steps[0].square().mean().sqrt()) == pytest.approx(0.1 * 0.2, rel=0.2)


def test_it_finds_the_least_squares() -> None:
    torch.manual_seed(0)
    target = torch.randn(8, 8)
    parameter = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([parameter], lr=0.2)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.2 * (1 - step / 200)
        optimizer.zero_grad()
        (parameter - target).square().sum().backward()
        optimizer.step()
    assert float((parameter.detach() - target).abs().max()) < 0.1


def test_weights_without_a_gradient_stay() -> None:
    parameter = torch.nn.Parameter(torch.ones(4, 4))
    Muon([parameter], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(parameter, torch.ones(4, 4))
