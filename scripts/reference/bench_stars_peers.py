#!/usr/bin/env python3
"""Times what sep needs for the work of appliance/src/preprocessing/benchStars.ts, on the same frame, one thread.

Arguments: number of runs, side in pixels, what figures' names end with, a file of float32 pixels. Prints one JSON object:
figure -> side -> {peer, ms, cpuMs, n}; an empty one where sep is not installed.
"""
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import numpy as np
    import sep
except ImportError:
    print("{}")
    sys.exit()

found = {}


def timed(figure, side, runs, work):
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    middle = [sorted(values)[runs // 2] for values in (walls, cpus)]
    found[figure] = {side: {"peer": f"sep {sep.__version__}", "ms": middle[0], "cpuMs": middle[1], "n": runs}}


def main():
    runs, side, name, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    raw = np.fromfile(path, np.float32).reshape(side, side)
    sep.set_extract_pixstack(max(300000, raw.size // 4))
    timed("background, painted" + name, side, runs, lambda: sep.Background(raw).back())

    def shallow():
        sky = sep.Background(raw)
        sep.extract(raw - sky.back(), 1.5, err=sky.globalrms)

    def measured():
        """What a star list needs beside sep's isophotes: half-flux radii, windowed positions, aperture fluxes."""
        sky = sep.Background(raw)
        flat = raw - sky.back()
        rms = sky.rms()
        objects = sep.extract(flat, 5, err=rms)
        half, _ = sep.flux_radius(flat, objects["x"], objects["y"], 6 * objects["a"], 0.5, subpix=5)
        x, y, _ = sep.winpos(flat, objects["x"], objects["y"], 2 / 2.35 * half)
        sep.sum_circle(flat, x, y, 5.0, err=rms)

    timed("background and stars, 1.5 sigma of sep" + name, side, runs, shallow)
    timed("background and stars, 5 sigma" + name, side, runs, measured)
    json.dump(found, sys.stdout)


main()
