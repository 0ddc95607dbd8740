"""sep on the frame that appliance/src/preprocessing/starsSep.test.ts draws, for comparison. Run by hand:

    /usr/bin/python3 scripts/reference/stars_simulated.py > appliance/src/preprocessing/starsSep.reference.json

Debian: python3-sep python3-numpy. The frame: a linear congruential generator (Numerical Recipes, 1664525 and 1013904223),
noise as the sum of twelve uniform numbers, elliptical Gaussian stars on a grid; the same arithmetic as the test's.
"""
import json

import numpy as np
import sep

SIDE, STEP, SKY, NOISE = 600, 30, 500.0, 20.0
COUNT = (SIDE // STEP - 1) ** 2


def uniform(count, seed):
    out, state = np.empty(count), seed
    for k in range(count):
        state = (state * 1664525 + 1013904223) % 4294967296
        out[k] = state / 4294967296
    return out


def frame():
    noise = uniform(12 * SIDE * SIDE, 1).reshape(-1, 12).sum(axis=1) - 6
    pixels = SKY + NOISE * noise.reshape(SIDE, SIDE)
    place = uniform(2 * COUNT, 2).reshape(-1, 2)
    across = SIDE // STEP - 1
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for n in range(COUNT):
        x0 = STEP * (1 + n % across) + place[n, 0]
        y0 = STEP * (1 + n // across) + place[n, 1]
        flux = 1500 * 1.015**n
        part = np.s_[int(y0) - 12 : int(y0) + 13, int(x0) - 12 : int(x0) + 13]
        dx, dy = x[part] - x0, y[part] - y0
        u, v = 0.8 * dx + 0.6 * dy, 0.8 * dy - 0.6 * dx
        pixels[part] += flux / (2 * np.pi * 1.5 * 1.25) * np.exp(-0.5 * ((u / 1.5) ** 2 + (v / 1.25) ** 2))
    return pixels.astype(np.float32)


def main():
    pixels = frame()
    sky = sep.Background(pixels)
    flat = pixels - sky.back()
    found = sep.extract(flat, 1.5, err=sky.globalrms)
    half, _ = sep.flux_radius(flat, found["x"], found["y"], 6 * found["a"], 0.5, subpix=5)
    x, y, _ = sep.winpos(flat, found["x"], found["y"], 2 / 2.35 * half)
    # Half of the light within 2.5 FWHM, the radius that Nightjar uses too; 25 points across a pixel, for the 5 that are
    # usual scatter by 0.3 % about the area of a circle.
    wide = 2.5 * 2.354820045 * np.sqrt((1.5**2 + 1.25**2) / 2)
    within, _ = sep.flux_radius(flat, x, y, np.full(len(x), wide), 0.5, subpix=25)
    coarse, _ = sep.flux_radius(flat, x, y, np.full(len(x), wide), 0.5, subpix=5)
    flux, error, _ = sep.sum_circle(flat, x, y, 5.5, err=sky.globalrms, subpix=0)
    columns = (x, y, flux, flux / error, within, 1 - found["b"] / found["a"], coarse)
    stars = [[round(float(c[i]), 4) for c in columns] for i in np.argsort(-flux)]
    print(json.dumps({"source": f"sep {sep.__version__}", "sum": float(pixels.sum(dtype=float)), "stars": stars}, separators=(",", ":")))


main()
