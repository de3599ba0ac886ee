#!/usr/bin/env bash
# Everything there is to know about streamspike on this machine's GPU, in one call of at most ten minutes once it is installed:
# checks the engine's numbers on the device, and times it. Run it from the project's root; results go to the folder OUT (default: gpu-check).
#
#   deploy/gpu-check.sh                                                  # on a GPU
#   DEVICE=cpu MODEL=random:tiny-qwen2.5-vl CAMERAS=1,2 deploy/gpu-check.sh   # the same steps, small, without one
set -uo pipefail
DEVICE=${DEVICE:-cuda}
MODEL=${MODEL:-random:qwen2.5-vl-7b}
CAMERAS=${CAMERAS:-1,4,16,32,64}
OUT=${OUT:-gpu-check}
PYTHON=${PYTHON:-python3}
mkdir -p "$OUT"
failed=()

step() { # name, seconds it may take, command...
    local name=$1 limit=$2
    shift 2
    echo "== $name"
    local began=$SECONDS
    timeout "$limit" "$@" > "$OUT/$name.log" 2>&1 || failed+=("$name")
    tail -n 40 "$OUT/$name.log"
    echo "   $name took $((SECONDS - began)) s"
}

step install 180 make .venv/.installed PYTHON="$PYTHON"
step device 30 .venv/bin/python -c "import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU')"
# Exact to 1e-4 nats in float32, graphs and all, for both families; resized frames to the last bit.
step exactness 210 env STREAMSPIKE_TEST_DEVICE="$DEVICE" .venv/bin/python -m pytest -q \
    tests/engine/test_incremental.py tests/engine/test_batch.py tests/engine/test_sampler.py tests/engine/test_memory.py \
    tests/engine/test_steady.py tests/engine/test_graphs.py tests/engine/test_resize.py tests/engine/test_attention.py
# How often the host waits for the device while words are written, and the trace that shows it.
step waits 90 .venv/bin/python -m tests.support.device_trace --device "$DEVICE" --model "${TRACED:-random:tiny-qwen2.5-vl}" \
    --trace "$OUT/trace.json"
step built-in 60 .venv/bin/streamspike bench engine --device "$DEVICE" --segments 6 --published 1 --json "$OUT/built-in.json"
step full-size 210 .venv/bin/streamspike bench engine --device "$DEVICE" --model "$MODEL" --hypotheses 8 --segments 4 --published 0 \
    --cameras "$CAMERAS" --seconds 10 --json "$OUT/full-size.json" --plot "$OUT/full-size.png"

if ((${#failed[@]})); then
    echo "failed: ${failed[*]}; see $OUT/*.log"
    exit 1
fi
echo "all of it passed; results are in $OUT/"
