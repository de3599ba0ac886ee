"""The engine's measurements as text a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WORDS = {"window_segments": "window, segments", "num_hypotheses": "hypotheses", "frame_width_px": "frame width, px"}


def render_report(result: Mapping[str, Any]) -> str:
    """Everything that was measured."""
    parts = [_render_settings(result), _render_variants(result), _render_floor(result)]
    if result["cameras"]:
        parts.append(_render_cameras(result["cameras"]))
    if result["curve"]:
        parts.append(_render_curve(result["curve"]))
    if result["soak"]:
        parts.append(_render_soak(result["soak"]))
    return "\n\n".join(parts)


def _render_settings(result: Mapping[str, Any]) -> str:
    settings, machine, belief = result["settings"], result["machine"], result["settings"]["belief"]
    where = machine["accelerator"] or f"{machine['threads']} threads of {machine['processor']}"
    growth = f" growing by {belief['window_growth_segments']}" if belief["window_growth_segments"] else ""
    return "\n".join(
        (
            f"{result['model']}, {settings['parameters'] / 1e6:,.1f} M parameters in {settings['dtype']}; {where}, "
            f"load {machine['load_average'][0]:.1f}",
            f"{settings['segments']} segments, {settings['published_segments']} of them by the published procedure; "
            f"window {belief['window_segments']}{growth}, {belief['num_hypotheses']} hypotheses of up to "
            f"{belief['max_hypothesis_tokens']} tokens",
            f"frames {settings['frame_width_px']} x {settings['frame_height_px']}, "
            f"{settings['video_tokens_per_segment']} tokens a segment",
        )
    )


def _render_variants(result: Mapping[str, Any]) -> str:
    heads = (("ms/segment", 11), ("x published", 12), ("x naive", 8), ("off by nats", 12), ("cache MiB", 10))
    lines = [" " * 10 + "".join(f" {head:>{width}s}" for head, width in heads) + "  stages, ms"]
    for name, variant in result["variants"].items():
        faster = variant["times_faster_than"]
        stages = ", ".join(f"{stage} {milliseconds(seconds)}" for stage, seconds in variant["stages"].items())
        lines.append(
            f"{name:10s} {milliseconds(variant['seconds_per_segment']):>11s} {_times(faster.get('published')):>12s} "
            f"{_times(faster.get('naive')):>8s} {variant['max_abs_difference_nats']:12.1e} "
            f"{variant['cache_bytes'] / 2**20:10.1f}  {stages}"
        )
    steady = result["variants"]["steady"]
    drew, kept = (milliseconds(steady[f"seconds_when_{what}"]) for what in ("sampled", "kept"))
    lines += [
        "",
        f"steady drew new hypotheses for {steady['sampled_share']:.0%} of its segments: when it did {drew} ms, when it "
        f"kept them {kept} ms",
        f"{steady['guessed_captions_share']:.0%} of its captions had been said not long before: guessed, they cost no "
        "forward of their own",
        f"off by: from a full recomputation, at most; surprise {result['max_abs_difference_nats']:.1e} nats, "
        f"log-probabilities {result['max_abs_log_probability_difference_nats']:.1e} nats",
    ]
    return "\n".join(lines)


def _render_floor(result: Mapping[str, Any]) -> str:
    floor, kept = result["floor"], result["variants"]["steady"]["seconds_when_kept"]
    lines = [
        f"measured here: {floor['bytes_per_second'] / 1e9:,.1f} GB/s, {floor['flops_per_second'] / 1e12:,.2f} TFLOP/s "
        f"(in the vision tower's type {floor['vision_flops_per_second'] / 1e12:,.2f}); "
        f"so one decode step takes at least {milliseconds(floor['decode_step_seconds'])} ms",
        f"floor of a steady segment, hypotheses kept: {milliseconds(floor['segment_seconds'])} ms (vision "
        f"{milliseconds(floor['vision_seconds'])}, one pass {milliseconds(floor['pass_seconds'])}), "
        f"{milliseconds(floor['written_segment_seconds'])} ms with its caption written word by word",
    ]
    if kept:
        lines.append(
            f"steady takes {kept / floor['segment_seconds']:.1f} times its floor, "
            f"{kept / floor['written_segment_seconds']:.1f} times with the caption"
        )
    return "\n".join(lines)


def _render_cameras(cameras: Mapping[str, Any]) -> str:
    lines = [
        f"cameras at one segment per {cameras['segment_seconds']:g} s each for {cameras['seconds']:g} s, "
        f"{cameras['mode']} mode; pictures painted beforehand and shared by the cameras",
        f"{'cameras':>8s} {'scored/s':>9s} {'p50 ms':>8s} {'p95 ms':>8s} {'p99 ms':>8s} {'late':>6s} {'dropped':>8s} "
        f"{'batch':>6s} {'drew':>5s} {'cache MiB':>10s}",
    ]
    for run in cameras["runs"]:
        latency = " ".join(f"{milliseconds(run['latency_seconds'][name]):>8s}" for name in ("p50", "p95", "p99"))
        lines.append(
            f"{run['cameras']:8d} {run['segments_per_second']:9.1f} {latency} {run['late']:6d} {run['dropped']:8d} "
            f"{run['mean_batch']:6.1f} {run['sampled_share']:5.0%} {run['cache_bytes'] / 2**20:10.1f}"
            + ("" if run["held"] else "  saturated")
        )
    largest = cameras["largest_that_held"]
    lines.append(f"the most that held: {largest}" if largest else "not one number held")
    return "\n".join(lines)


def _render_curve(points: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"{'':18s} {'':>6s} {'naive ms':>9s} {'paper ms':>9s} {'steady ms':>9s}  x published, x naive: paper, steady"
    ]
    for point in points:
        seconds = point["seconds_per_segment"]
        ratios = [
            f"{_times(seconds[base] / seconds['paper'])}, {_times(seconds[base] / seconds['steady'])}"
            if base in seconds
            else "-"
            for base in ("published", "naive")
        ]
        times = " ".join(f"{milliseconds(seconds[name]):>9s}" for name in ("naive", "paper", "steady"))
        lines.append(f"{WORDS[point['setting']]:18s} {point['value']:6d} {times}  {ratios[0]:>14s} | {ratios[1]}")
    return "\n".join(lines)


def _render_soak(soak: Mapping[str, Any]) -> str:
    lines = [
        f"memory over {soak['segments']} segments of one camera",
        f"{'segments':>9s} {'process MB':>11s} {'cache MB':>9s}",
    ]
    lines += [
        f"{look['segments']:9d} {look['process_bytes'] / 1e6:11.1f} {look['cache_bytes'] / 1e6:9.2f}"
        for look in soak["looks"]
    ]
    return "\n".join(lines)


def milliseconds(seconds: float | None) -> str:
    """Three figures, or all of them when there are more; - for none."""
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.3g}" if seconds < 0.1 else f"{1000 * seconds:.0f}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}"
