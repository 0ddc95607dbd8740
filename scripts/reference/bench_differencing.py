#!/usr/bin/env python3
"""Times peers for appliance/src/differencing/benchmark.ts: spline resampling by scipy.ndimage, and the equations of ZOGY in
float32 with scipy.fft on tiles of 480 pixels (416 inner), on one thread and with the tiles shared by two.

Arguments: number of runs, then sides of frames. Prints one JSON object: figure -> side -> {peer, ms, cpuMs}.
"""
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import scipy
from scipy import fft, ndimage


def timed(runs, work):
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    return {"ms": sorted(walls)[runs // 2], "cpuMs": sorted(cpus)[runs // 2]}


def gaussian(n, sigma):
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    p = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    return (p / p.sum()).astype(np.float32)


def zogy_tile(new, ref, vn, vr, pn, pr, fr=1.15, sn=25.0, sr=9.0):
    n = new.shape[0]

    def spectrum(p):
        full = np.zeros((n, n), np.float32)
        full[: p.shape[0], : p.shape[1]] = p
        return fft.rfft2(np.roll(full, (-(p.shape[0] // 2), -(p.shape[1] // 2)), (0, 1)))

    N, R, Pn, Pr = fft.rfft2(new), fft.rfft2(ref), spectrum(pn), spectrum(pr)
    n2, r2 = abs(Pn) ** 2, abs(Pr) ** 2
    den = np.float32(sn * sn * fr * fr) * r2 + np.float32(sr * sr) * n2
    root = np.sqrt(den)
    d = fft.irfft2((fr * Pr * N - Pn * R) / root, (n, n))
    pd = fft.irfft2(Pr * Pn / root, (n, n))
    kn = np.float32(fr * fr) * np.conj(Pn) * r2 / den
    kr = np.float32(fr) * np.conj(Pr) * n2 / den
    s_n, s_r = fft.irfft2(kn * N, (n, n)), fft.irfft2(kr * R, (n, n))
    kn2, kr2 = fft.rfft2(fft.irfft2(kn, (n, n)) ** 2), fft.rfft2(fft.irfft2(kr, (n, n)) ** 2)
    v = fft.irfft2(kn2 * fft.rfft2(vn) + kr2 * fft.rfft2(vr), (n, n))
    for s in (s_n, s_r):
        gy, gx = np.gradient(s)
        v = v + np.float32(0.0025) * (gx * gx + gy * gy)
    return d, pd, (s_n - s_r) / np.sqrt(np.maximum(v, 1e-30))


def zogy(frames, pn, pr, threads=1, tile=480, border=32):
    side = frames[0].shape[0]
    inner = tile - 2 * border
    padded = [np.pad(f, (border, tile)) for f in frames]
    out = np.zeros((side + tile, side + tile), np.float32)

    def work(corner):
        y, x = corner
        parts = [f[y : y + tile, x : x + tile] for f in padded]
        out[y : y + inner, x : x + inner] = zogy_tile(*parts, pn, pr)[2][border:-border, border:-border]

    corners = [(y, x) for y in range(0, side, inner) for x in range(0, side, inner)]
    if threads == 1:
        for corner in corners:
            work(corner)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, corners))
    return out


def main():
    runs = int(sys.argv[1])
    found = {}
    for side in map(int, sys.argv[2:]):
        rng = np.random.default_rng(1)
        plane = rng.normal(0, 20, (side, side)).astype(np.float32)
        other = rng.normal(0, 9, (side, side)).astype(np.float32)
        variance = np.full((side, side), 400, np.float32)
        c, s = np.cos(0.003), np.sin(0.003)
        turn = np.array([[c, s], [-s, c]])
        for order in (3, 5):
            work = lambda: ndimage.affine_transform(plane, turn, (1.3, -2.4), order=order, mode="mirror")  # noqa: E731
            found.setdefault(f"warp order {order}", {})[side] = {
                "peer": f"scipy {scipy.__version__} affine_transform, spline order {order}", **timed(runs, work)}
        for threads, name in ((1, "zogy"), (2, "zogy, 2 threads")):
            work = lambda: zogy([plane, other, variance, variance], gaussian(25, 1.3), gaussian(25, 1.1), threads)  # noqa: E731
            found.setdefault(name, {})[side] = {
                "peer": f"numpy {np.__version__} and scipy.fft, the same equations in float32", **timed(runs, work)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
