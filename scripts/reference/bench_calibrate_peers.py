#!/usr/bin/env python3
"""Times what numpy and ccdproc need for the work of appliance/src/preprocessing/benchCalibrate.ts, one thread.

Arguments: number of runs, then sides in pixels. Prints one JSON object: figure -> side -> {peer, ms, cpuMs, n}. A package
that is not installed is left out. numpy works in float32 and in place, in buffers that are there before the clock starts. "With mask
and variance" is what calibrate() does without noise of masters: shot noise of the mean of the eight neighbours where the pixel
agrees with it within 3 sigma, else of the pixel; another figure takes the pixel's own alone, which is less work than ours.
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

    padded = np.empty((side + 2, side + 2), np.float32)
    inner, columns = padded[1:-1, 1:-1], np.empty((side, side + 2), np.float32)
    around, quiet = (np.empty((side, side), np.float32) for _ in range(2))

    def neighbours():
        np.copyto(inner, raw)
        np.add(inner, zero, out=inner)
        np.greater_equal(inner, np.float32(60000), out=full)
        np.multiply(full, np.uint16(4), out=mask)
        np.subtract(inner, bias, out=inner)
        padded[0], padded[-1] = padded[2], padded[-3]
        padded[:, 0], padded[:, -1] = padded[:, 2], padded[:, -3]
        np.add(padded[:-2], padded[2:], out=columns)
        np.add(columns, padded[1:-1], out=columns)
        np.add(columns[:, :-2], columns[:, 2:], out=around)
        np.add(around, columns[:, 1:-1], out=around)
        np.subtract(around, inner, out=around)
        np.multiply(around, np.float32(0.125), out=around)
        np.maximum(around, 0, out=quiet)
        np.multiply(quiet, np.float32(1 / 1.5), out=quiet)
        np.add(quiet, np.float32(16), out=quiet)
        np.maximum(inner, 0, out=variance)
        np.multiply(variance, np.float32(1 / 1.5), out=variance)
        np.add(variance, np.float32(16), out=variance)
        np.subtract(inner, around, out=around)
        np.multiply(around, around, out=around)
        np.multiply(quiet, np.float32(9 * 1.125), out=scaled)
        np.less_equal(around, scaled, out=full)
        np.copyto(variance, quiet, where=full)
        np.multiply(dark, t, out=scaled)
        np.subtract(inner, scaled, out=signal)
        np.divide(np.float32(1), flat, out=scaled)
        np.multiply(signal, scaled, out=signal)
        np.multiply(scaled, scaled, out=scaled)
        np.multiply(variance, scaled, out=variance)

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
    timed("calibrate, with mask and variance", side, peer, runs, neighbours)
    timed("calibrate, with mask and variance; numpy takes that of the pixel alone", side, peer, runs, everything)


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
