#!/usr/bin/env python3
"""A corpus of tile-compressed images for appliance/src/frames/fits, packed by fpack (CFITSIO 4.2) and by astropy's CompImageHDU.

Run by hand: scripts/reference/fits_compressed.py (Debian 12: python3-astropy, libcfitsio-bin). Writes
appliance/src/frames/compressed.reference.json.gz: each file (base64) and the sha256 of its pixels as funpack unpacks them:
BZERO + BSCALE x stored in float64, rounded once to little-endian float32, NaN as 7fc00000. Tests never run Python.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tempfile
import warnings

import numpy as np
from astropy.io import fits

warnings.simplefilter("ignore")
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
rng = np.random.default_rng(4)
files = []


def digest(data):
    data = np.asarray(data, np.float32).astype("<f4")
    data[np.isnan(data)] = np.nan
    bits = data.view("<u4").copy()
    bits[np.isnan(data)] = 0x7FC00000
    return hashlib.sha256(bits.tobytes()).hexdigest()


def unpacked(packed, folder):
    path = os.path.join(folder, "in.fits.fz")
    with open(path, "wb") as file:
        file.write(packed)
    plain = subprocess.run(["funpack", "-S", path], capture_output=True, check=True).stdout
    with fits.open(io.BytesIO(plain), do_not_scale_image_data=True) as hdus:
        hdu = next(h for h in hdus if h.is_image and h.header["NAXIS"] >= 2)
        raw = np.atleast_2d(np.squeeze(hdu.data))
        data = np.float64(raw) * hdu.header.get("BSCALE", 1) + hdu.header.get("BZERO", 0)
        if "BLANK" in hdu.header and hdu.header["BITPIX"] > 0:
            data[raw == hdu.header["BLANK"]] = np.nan
        return data


def add(name, packed, data):
    files.append({
        "name": name, "width": int(data.shape[1]), "height": int(data.shape[0]), "sha256": digest(data),
        "base64": base64.b64encode(packed).decode(),
    })


def plain(array, blank=None):
    hdu = fits.PrimaryHDU(array)
    if blank is not None:
        hdu.header["BLANK"] = blank
    hdu.header["OBJECT"] = ("O'Neill", "kept")
    buffer = io.BytesIO()
    fits.HDUList([hdu]).writeto(buffer)
    return buffer.getvalue()


def noise(shape, mean, sigma, kind):
    return np.clip(np.round(rng.normal(mean, sigma, shape)), *limits(kind)).astype(kind)


def limits(kind):
    info = np.iinfo(kind)
    return info.min, info.max


def whole_images():
    for kind in (np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        label = np.dtype(kind).name
        low, high = limits(kind)
        mean = {"uint8": 40, "int16": -300, "uint16": 31000, "int32": 70000, "uint32": 2**31 + 5}[label]
        yield f"{label} noise", plain(noise((21, 67), mean, 9, kind))
        yield f"{label} any value", plain(rng.integers(low, high, (9, 70), kind, endpoint=True))
        yield f"{label} constant", plain(np.full((7, 40), mean, kind))
        steps = np.full((6, 64), mean, kind)
        steps[:, 5::11] = high
        steps[2, 20:40] = low
        yield f"{label} steps to the ends", plain(steps)
        ramp = np.minimum(np.arange(5 * 33).reshape(5, 33) * 3, high).astype(kind)
        yield f"{label} ramp, 33 wide", plain(ramp)
    blank = noise((12, 50), 100, 5, np.int16)
    blank[3, 4:9] = -32768
    yield "int16 with BLANK", plain(blank, -32768)
    scaled = fits.PrimaryHDU(noise((8, 40), 100, 5, np.int16) * 0.25 + 7)
    scaled.scale("int16", bscale=0.25, bzero=7)
    buffer = io.BytesIO()
    fits.HDUList([scaled]).writeto(buffer)
    yield "int16 scaled", buffer.getvalue()


def float_images():
    for kind in (np.float32, np.float64):
        label = np.dtype(kind).name
        sky = rng.normal(1000, 7, (23, 61)).astype(kind)
        yield f"{label} noise", plain(sky)
        holes = sky.copy()
        holes[4, 5:15] = np.nan
        holes[9] = np.nan
        yield f"{label} with NaN", plain(holes)
        zeros = sky.copy()
        zeros[:, ::5] = 0
        yield f"{label} with zeros", plain(zeros)
        flat = sky.copy()
        flat[2] = 12.5
        flat[3] = 0
        flat[5, 3] = 1e30
        yield f"{label} constant rows and a huge value", plain(flat)
        yield f"{label} negative, small", plain((sky * -1e-9).astype(kind))


def packed_by_fpack(source, flags, folder):
    path = os.path.join(folder, "plain.fits")
    with open(path, "wb") as file:
        file.write(source)
    run = subprocess.run(["fpack", *flags, "-S", path], capture_output=True)
    return run.stdout if run.returncode == 0 and run.stdout else None


def faithful(packed, source, folder):
    """What funpack finds; or astropy, where funpack 1.7.0 is wrong (2-D tiles, some of them kept as floats): it then differs from
    the original by more than half a quantum."""
    original = np.float64(fits.open(io.BytesIO(source))[0].data)
    with fits.open(io.BytesIO(packed)) as hdus, fits.open(io.BytesIO(packed), disable_image_compression=True) as tables:
        quantum = np.max(tables[1].data["ZSCALE"]) if "ZSCALE" in tables[1].columns.names else 0
        # astropy 5.2 gives no NaN where one is packed.
        found = [unpacked(packed, folder), np.where(np.isnan(original), np.nan, np.float64(hdus[1].data))]
    for index, data in enumerate(found):
        same = np.isclose(data, original, rtol=1e-6, atol=quantum * 0.51) | (np.isnan(data) & np.isnan(original))
        if same.all():
            by_astropy.append(index)
            return data
    raise SystemExit("neither funpack nor astropy finds the original")


by_astropy = []


def corpus(folder):
    for name, source in whole_images():
        for flags in (["-r"], ["-r", "-t", "16,5"], ["-r", "-w"], ["-g1"], ["-g2"], ["-g2", "-t", "13,4"], ["-d"]):
            packed = packed_by_fpack(source, flags, folder)
            if packed:
                add(f"{name}: fpack {' '.join(flags)}", packed, unpacked(packed, folder))
    for name, source in float_images():
        for flags in (["-q0", "4"], ["-q77", "4"], ["-qz10000", "8"], ["-q9999", "2", "-t", "20,7"], ["-q5", "4", "-g1"], ["-q5", "4", "-g2"],
                      ["-q", "0", "-g1"], ["-q", "0", "-g2"], ["-q3", "-2.5"]):
            packed = packed_by_fpack(source, flags, folder)
            if packed:
                add(f"{name}: fpack {' '.join(flags)}", packed, faithful(packed, source, folder))
    sky = np.round(rng.normal(900, 12, (2, 10100))).astype(np.float32)
    packed = packed_by_fpack(plain(sky), ["-qz9999", "0.5"], folder)
    add("float32 longer than the table of random numbers: fpack -qz9999", packed, unpacked(packed, folder))
    for kind in ("RICE_1", "GZIP_1", "GZIP_2"):
        for size in (None, (17, 1), (8, 8)):
            array = noise((19, 45), 500, 30, np.int16)
            hdu = fits.CompImageHDU(array, compression_type=kind, **({} if size is None else {"tile_size": size}))
            buffer = io.BytesIO()
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
            add(f"int16: astropy {kind} tiles {size}", buffer.getvalue(), np.float64(array))


with tempfile.TemporaryDirectory() as folder:
    corpus(folder)
out = os.path.join(root, "appliance", "src", "frames", "compressed.reference.json.gz")
with open(out, "wb") as file:
    file.write(gzip.compress(json.dumps({"source": "scripts/reference/fits_compressed.py: fpack 1.7.0 (CFITSIO 4.2.0), astropy 5.2", "files": files}).encode(), 9, mtime=0))
print(len(files), "files,", sum(by_astropy), "by astropy,", os.path.getsize(out), "bytes")
