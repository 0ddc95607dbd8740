"""sep's shapes of the stars that appliance/src/preprocessing/starMoments.test.ts draws and of real frames. Run by hand:

    /usr/bin/python3 scripts/reference/star_moments.py > appliance/src/preprocessing/starMoments.reference.json

Debian: python3-sep python3-astropy python3-numpy. The drawn frames, one for each FWHM: a linear congruential generator
(Numerical Recipes, 1664525 and 1013904223), noise as the sum of twelve uniform numbers, elliptical Moffat stars (beta 4) at the
centres of pixels of a jittered grid, every third with a companion of 0.4 of its light 3.2 px + 1 FWHM away; the same
arithmetic as the test's. Real frames are read from ../shared/data beside the repository.
"""
import json
import pathlib
import warnings

import numpy as np
import sep
from astropy.io import fits

warnings.simplefilter("ignore")
SIDE, STEP, SKY, NOISE, BETA = 720, 60, 500.0, 10.0, 4.0
WIDTHS = (1.8, 2.5, 3.5, 5.0)
COUNT = (SIDE // STEP - 1) ** 2
DATA = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"
REAL = {
    "toros": "pairs/toros-eso085/sci.fits",
    "na36": "single/eso_na36.fits",
    "decam": "pairs/decam/stack04.fits",
}


def uniform(count, seed):
    out, state = np.empty(count), seed
    for k in range(count):
        state = (state * 1664525 + 1013904223) % 4294967296
        out[k] = state / 4294967296
    return out


def moffat(pixels, x0, y0, flux, fwhm):
    """Axis ratio 0.85, the long axis along (0.8, 0.6)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    part = np.s_[int(y0) - 18 : int(y0) + 19, int(x0) - 18 : int(x0) + 19]
    dx, dy = x[part] - x0, y[part] - y0
    u, v = 0.8 * dx + 0.6 * dy, (0.8 * dy - 0.6 * dx) / 0.85
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    pixels[part] += flux * (BETA - 1) / (np.pi * 0.85 * alpha**2) * (1 + (u * u + v * v) / alpha**2) ** -BETA


def frame(fwhm):
    noise = uniform(12 * SIDE * SIDE, round(1000 * fwhm)).reshape(-1, 12).sum(axis=1) - 6
    pixels = SKY + NOISE * noise.reshape(SIDE, SIDE)
    place = uniform(2 * COUNT, round(1000 * fwhm) + 1).reshape(-1, 2)
    across = SIDE // STEP - 1
    for n in range(COUNT):
        x0, y0 = STEP * (1 + n % across) + place[n, 0], STEP * (1 + n // across) + place[n, 1]
        flux = 3000 * 1.03**n
        moffat(pixels, x0, y0, flux, fwhm)
        if n % 3 == 2:
            away = 3.2 + fwhm
            moffat(pixels, x0 + 0.6 * away, y0 - 0.8 * away, 0.4 * flux, fwhm)
    return pixels.astype(np.float32)


def measured(pixels, radius):
    sky = sep.Background(pixels)
    flat = pixels - sky.back()
    found = sep.extract(flat, 1.5, err=sky.globalrms)
    half, _ = sep.flux_radius(flat, found["x"], found["y"], 6 * found["a"], 0.5, subpix=5)
    x, y, flag = sep.winpos(flat, found["x"], found["y"], 2 / 2.35 * half)
    flux, error, _ = sep.sum_circle(flat, x, y, radius, err=sky.globalrms, subpix=5)
    columns = (x, y, flux, flux / error, half, found["a"], found["b"], np.degrees(found["theta"]), found["npix"])
    height, width = pixels.shape
    inside = (x > 15) & (x < width - 15) & (y > 15) & (y < height - 15) & (flux > 20 * error) & (flag == 0)
    # Objects of which no pixel lies in another's: sep's flags 1 (parted) and up.
    alone = found["flag"] == 0
    order = [i for i in np.argsort(-flux) if inside[i]]
    stars = [[round(float(c[i]), 4) for c in columns] + [int(alone[i])] for i in order]
    return {"rms": float(sky.globalrms), "stars": stars}


def real(path):
    for hdu in fits.open(DATA / path):
        if hdu.data is not None and getattr(hdu.data, "ndim", 0) == 2:
            return np.ascontiguousarray(hdu.data.astype("f4"))


def main():
    drawn = []
    for fwhm in WIDTHS:
        pixels = frame(fwhm)
        drawn.append({"fwhm": fwhm, "sum": float(pixels.sum(dtype=float)), **measured(pixels, 1.7 * fwhm)})
    files = {name: {"path": path, **measured(real(path), 4.0)} for name, path in REAL.items()}
    print(json.dumps({"source": f"sep {sep.__version__}", "drawn": drawn, "files": files}, separators=(",", ":")))


main()
