#!/usr/bin/env python3
"""Times what numpy and sep need for the work of appliance/src/preprocessing/benchmark.ts, on the same frames, one thread.

Arguments: number of runs, then pairs of a side in pixels and a file of float32 pixels. Prints one JSON object:
figure -> side -> {peer, ms, cpuMs, n}, and "peak RSS" -> {peer, mib}. A package that is not installed is left out.
"""
import json
import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")


def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None


np = importable("numpy")
sep = importable("sep")
found = {}


def timed(figure, side, peer, runs, work):
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    entry = {"peer": peer, "ms": sorted(walls)[runs // 2], "cpuMs": sorted(cpus)[runs // 2], "n": runs}
    found.setdefault(figure, {})[side] = entry


def calibrate(raw, bias, dark, flat):
    """The same planes as ours: science, variance and the mask of saturated pixels; the fewest passes numpy allows."""

    def work():
        signal = raw - bias
        variance = np.maximum(signal, 0)
        variance *= np.float32(1 / 1.5)
        variance += np.float32(16)
        signal -= dark * np.float32(0.5)
        signal /= flat
        variance /= flat * flat
        mask = (raw >= 60000).astype(np.uint16) * np.uint16(4)
        return signal, variance, mask

    return work


def stack(raw):
    """Values within 3 sigma of the median, sigma being half of the central 68 %; their mean."""
    cube = np.stack([raw * np.float32(1 + k * 1e-3) for k in range(10)])

    def work():
        low, middle, high = np.percentile(cube, [15.87, 50, 84.13], axis=0)
        keep = np.abs(cube - middle) <= 1.5 * (high - low)
        return np.where(keep, cube, 0).sum(axis=0) / keep.sum(axis=0)

    return work


def measure(side, path, runs):
    raw = np.fromfile(path, np.float32).reshape(side, side)
    peer = f"numpy {np.__version__}"
    bias = np.full_like(raw, 100)
    dark = np.full_like(raw, 10)
    flat = np.full_like(raw, 0.9)
    timed("calibrate", side, peer, runs, calibrate(raw, bias, dark, flat))
    timed("stack of 10", side, peer, 1, stack(raw))
    if not sep:
        return
    peer = f"sep {sep.__version__}"
    timed("background", side, peer, runs, lambda: (lambda sky: (sky.back(), sky.rms()))(sep.Background(raw)))

    def stars():
        sky = sep.Background(raw)
        flattened = raw - sky.back()
        rms = sky.rms()
        objects = sep.extract(flattened, 5, err=rms)
        half, _ = sep.flux_radius(flattened, objects["x"], objects["y"], 6 * objects["a"], 0.5, subpix=5)
        x, y, _ = sep.winpos(flattened, objects["x"], objects["y"], 2 / 2.35 * half)
        sep.sum_circle(flattened, x, y, 5.0, err=rms)

    timed("background and stars", side, peer, runs, stars)


def main():
    if np:
        for side, path in zip(sys.argv[2::2], sys.argv[3::2]):
            measure(int(side), path, int(sys.argv[1]))
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found["peak RSS"] = {"peer": f"numpy {np.__version__}", "mib": mib}
    json.dump(found, sys.stdout)


main()
