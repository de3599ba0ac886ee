"""Same seed, same pictures and the same truth, on any machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DIGEST = """
import hashlib
from streamspike.world.live import Stage, parse_world
digest = hashlib.sha256()
for scene in ("street?seed=7", "room?seed=3", "yard?seed=12", "walkway?seed=5"):
    stage = Stage(parse_world(scene))
    for number in range(20):
        digest.update(stage.frame(number / 3, number / 3).pixels.tobytes())
        digest.update(repr(stage.truth).encode())
print(digest.hexdigest())
"""

OLD_PROCESSOR = {
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX512-CNL,AVX512-CLX,AVX512-COMMON,AVX2,FMA3,FP16",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL",
}
"""Vector instructions neither library may use: what it has without them is what any processor of 2009 has."""


def digest(**environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


@pytest.mark.slow
def test_an_old_processor_paints_the_same_pictures() -> None:
    assert len(digest()) == 64
    assert digest() == digest(**OLD_PROCESSOR)
    assert digest(PYTHONHASHSEED="1") == digest(PYTHONHASHSEED="2")
