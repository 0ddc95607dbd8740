#!/usr/bin/python3
"""Reference values for the tests in appliance/src/differencing, from numpy and scipy (Debian python3-numpy, python3-scipy).

Writes appliance/src/differencing/differencing.reference.json. Run by hand; no test runs it.
"""
import json
import pathlib

import numpy as np
import scipy
from scipy import ndimage

here = pathlib.Path(__file__).resolve().parents[2] / "appliance/src/differencing"


def pattern(height, width):
    y, x = np.mgrid[:height, :width]
    return ((x * 37 + y * 91 + x * y * 13) % 101).astype(float)


def spline():
    """Quintic spline of a rough pattern at turned places (scipy.ndimage.map_coordinates, order 5, mirror)."""
    image = pattern(24, 28)
    y, x = np.mgrid[:10, :10].astype(float)
    c, s = np.cos(0.3), np.sin(0.3)
    xs = 9.3 + c * x - s * y
    ys = 6.1 + s * x + c * y
    values = ndimage.map_coordinates(image, [ys, xs], order=5, mode="mirror")
    return {"values": [round(float(v), 4) for v in values.ravel()]}


def gaussian(n, sigma, e=0.0):
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    p = np.exp(-((x * (1 - e)) ** 2 + (y * (1 + e)) ** 2) / (2 * sigma * sigma))
    return p / p.sum()


def zogy():
    """Zackay, Ofek & Gal-Yam 2016, eq. 13 to 33 in numpy float64 on 64 x 64 pixels, written from the paper's equations."""
    n = 64
    new = pattern(n, n) - 50.0
    ref = pattern(n, n).T[::-1] * 0.7 - 35.0
    pn, pr = gaussian(15, 1.5, 0.05), gaussian(15, 1.1)
    sn, sr, fr = 5.0, 3.0, 1.2
    vn, vr = 25.0 + np.maximum(new, 0) / 2.0, 9.0 + np.maximum(ref, 0) / 4.0
    sx, sy = 0.07, 0.11

    def spectrum(p):
        full = np.zeros((n, n))
        full[:15, :15] = p
        return np.fft.fft2(np.roll(full, (-7, -7), (0, 1)))

    N, R, Pn, Pr = np.fft.fft2(new), np.fft.fft2(ref), spectrum(pn), spectrum(pr)
    den = sn**2 * fr**2 * abs(Pr) ** 2 + sr**2 * abs(Pn) ** 2
    fd = fr / np.sqrt(sn**2 * fr**2 + sr**2)
    d = np.fft.ifft2((fr * Pr * N - Pn * R) / np.sqrt(den)).real
    pd = np.fft.ifft2(fr * Pr * Pn / np.sqrt(den) / fd).real
    kn = fr**2 * np.conj(Pn) * abs(Pr) ** 2 / den
    kr = fr * np.conj(Pr) * abs(Pn) ** 2 / den
    s_n, s_r = np.fft.ifft2(kn * N).real, np.fft.ifft2(kr * R).real

    def noise(k, v):
        return np.fft.ifft2(np.fft.fft2(np.fft.ifft2(k).real ** 2) * np.fft.fft2(v)).real

    variance = noise(kn, vn) + noise(kr, vr)
    for image in (s_n, s_r):
        gy, gx = np.gradient(image)
        variance = variance + sx**2 * gx**2 + sy**2 * gy**2
    scorr = (s_n - s_r) / np.sqrt(variance)
    fs = (fr**2 * abs(Pn) ** 2 * abs(Pr) ** 2 / den).sum() / n**2
    part = (slice(24, 36), slice(20, 32))
    keep = lambda a: [round(float(v), 5) for v in a[part].ravel()]
    return {"difference": keep(d / fd), "scorr": keep(scorr), "psfPeak": float(pd[0, 0]), "fluxScale": float(fs)}


document = {
    "source": f"scripts/reference/differencing.py, numpy {np.__version__}, scipy {scipy.__version__}",
    "spline": spline(),
    "zogy": zogy(),
}
(here / "differencing.reference.json").write_text(json.dumps(document) + "\n")
