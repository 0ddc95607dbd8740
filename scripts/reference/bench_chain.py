#!/usr/bin/env python3
"""The fastest way from a raw frame to a list of candidates that Debian's packages give, as the peer of the whole chain:
numpy calibration, astroscrappy, sep, astroalign, ZOGY in float32 with scipy.fft, sep on S_corr. One process, as many threads
as the libraries take; solve-field beside it where it is installed.

Arguments: folder with raw, bias, dark, flat and reference .fits, number of runs, iterations of astroscrappy, RA and
declination of the field in degrees, arc seconds a pixel.
Prints one JSON object: {steps: {name: ms}, ms, rssMiB}.
"""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import astroalign
import astroscrappy
import numpy as np
import sep
from astropy.io import fits
from scipy import ndimage

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_differencing import zogy  # noqa: E402

GAIN, READ_NOISE, HALF = 1.0, 6.0, 12


def load(folder, name):
    with fits.open(os.path.join(folder, name + ".fits"), memmap=False) as hdus:
        return np.ascontiguousarray(hdus[0].data, dtype=np.float32)


def measure(frame):
    background = sep.Background(frame)
    flat = frame - background.back()
    objects = sep.extract(flat, 5.0, err=background.globalrms)
    return flat, objects[np.argsort(objects["flux"])[::-1]], background.globalrms


def mean_star(frame, objects):
    """Sum of fifty bright, unsaturated stars, each moved to the middle of its stamp."""
    stamps = []
    for o in objects:
        x, y = int(round(o["x"])), int(round(o["y"]))
        stamp = frame[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]
        if stamp.shape != (2 * HALF + 1, 2 * HALF + 1) or stamp.max() > 40000:
            continue
        stamps.append(ndimage.shift(stamp / stamp.sum(), (y - o["y"], x - o["x"]), order=3))
        if len(stamps) == 50:
            break
    psf = np.median(stamps, axis=0)
    return (psf / psf.sum()).astype(np.float32)


def solve(path, ra, dec, scale):
    with tempfile.TemporaryDirectory() as work:
        command = ["solve-field", path, "-D", work, "--no-plots", "--overwrite", "--ra", ra, "--dec", dec, "--radius", "2",
                   "--scale-units", "arcsecperpix", "--scale-low", str(0.95 * float(scale)),
                   "--scale-high", str(1.05 * float(scale)), "--downsample", "2"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)


def chain(folder, masters, reference, niter, field):
    bias, dark, flat_field = masters
    plane_r, stars_r, noise_r = reference
    steps, last = {}, time.perf_counter()

    def lap(name):
        nonlocal last
        steps[name], last = (time.perf_counter() - last) * 1e3, time.perf_counter()

    frame = load(folder, "raw")
    frame -= bias
    frame -= dark
    frame /= flat_field
    lap("calibrate")
    _, frame = astroscrappy.detect_cosmics(frame, sepmed=True, niter=niter, gain=GAIN, readnoise=READ_NOISE, verbose=False)
    lap("cosmic rays")
    plane, stars, noise = measure(frame)
    lap("background and stars")
    if shutil.which("solve-field"):
        solve(os.path.join(folder, "raw.fits"), *field)
        lap("solve")
    points = [np.column_stack([s["x"], s["y"]])[:200] for s in (stars_r, stars)]
    transform, _ = astroalign.find_transform(*points, max_control_points=50)
    lap("register")
    aligned, _ = astroalign.apply_transform(transform, plane_r, plane)
    lap("resample")
    psf_n, psf_r = mean_star(plane, stars), mean_star(aligned.astype(np.float32), stars)
    lap("psf")
    variance = np.maximum(plane, 0) / GAIN + noise * noise
    variance_r = np.maximum(aligned, 0) / GAIN + noise_r * noise_r
    score = zogy([plane, aligned.astype(np.float32), variance.astype(np.float32), variance_r.astype(np.float32)], psf_n, psf_r)
    lap("zogy")
    sep.extract(np.ascontiguousarray(score[: plane.shape[0], : plane.shape[1]]), 5.0)
    lap("candidates")
    return steps


def main():
    folder, runs, niter = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sep.set_extract_pixstack(10_000_000)
    sep.set_sub_object_limit(100_000)
    masters = [load(folder, name) for name in ("bias", "dark", "flat")]
    reference = measure(load(folder, "reference"))
    all_steps = [chain(folder, masters, reference, niter, sys.argv[4:7]) for _ in range(runs)]
    best = min(all_steps, key=lambda steps: sum(steps.values()))
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps": best, "ms": sum(best.values()), "rssMiB": rss}))


main()
