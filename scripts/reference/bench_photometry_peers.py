#!/usr/bin/env python3
"""Times aperture photometry of the same stars on the same frame with sep and photutils, for
appliance/src/preprocessing/benchPhotometry.ts: exact circles, a clipped ring of sky about each star.

Arguments: number of runs, then groups of a side in pixels, a file of float32 pixels and a file of float64 x, y, flux
triples. Prints one JSON object: package -> side -> {peer, ms, cpuMs, n, scatterPercent}. Absent packages are left out.
"""
import json
import os
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

RADIUS, INNER, OUTER = 5.0, 9.0, 14.0


def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None


np = importable("numpy")
sep = importable("sep")
photutils = importable("photutils")
found = {}


def scatter(flux, truth):
    ratio = flux / truth
    return 148.26 * float(np.median(np.abs(ratio - np.median(ratio))))


def timed(name, side, peer, runs, work, truth):
    flux = work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    entry = {"peer": peer, "ms": sorted(walls)[runs // 2], "cpuMs": sorted(cpus)[runs // 2], "n": runs}
    found.setdefault(name, {})[side] = {**entry, "scatterPercent": scatter(flux, truth)}


def with_sep(image, x, y):
    """sep has no clipped ring: the ring's mean (its bkgann)."""
    return lambda: sep.sum_circle(image, x, y, RADIUS, subpix=0, bkgann=(INNER, OUTER))[0]


def shapes_with_sep(image, x, y):
    """Radii of half the light within 6 a and windowed places, of stars of FWHM 3 px on a flat sky."""
    flat = image - np.float32(np.median(image))
    wide = np.full(len(x), 6 * 3 / 2.3548)

    def work():
        half, _ = sep.flux_radius(flat, x, y, wide, 0.5, subpix=5)
        sep.winpos(flat, x, y, 2 / 2.35 * half)
        return sep.sum_circle(flat, x, y, RADIUS, subpix=0)[0]

    return work


def with_photutils(image, x, y):
    from astropy.stats import SigmaClip
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

    places = np.column_stack([x, y])

    def work():
        circle = CircularAperture(places, r=RADIUS)
        ring = ApertureStats(image, CircularAnnulus(places, INNER, OUTER), sigma_clip=SigmaClip(3.0), sum_method="center")
        total = aperture_photometry(image, circle, method="exact")["aperture_sum"].value
        return total - ring.mean * circle.area

    return work


if np is not None:
    runs = int(sys.argv[1])
    for side, path, table in zip(*[iter(sys.argv[2:])] * 3):
        image = np.fromfile(path, np.float32).reshape(int(side), int(side))
        x, y, truth = np.fromfile(table, np.float64).reshape(-1, 3).T.copy()
        if sep is not None:
            timed("sep", side, f"sep {sep.__version__}, ring not clipped", runs, with_sep(image, x, y), truth)
            timed("sepShapes", side, f"sep {sep.__version__}, without isophotes", runs, shapes_with_sep(image, x, y), truth)
        if photutils is not None:
            timed("photutils", side, f"photutils {photutils.__version__}", 1, with_photutils(image, x, y), truth)
print(json.dumps(found))
