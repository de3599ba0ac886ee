"""Traces two steady steps and one that draws, and counts how often the host waited for the device.

python -m tests.support.device_trace --device cuda --model random:qwen2.5-vl-7b --trace trace.json
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from streamspike.config import ModelConfig
from streamspike.core import Sampling
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import load_model
from streamspike.engine.sampler import LOOK_STEPS
from tests.support.requests import ask, film

WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "aten::_local_scalar_dense")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="random:tiny-qwen2.5-vl")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--trace", type=Path, default=Path("trace.json"))
    arguments = parser.parse_args()
    loaded = load_model(ModelConfig(name=arguments.model, device=arguments.device))
    # Without an end, so that answers are as long as they may be.
    loaded = replace(loaded, suppressed=(*loaded.suppressed, loaded.layout.special.end))
    engine = IncrementalEngine(loaded, write_on_device=True)
    films = [film(12, seed, 360, 640) for seed in range(arguments.cameras)]

    def step(index: int, max_tokens: int, kept: tuple[str, ...]) -> Counter[str]:
        sampling = Sampling(4, max_tokens, max_tokens)
        requests = [ask(segments, index, kept, f"camera{number}") for number, segments in enumerate(films)]
        activities = [ProfilerActivity.CPU]
        if loaded.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities) as profiler:
            answers = engine.assess_batch([replace(request, sampling=sampling) for request in requests])
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            raise failed[0]
        profiler.export_chrome_trace(str(arguments.trace))
        return Counter({event.key: event.count for event in profiler.key_averages() if event.key in WAITS})

    few, many = LOOK_STEPS, 4 * LOOK_STEPS
    kept = ("nothing changes", "a person walks in from the left")
    for _ in range(2):  # the first time captures the graphs
        waits = {words: step(6, words, ()) for words in (few, many)}
        steady = step(6, few, kept)
    print(f"{arguments.cameras} cameras of {loaded.name} on {loaded.device}; times the host waited in a step:")
    for words, found in waits.items():
        print(f"  drawing, {words} words an answer: {dict(found)}")
    print(f"  with kept hypotheses, {few} words: {dict(steady)}; its trace is {arguments.trace}")
    more = sum(waits[many].values()) - sum(waits[few].values())
    looks = (many - few) // LOOK_STEPS
    print(f"{many - few} words more cost {more} waits more; the host looked {looks} times more")
    return 0 if more <= 3 * looks else 1  # a look is an operation, a copy and at most one more synchronisation


if __name__ == "__main__":
    sys.exit(main())
