#!/usr/bin/env python3
"""What astroscrappy (sepmed, 4 iterations, one thread) finds and needs, for appliance/src/preprocessing/benchCosmicRays.ts.

Arguments: number of timed runs (0: one run that is not a measurement), then pairs of a side in pixels and a file of float32
electrons with gain 1, read noise 6 and saturation at 60000. Writes its mask beside each file, one byte a pixel, as
FILE.mask. Prints one JSON object: {peer, frames: [{cpuMs, ms}]}; {"peer": null} where it is not installed.
"""
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

try:
    import astroscrappy
    import numpy as np
except ImportError:
    print(json.dumps({"peer": None, "frames": []}))
    sys.exit(0)

runs = int(sys.argv[1])
frames = []
for side, path in zip(sys.argv[2::2], sys.argv[3::2]):
    pixels = np.fromfile(path, dtype=np.float32).reshape(int(side), int(side))
    times = []
    for _ in range(max(1, runs)):
        wall, cpu = time.perf_counter(), time.process_time()
        mask, _ = astroscrappy.detect_cosmics(pixels, gain=1, readnoise=6, satlevel=60000, sepmed=True, niter=4)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    mask.astype(np.uint8).tofile(path + ".mask")
    frames.append({"cpuMs": min(t[0] for t in times) * 1e3, "ms": min(t[1] for t in times) * 1e3})
print(json.dumps({"peer": f"astroscrappy {astroscrappy.__version__}", "frames": frames}))
