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
    """Zackay, Ofek & Gal-Yam 2016, eq. 13 to 33 in numpy float64, written from the paper's equations: 128 x 112 pixels of stars
    on a rough background within 256 x 256 of zeros."""
    n, width, height = 256, 128, 112
    pn, pr = gaussian(21, 1.5, 0.05), gaussian(21, 1.1)
    sn, sr, fr, gain_n, gain_r = 5.0, 3.0, 1.2, 2.0, 4.0
    sx, sy, relative = 0.07, 0.11, 0.004

    def frame(rough, psf, scale):
        image = np.zeros((n, n))
        image[:height, :width] = rough
        for k in range(14):
            x, y = 14 + (k * 37) % 100, 14 + (k * 23) % 84
            image[y - 10:y + 11, x - 10:x + 11] += scale * 60 * (k + 1) ** 2 * psf
        return image

    rough = pattern(height, width) / 101 - 0.5
    new, ref = frame(17 * rough, pn, 1.0), frame(10 * rough[::-1], pr, fr)
    new[50:71, 60:81] += 900 * pn

    def variance_of(image, rms, gain):
        smooth = ndimage.gaussian_filter(image, 1, mode="constant", truncate=2)
        return rms**2 + np.maximum(0, np.maximum(smooth, image - 3 * rms)) / gain

    def spectrum(p):
        full = np.zeros((n, n))
        full[:21, :21] = p
        return np.fft.fft2(np.roll(full, (-10, -10), (0, 1)))

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

    variance = noise(kn, variance_of(new, sn, gain_n)) + noise(kr, variance_of(ref, sr, gain_r))
    for image in (s_n, s_r):
        gy, gx = np.gradient(image)
        variance = variance + sx**2 * gx**2 + sy**2 * gy**2
    variance = variance + (relative * s_r) ** 2
    scorr = (s_n - s_r) / np.sqrt(variance)
    fs = (fr**2 * abs(Pn) ** 2 * abs(Pr) ** 2 / den).sum() / n**2
    # D matched with P_D is S (eq. 16): the other way to the score, and to the flux S / F_S.
    s = np.fft.ifft2(fd * np.conj(np.fft.fft2(pd)) * np.fft.fft2(d)).real
    assert abs(s - (s_n - s_r)).max() < 1e-9 * abs(s).max()
    part = (slice(3, height - 3, 7), slice(3, width - 3, 7))
    keep = lambda a: [float(f"{v:.7g}") for v in a[part].ravel()]
    error = np.sqrt(variance) / fs
    return {
        "difference": keep(d / fd), "scorr": keep(scorr), "psf": [float(f"{v:.7g}") for v in pd[0, :9]],
        "transient": {"x": 70, "y": 60, "scorr": scorr[60, 70], "flux": s[60, 70] / fs, "fluxError": error[60, 70]},
    }


document = {
    "source": f"scripts/reference/differencing.py, numpy {np.__version__}, scipy {scipy.__version__}",
    "spline": spline(),
    "zogy": zogy(),
}
(here / "differencing.reference.json").write_text(json.dumps(document) + "\n")
