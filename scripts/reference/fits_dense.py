#!/usr/bin/env python3
"""Images packed as HCOMPRESS_1 and PLIO_1, compressed cubes and null pixel masks for appliance/src/frames/fits.

Run by hand: scripts/reference/fits_dense.py (Debian 12: python3-astropy, libcfitsio-bin). Writes
appliance/src/frames/dense.reference.json.gz: each file (base64), the plane that is meant, and the sha256 of its pixels as
funpack finds them (in the form of fits_compressed.py). Nobody writes null pixel masks: those files are made here from the
words of FITS 4.0, section 10.2.3, with astropy's table and numpy. Tests never run Python.
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
rng = np.random.default_rng(10)
files = []


def digest(data):
    data = np.asarray(data, np.float32).astype("<f4")
    bits = data.view("<u4").copy()
    bits[np.isnan(data)] = 0x7FC00000
    return hashlib.sha256(bits.tobytes()).hexdigest()


def add(name, packed, data, plane=None):
    data = np.atleast_2d(data)
    files.append({
        "name": name, "width": int(data.shape[1]), "height": int(data.shape[0]), "sha256": digest(data), "plane": plane,
        "base64": base64.b64encode(packed).decode(),
    })


def unpacked(packed, folder):
    path = os.path.join(folder, "in.fits.fz")
    with open(path, "wb") as file:
        file.write(packed)
    plain = subprocess.run(["funpack", "-S", path], capture_output=True, check=True).stdout
    with fits.open(io.BytesIO(plain), do_not_scale_image_data=True) as hdus:
        hdu = next(h for h in hdus if h.is_image and h.header["NAXIS"] >= 2)
        data = np.float64(hdu.data) * hdu.header.get("BSCALE", 1) + hdu.header.get("BZERO", 0)
        if "BLANK" in hdu.header and hdu.header["BITPIX"] > 0:
            data[hdu.data == hdu.header["BLANK"]] = np.nan
        return data


def plain(array):
    buffer = io.BytesIO()
    fits.PrimaryHDU(array).writeto(buffer)
    return buffer.getvalue()


def packed_by_fpack(source, flags, folder):
    path = os.path.join(folder, "plain.fits")
    with open(path, "wb") as file:
        file.write(source)
    run = subprocess.run(["fpack", *flags, "-S", path], capture_output=True)
    if run.returncode != 0 or not run.stdout:
        return None
    # What fpack writes and funpack cannot read says nothing about us.
    check = subprocess.run(["funpack", "-S", "-"], input=run.stdout, capture_output=True)
    if check.returncode != 0:
        print("funpack refuses", flags)
    return run.stdout if check.returncode == 0 else None


def star_field(shape, kind):
    y, x = np.mgrid[: shape[0], : shape[1]]
    info = np.iinfo(kind)
    base = {"uint8": 40, "int16": -300, "uint16": 31000, "int32": 70000}[np.dtype(kind).name]
    image = rng.normal(base, 6, shape)
    for _ in range(4):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        image += 0.4 * (info.max if info.max < 2**20 else 2**20) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 6)
    return np.clip(np.round(image), info.min, info.max).astype(kind)


def hcompress(folder):
    shapes = ((21, 67), (32, 32), (40, 5), (17, 130), (4, 4))
    for kind in (np.uint8, np.int16, np.uint16, np.int32):
        for shape in shapes:
            source = plain(star_field(shape, kind))
            for flags in (["-h"], ["-h", "-w"], ["-h", "-s", "-3"], ["-h", "-s", "0.9"], ["-h", "-t", "16,8"]):
                packed = packed_by_fpack(source, flags, folder)
                if packed:
                    add(f"{np.dtype(kind).name} {shape}: fpack {' '.join(flags)}", packed, unpacked(packed, folder))
        any_value = plain(rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (24, 31), kind, endpoint=True))
        packed = packed_by_fpack(any_value, ["-h"], folder)
        if packed:
            add(f"{np.dtype(kind).name} any value: fpack -h", packed, unpacked(packed, folder))
        packed = packed_by_fpack(plain(np.full((20, 20), 7, kind)), ["-h"], folder)
        add(f"{np.dtype(kind).name} constant: fpack -h", packed, unpacked(packed, folder))
    for kind in (np.float32, np.float64):
        sky = rng.normal(1000, 7, (33, 61)).astype(kind)
        holes = sky.copy()
        holes[4, 5:15] = np.nan
        for label, image in (("noise", sky), ("with NaN", holes)):
            for flags in (["-h", "-q77", "4"], ["-h", "-w", "-q5", "8"], ["-h", "-q5", "4", "-t", "20,17"]):
                packed = packed_by_fpack(plain(image), flags, folder)
                # funpack 1.7.0 loses NaN in tiles of several columns.
                if packed and np.array_equal(np.isnan(unpacked(packed, folder)), np.isnan(image)):
                    add(f"{np.dtype(kind).name} {label}: fpack {' '.join(flags)}", packed, unpacked(packed, folder))
    for scale in (0, 1, 4, 30, 301):
        for smooth in (0, 1):
            for shape in ((37, 50), (64, 64)):
                hdu = fits.CompImageHDU(star_field(shape, np.int16), compression_type="HCOMPRESS_1", hcomp_scale=scale, hcomp_smooth=smooth)
                buffer = io.BytesIO()
                fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
                add(f"int16 {shape}: astropy HCOMPRESS_1 scale {scale} smooth {smooth}", buffer.getvalue(), unpacked(buffer.getvalue(), folder))


def masks(shape, kind, top):
    mask = (rng.random(shape) < 0.1) * rng.integers(1, top, shape)
    mask[2] = 0
    mask[3, 5:40] = top
    mask[4] = 1
    return mask.astype(kind)


def plio(folder):
    for kind, top in ((np.uint8, 255), (np.int16, 32767), (np.uint16, 65535), (np.int32, 2**24 - 1)):
        for shape in ((21, 67), (12, 5000), (6, 45)):
            source = plain(masks(shape, kind, top))
            for flags in (["-p"], ["-p", "-t", "40,5"]):
                packed = packed_by_fpack(source, flags, folder)
                if packed:
                    add(f"{np.dtype(kind).name} mask {shape}: fpack {' '.join(flags)}", packed, unpacked(packed, folder))


def cubes(folder):
    cube = np.round(rng.normal(500, 30, (3, 19, 45))).astype(np.int16)
    for flags in (["-r"], ["-g2"], ["-h"], ["-p"]):
        packed = packed_by_fpack(plain(np.abs(cube)), flags, folder)
        for plane in range(3):
            add(f"plane {plane} of a cube: fpack {' '.join(flags)}", packed, np.abs(cube[plane]), plane)
    add("plane 1 of a cube: as it is", plain(cube), cube[1], 1)
    sky = rng.normal(1000, 7, (3, 9, 61)).astype(np.float32)
    packed = packed_by_fpack(plain(sky), ["-q77", "4"], folder)
    for plane, data in enumerate(unpacked(packed, folder)):
        add(f"plane {plane} of a float cube: fpack -q77 4", packed, data, plane)


def null_masks():
    """Tiles of RICE_1 or GZIP_1 made by astropy, with a column of gzipped null masks put beside; some tiles have none."""
    image = np.round(rng.normal(500, 30, (8, 45))).astype(np.int16)
    null = rng.random((8, 45)) < 0.2
    null[3] = False
    expected = np.where(null, np.nan, image)
    for kind, mask_kind in (("RICE_1", "GZIP_1"), ("GZIP_1", "RICE_1"), ("HCOMPRESS_1", "PLIO_1"), ("HCOMPRESS_1", "GZIP_1")):
        size = (45, 1) if kind != "HCOMPRESS_1" else (45, 4)

        def packed_table(array, packing):
            buffer = io.BytesIO()
            fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(array, compression_type=packing, tile_size=size)]).writeto(buffer)
            return fits.open(io.BytesIO(buffer.getvalue()), disable_image_compression=True)[1]

        table = packed_table(image, kind)
        if mask_kind == "GZIP_1":
            rows = null.astype(np.uint8).reshape(-1, size[0] * size[1])
            cells = [np.frombuffer(gzip.compress(row.tobytes()) if row.any() else b"", np.uint8) for row in rows]
        else:
            cells = list(packed_table(null.astype(np.uint8), mask_kind).data["COMPRESSED_DATA"])
        wide = np.empty(len(cells), object)
        wide[:] = cells
        form = "1PI()" if mask_kind == "PLIO_1" else "1PB()"
        columns = [
            fits.Column("COMPRESSED_DATA", table.columns[0].format, array=table.data["COMPRESSED_DATA"]),
            fits.Column("NULL_PIXEL_MASK", form, array=wide),
        ]
        made = fits.BinTableHDU.from_columns(columns)
        for card in table.header.cards:
            if card.keyword.startswith("Z"):
                made.header.append(card)
        made.header["ZMASKCMP"] = mask_kind
        buffer = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), made]).writeto(buffer)
        add(f"null pixel mask by {mask_kind} of {kind}", buffer.getvalue(), expected)


with tempfile.TemporaryDirectory() as folder:
    hcompress(folder)
    plio(folder)
    cubes(folder)
null_masks()
out = os.path.join(root, "appliance", "src", "frames", "dense.reference.json.gz")
source = "scripts/reference/fits_dense.py: fpack 1.7.0 (CFITSIO 4.2.0), astropy 5.2"
with open(out, "wb") as file:
    file.write(gzip.compress(json.dumps({"source": source, "files": files}).encode(), 9, mtime=0))
print(len(files), "files,", os.path.getsize(out), "bytes")
