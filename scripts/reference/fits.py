#!/usr/bin/env python3
"""Reference values for appliance/src/frames, made with astropy, numpy and scipy (Debian 12: python3-astropy, -numpy, -scipy).

Run by hand: scripts/reference/fits.py [folder of real files]. Writes appliance/src/frames/reference.json and, when the folder of
real files is there, appliance/src/frames/realFiles.reference.json. Tests read the JSON; they never run Python.
"""
import base64
import glob
import io
import json
import os
import sys
import warnings

import astropy
import numpy as np
import scipy
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.wcs import WCS
from scipy import ndimage

warnings.simplefilter("ignore")
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
frames = os.path.join(root, "appliance", "src", "frames")


def pattern(width, height):
    """The same plane is made in the tests: exact in float32."""
    y, x = np.mgrid[0:height, 0:width]
    return ((x * 7919 + y * 104729 + x * y * 31) % 1009 / 8 + 100).astype(np.float32)


def file_bytes(hdus):
    buffer = io.BytesIO()
    fits.HDUList(hdus).writeto(buffer, checksum=True)
    return base64.b64encode(buffer.getvalue()).decode()


def tidy(array):
    return [None if not np.isfinite(v) else float(np.float32(v)) for v in np.asarray(array, dtype=np.float64).ravel()]


def small_files():
    made = {}

    def add(name, hdu):
        data = base64.b64decode(file_bytes([hdu]))
        opened = fits.open(io.BytesIO(data))
        header = opened[0].header
        made[name] = {
            "base64": base64.b64encode(data).decode(),
            "values": tidy(opened[0].data),
            "checksum": header["CHECKSUM"],
            "datasum": header["DATASUM"],
        }

    add("u8", fits.PrimaryHDU(np.array([[0, 1, 2], [127, 128, 255]], np.uint8)))
    add("i16", fits.PrimaryHDU(np.array([[-32768, -1, 0], [1, 2, 32767]], np.int16)))
    add("u16", fits.PrimaryHDU(np.array([[0, 1, 32767], [32768, 40000, 65535]], np.uint16)))
    add("i32", fits.PrimaryHDU(np.array([[-2147483648, -70000, 0], [1, 16777216, 2147483647]], np.int32)))
    add("u32", fits.PrimaryHDU(np.array([[0, 1, 70000], [2147483648, 3000000000, 4294967295]], np.uint32)))
    add("i64", fits.PrimaryHDU(np.array([[-(2**53), -1, 0], [1, 2**40, 2**53]], np.int64)))
    add("f32", fits.PrimaryHDU(np.array([[-1.5, 0, np.nan], [1e-30, 3.25, 1e30]], np.float32)))
    add("f64", fits.PrimaryHDU(np.array([[-1.5, 0, np.nan], [1e-30, 1 / 3, 1e30]], np.float64)))
    scaled = fits.PrimaryHDU(np.array([[10.5, 11.0, 11.5], [12.0, 12.5, 13.0]]))
    scaled.scale("int16", bscale=0.5, bzero=10.5)
    add("scaledI16", scaled)
    blank = fits.PrimaryHDU(np.array([[1, 2, -99], [4, -99, 6]], np.int16))
    blank.header["BLANK"] = -99
    add("blankI16", blank)
    return made


def header_file():
    hdu = fits.PrimaryHDU(np.zeros((1, 1), np.uint8))
    h = hdu.header
    h["OBJECT"] = ("O'Neill's star", "an apostrophe")
    h["NOTE"] = "long " * 40 + "end"
    h["HIERARCH detector settings gain"] = (1.25, "lower case and long")
    h["NEGATIVE"] = -1.5e-7
    h["BIG"] = 1e25
    h["YES"] = True
    h["EMPTY"] = (None, "no value")
    h["HISTORY"] = "first line"
    h["COMMENT"] = "a remark"
    h["HISTORY"] = "second line"
    return {"base64": file_bytes([hdu]), "note": h["NOTE"]}


def fourier(width, height):
    spectrum = np.fft.rfft2(pattern(width, height).astype(np.float64) - 160)
    rng = np.random.default_rng(1)
    places = sorted({(0, 0), (width // 2, 0), (0, height // 2), (1, height - 1), (width // 2, height - 3)}
                    | {(int(u), int(v)) for u, v in zip(rng.integers(0, width // 2 + 1, 25), rng.integers(0, height, 25))})
    return {
        "width": width,
        "height": height,
        "rms": float(np.sqrt(np.mean(np.abs(spectrum) ** 2))),
        "elements": [[u, v, float(spectrum[v, u].real), float(spectrum[v, u].imag)] for u, v in places],
    }


def large_statistics():
    plane = pattern(401, 307)
    plane[::3] -= np.float32(164)
    plane[5::7, 3::5] = -0.0
    quantiles = [0, 0.001, 0.3, 0.5, 0.77, 0.9999, 1]
    deviation = np.abs(plane - np.float32(np.median(plane)))
    return {"fractions": quantiles, "quantiles": list(np.quantile(plane.astype(np.float64), quantiles)), "mad": float(np.median(deviation))}


def statistics():
    plane = pattern(61, 47).astype(np.float64)
    plane[5, 7] = 1e6
    plane[30, 2] = -5e4
    plane[9, 9] = 30000
    mean, median, std = sigma_clipped_stats(plane, sigma=3, maxiters=5)
    return {
        "mean": plane.mean(), "std": plane.std(), "median": np.median(plane),
        "mad": np.median(np.abs(plane - np.median(plane))),
        "quantiles": list(np.quantile(plane, [0, 0.1, 0.25, 0.5, 0.9, 0.999, 1])),
        "clipped": {"mean": mean, "median": median, "std": std},
    }


def convolutions():
    plane = pattern(61, 47).astype(np.float64)
    taps = np.array([1, 3, 8, 2, 5]) / 19
    taps_y = np.array([2, 7, 1]) / 10
    rng = np.random.default_rng(2)
    kernel = rng.integers(1, 20, (5, 7)) / 16
    separable = ndimage.convolve1d(ndimage.convolve1d(plane, taps, axis=1, mode="nearest"), taps_y, axis=0, mode="nearest")
    full = ndimage.convolve(plane, kernel, mode="nearest")
    places = [(0, 0), (60, 46), (0, 23), (30, 0), (17, 31), (59, 1), (44, 45)]
    return {
        "tapsX": list(taps), "tapsY": list(taps_y), "kernel": kernel.tolist(),
        "separable": [[x, y, separable[y, x]] for x, y in places],
        "full": [[x, y, full[y, x]] for x, y in places],
    }


def wcs_cases():
    cases = []

    def add(name, cards, places):
        header = fits.Header()
        for key, value in cards.items():
            header[key] = value
        header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, 2000, 2000
        wcs = WCS(header)
        sky = [[float(v) for v in wcs.all_pix2world(x, y, 0)] for x, y in places]
        cases.append({"name": name, "cards": cards, "places": [[x, y, *s] for (x, y), s in zip(places, sky)]})

    places = [(0, 0), (999.5, 1023), (12.25, 1800), (1999, 3)]
    base = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1000.5, "CRPIX2": 998.0, "CRVAL1": 359.9, "CRVAL2": -31.25,
            "CUNIT1": "deg", "CUNIT2": "deg"}
    add("CD", {**base, "CD1_1": -4e-4, "CD1_2": 3e-5, "CD2_1": 2.5e-5, "CD2_2": 4.1e-4}, places)
    add("PC", {**base, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8, "CDELT1": -5e-4, "CDELT2": 5e-4}, places)
    add("CROTA", {**base, "CDELT1": -5e-4, "CDELT2": 4e-4, "CROTA2": 33.0}, places)
    add("pole", {**base, "CRVAL2": 89.9, "CD1_1": -4e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 4e-4}, places)
    add("SIP", {**base, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CD1_1": -4e-4, "CD1_2": 3e-5, "CD2_1": 2.5e-5,
                "CD2_2": 4.1e-4, "A_ORDER": 3, "B_ORDER": 2, "A_2_0": 2e-6, "A_1_1": -3e-7, "A_0_3": 1e-10, "B_0_2": 1.5e-6,
                "B_2_0": -4e-7}, places)
    add("TPV", {**base, "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "CD1_1": -4e-4, "CD1_2": 3e-5, "CD2_1": 2.5e-5, "CD2_2": 4.1e-4,
                "PV1_0": 1e-4, "PV1_1": 1.002, "PV1_2": -3e-3, "PV1_3": 1e-3, "PV1_4": 4e-3, "PV1_7": -2e-3, "PV1_11": 1e-3,
                "PV2_0": -2e-4, "PV2_1": 0.999, "PV2_2": 2e-3, "PV2_5": 3e-3, "PV2_10": 2e-3}, places)
    return cases


def image_hdu(hdus):
    for index, hdu in enumerate(hdus):
        if hdu.is_image and hdu.header["NAXIS"] >= 2 and hdu.data is not None:
            return index, hdu
    return None


def real_files(folder):
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.fits*"), recursive=True)):
        name = os.path.relpath(path, folder)
        if "hatp32" in name and not name.endswith(("13343.fits.gz", "83312.fits.gz")):
            continue
        with fits.open(path) as hdus:
            index, hdu = image_hdu(hdus)
            # Scaled in float64 and rounded once; astropy scales 16-bit files in float32.
            with fits.open(path, do_not_scale_image_data=True) as unscaled:
                header = unscaled[index].header
                data = np.float64(unscaled[index].data) * header.get("BSCALE", 1) + header.get("BZERO", 0)
            data = data.astype(np.float32).astype(np.float64)
            good = data[np.isfinite(data)]
            found.append({
                "name": name, "hdu": index, "hdus": len(hdus), "width": data.shape[1], "height": data.shape[0], "bad": int(data.size - good.size),
                "mean": float(good.mean()), "median": float(np.median(good)), "min": float(good.min()), "max": float(good.max()),
            })
    return found


def write(name, value):
    with open(os.path.join(frames, name), "w") as file:
        json.dump(value, file)


versions = f"astropy {astropy.__version__}, numpy {np.__version__}, scipy {scipy.__version__}"
write("reference.json", {
    "source": f"scripts/reference/fits.py: {versions}",
    "files": small_files(), "header": header_file(),
    "fourier": [fourier(w, h) for w, h in ((8, 8), (16, 40), (40, 72), (64, 48), (120, 200), (240, 216), (256, 128),
                                            (56, 280), (392, 168))],
    "statistics": statistics(), "largeStatistics": large_statistics(), "convolutions": convolutions(), "wcs": wcs_cases(),
})
real = sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "..", "shared", "data")
if os.path.isdir(real):
    write("realFiles.reference.json", {"source": f"scripts/reference/fits.py: {versions}", "files": real_files(real)})
