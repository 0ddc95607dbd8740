#!/usr/bin/env python3
"""Times peers for appliance/src/differencing/benchWarp.ts: SWarp's LANCZOS3 on one thread onto the same turned grid, without
background subtraction, and astroalign's matching of two star lists.

Arguments: number of runs, then sides of frames. Prints one JSON object: figure -> side -> {peer, ms, cpuMs}.
"""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np


def card(key, value):
    text = f"'{value:<8}'" if isinstance(value, str) else (("T" if value else "F") if isinstance(value, bool) else repr(value))
    return f"{key:<8}= {text:>20}".ljust(80)


def grid(side, turn):
    c, s = 2e-4 * np.cos(turn), 2e-4 * np.sin(turn)
    return [
        ("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRVAL1", 150.0), ("CRVAL2", 20.0),
        ("CRPIX1", side / 2 + 0.5), ("CRPIX2", side / 2 + 0.5), ("EQUINOX", 2000.0), ("RADESYS", "ICRS"),
        ("CD1_1", -c), ("CD1_2", s), ("CD2_1", s), ("CD2_2", c),
    ]


def fits(path, plane, side):
    cards = [("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", side), ("NAXIS2", side), *grid(side, 0.0)]
    head = "".join(card(*one) for one in cards) + "END".ljust(80)
    head += " " * (-len(head) % 2880)
    data = plane.astype(">f4").tobytes()
    with open(path, "wb") as out:
        out.write(head.encode() + data + b"\0" * (-len(data) % 2880))


def measured(runs, work):
    work()
    spent = []
    for _ in range(runs):
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        own = time.process_time()
        work()
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + time.process_time() - own
        spent.append((wall * 1e3, cpu * 1e3))
    return {"ms": sorted(w for w, _ in spent)[runs // 2], "cpuMs": sorted(c for _, c in spent)[runs // 2]}


def swarp(program, side, runs):
    version = subprocess.run([program, "-v"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        fits(f"{folder}/in.fits", np.random.default_rng(1).normal(0, 20, (side, side)), side)
        head = "".join(card(*one).rstrip() + "\n" for one in [("NAXIS1", side), ("NAXIS2", side), *grid(side, 0.003)])
        with open(f"{folder}/coadd.head", "w") as out:
            out.write(head + "END\n")
        command = [
            program, "in.fits", "-IMAGEOUT_NAME", "coadd.fits", "-WEIGHTOUT_NAME", "coadd.weight.fits",
            "-COMBINE", "N", "-SUBTRACT_BACK", "N", "-RESAMPLING_TYPE", "LANCZOS3", "-NTHREADS", "1",
            "-VERBOSE_TYPE", "QUIET", "-WRITE_XML", "N",
        ]
        work = lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: E731
        return {"peer": f"{version} LANCZOS3, one thread, files in and out", **measured(runs, work)}


def matching(runs):
    import astroalign

    rng = np.random.default_rng(3)
    stars = rng.uniform(0, 4096, (600, 2))
    c, s = np.cos(0.002), np.sin(0.002)
    moved = (stars - 2048) @ np.array([[c, s], [-s, c]]) + 2048 + (3.3, -4.7)
    noisy = lambda a: a + rng.normal(0, 0.03, a.shape)  # noqa: E731
    one, other = noisy(stars), noisy(moved)
    work = lambda: astroalign.find_transform(one, other, max_control_points=50)  # noqa: E731
    return {"peer": f"astroalign {astroalign.__version__}, 50 control points of 600", **measured(runs, work)}


def main():
    runs = int(sys.argv[1])
    found = {}
    program = shutil.which("SWarp") or shutil.which("swarp")
    for side in map(int, sys.argv[2:]):
        if program:
            found.setdefault("warp", {})[side] = swarp(program, side, runs)
    try:
        found["match"] = {"4096": matching(runs)}
    except ImportError:
        pass
    print(json.dumps(found))


main()
