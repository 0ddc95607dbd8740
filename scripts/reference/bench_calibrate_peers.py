#!/usr/bin/env python3
"""Times what numpy and ccdproc need for the work of appliance/src/preprocessing/benchCalibrate.ts, one thread.

Arguments: number of runs, then sides in pixels. Prints one JSON object: figure -> side -> {peer, ms, cpuMs, n}. A package
that is not installed is left out. numpy works in float32 and in place, in buffers that are there before the clock starts;
ccdproc's Combiner clips at 3 deviations (MAD) about the median and averages, the quickest functions it offers.
"""
import json
import os
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")


def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None


np = importable("numpy")
ccdproc = importable("ccdproc")
found = {}
NOISE = 65521


def timed(figure, side, peer, runs, work):
    if runs > 1:
        work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    entry = {"peer": peer, "ms": sorted(walls)[runs // 2], "cpuMs": sorted(cpus)[runs // 2], "n": runs}
    found.setdefault(figure, {})[side] = entry


def calibrate(side, runs):
    noise = np.random.default_rng(1).normal(0, 23, NOISE)
    raw = (np.resize(700 + noise, (side, side)).round() - 32768).astype(">i2")
    bias, dark, flat = (np.full((side, side), value, np.float32) for value in (100, 10, 0.9))
    signal, scaled, variance = (np.empty((side, side), np.float32) for _ in range(3))
    full, mask = np.empty((side, side), bool), np.empty((side, side), np.uint16)
    zero, t = np.float32(32768), np.float32(0.5)

    def science():
        np.copyto(signal, raw)
        np.add(signal, zero, out=signal)
        np.subtract(signal, bias, out=signal)
        np.multiply(dark, t, out=scaled)
        np.subtract(signal, scaled, out=signal)
        np.divide(signal, flat, out=signal)

    def everything():
        np.copyto(signal, raw)
        np.add(signal, zero, out=signal)
        np.greater_equal(signal, np.float32(60000), out=full)
        np.multiply(full, np.uint16(4), out=mask)
        np.subtract(signal, bias, out=signal)
        np.maximum(signal, 0, out=variance)
        np.multiply(variance, np.float32(1 / 1.5), out=variance)
        np.add(variance, np.float32(16), out=variance)
        np.multiply(dark, t, out=scaled)
        np.subtract(signal, scaled, out=signal)
        np.divide(signal, flat, out=signal)
        np.multiply(flat, flat, out=scaled)
        np.divide(variance, scaled, out=variance)

    peer = f"numpy {np.__version__} in place"
    timed("calibrate, science alone", side, peer, runs, science)
    timed("calibrate, with mask and variance", side, peer, runs, everything)


def stack(side):
    from astropy.nddata import CCDData

    rng = np.random.default_rng(2)
    frames = []
    for k in range(10):
        plane = np.resize(600 + rng.normal(0, 23, NOISE), (side, side)).astype(np.float32)
        plane.ravel()[1009 * k :: 20011] += 5000
        frames.append(CCDData(plane, unit="adu"))

    def work():
        combiner = ccdproc.Combiner(frames, dtype=np.float32)
        combiner.sigma_clipping(low_thresh=3, high_thresh=3, func="median", dev_func="mad_std")
        combiner.average_combine()

    timed("stack of 10, clipped", side, f"ccdproc {ccdproc.__version__} Combiner", 1, work)


def main():
    if np:
        for side in map(int, sys.argv[2:]):
            calibrate(side, int(sys.argv[1]))
            if ccdproc:
                stack(side)
    json.dump(found, sys.stdout)


main()
