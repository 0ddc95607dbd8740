#!/usr/bin/env python3
"""The best difference that Debian's packages give, as the peer in docs/quality.md: source-extractor and PSFEx for the PSFs,
sep and astroalign for the registration, a quintic spline of scipy where frames have to be moved, flux ratio and registration
noise from PSF-weighted fluxes and windowed positions, and ZOGY (Zackay, Ofek & Gal-Yam 2016, eq. 13 to 33) by scipy.fft on
tiles of 512 px with a border of 32, its variance from images smoothed by 1 px.

Argument: a folder with science.fits and reference.fits (EGAIN and SATURATE in their headers; masked pixels filled).
Option: --no-registration-noise leaves V_ast out, as some open codes do.
Writes scorr.f32 beside them. Prints one JSON object: {peer, ratio, fwhm}.
"""
import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

import astroalign
import numpy as np
import scipy
import sep
from astropy.io import fits
from scipy import fft, ndimage, spatial

TILE, BORDER, HALF = 512, 32, 15


def load(path):
    with fits.open(path, memmap=False) as hdus:
        image = next(h for h in hdus if h.data is not None and h.data.ndim == 2)
        header = image.header
        data = np.ascontiguousarray(image.data, dtype=np.float32)
    return data, float(header.get("EGAIN", 1e9)), float(header.get("SATURATE", 1e30))


class Frame:
    def __init__(self, data, gain, saturate):
        finite = np.isfinite(data)
        self.saturated = data >= saturate
        data = np.where(finite, data, np.median(data[finite])).astype(np.float32)
        cells = max(16, min(64, min(data.shape) // 3))
        background = sep.Background(data, bw=cells, bh=cells)
        self.data = data - background.back()
        self.rms = background.rms()
        self.noise = background.globalrms
        self.gain = gain
        self.covered = finite
        self.measure()

    def measure(self):
        objects = sep.extract(self.data, 5.0, err=self.noise)
        objects = objects[np.argsort(objects["flux"])[::-1]]
        radius, _ = sep.flux_radius(self.data, objects["x"], objects["y"], 6 * objects["a"], 0.5, normflux=objects["flux"])
        bright = objects["flag"] == 0
        self.fwhm = 2 * np.median(radius[bright][:200]) if bright.any() else 3.0
        sigma = np.full(len(objects), self.fwhm / 2.355)
        x, y, flag = sep.winpos(self.data, objects["x"], objects["y"], sigma)
        self.stars = np.column_stack([x, y, objects["flux"], objects["peak"], objects["flag"]])[flag == 0]


def run(command, work):
    done = subprocess.run(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode()[-400:])


class Psf:
    """PSFEx's model: a pixel basis of a measured sampling, each pixel a polynomial of the place."""

    def __init__(self, frame, degree=2):
        with tempfile.TemporaryDirectory() as work:
            data = np.where(frame.saturated, 1e9, frame.data).astype(np.float32)
            fits.writeto(os.path.join(work, "f.fits"), data)
            with open(os.path.join(work, "p"), "w") as file:
                file.write("\n".join(["VIGNET(31,31)", "X_IMAGE", "Y_IMAGE", "FLUX_RADIUS", "SNR_WIN", "FLUX_APER(1)",
                                      "FLUXERR_APER(1)", "ELONGATION", "FLAGS"]))
            run(["source-extractor", "f.fits", "-PARAMETERS_NAME", "p", "-CATALOG_TYPE", "FITS_LDAC", "-CATALOG_NAME", "c.cat",
                 "-FILTER_NAME", "/usr/share/source-extractor/default.conv", "-DETECT_THRESH", "5", "-GAIN", str(frame.gain),
                 "-STARNNW_NAME", "/usr/share/source-extractor/default.nnw", "-SATUR_LEVEL", "5e8", "-BACK_TYPE", "MANUAL",
                 "-BACK_VALUE", "0", "-PHOT_APERTURES", "10"], work)
            with fits.open(os.path.join(work, "c.cat"), mode="update", memmap=False) as hdus:
                rows = hdus[2].data
                good = rows[rows["FLAGS"] == 0]
                hdus[2].data = good[np.argsort(good["SNR_WIN"])[::-1][:250]]
            # Nodes finer than pixels are solved for together, which takes minutes with all the stars and 51² nodes.
            size, sampling = ("31,31", "1") if frame.fwhm > 2.6 else ("27,27", str(max(0.4, frame.fwhm / 2.9)))
            run(["psfex", "c.cat", "-PSFVAR_DEGREES", str(degree), "-PSF_SIZE", size, "-PSF_SAMPLING", sampling, "-WRITE_XML", "N",
                 "-CHECKPLOT_TYPE", "NONE", "-CHECKIMAGE_TYPE", "NONE", "-SAMPLE_MINSN", "20", "-NTHREADS", "1"], work)
            with fits.open(os.path.join(work, "c.psf"), memmap=False) as hdus:
                header, self.basis = hdus[1].header, np.array(hdus[1].data["PSF_MASK"][0], dtype=np.float64)
        self.sampling, self.degree = header["PSF_SAMP"], int(header.get("POLDEG1", 0))
        self.zero = [header.get("POLZERO1", 0), header.get("POLZERO2", 0)]
        self.scale = [header.get("POLSCAL1", 1), header.get("POLSCAL2", 1)]
        self.fwhm = header["PSF_FWHM"]

    def at(self, x, y, dx=0.0, dy=0.0):
        """Stamp of (2 HALF + 1)² pixels of the PSF at a place, its centre moved by (dx, dy); sum 1."""
        u, v = (x + 1 - self.zero[0]) / self.scale[0], (y + 1 - self.zero[1]) / self.scale[1]
        terms = [u**i * v**j for j in range(self.degree + 1) for i in range(self.degree + 1 - j)]
        model = np.tensordot(terms, self.basis[: len(terms)], axes=1)
        centre = (np.array(model.shape) - 1) / 2
        steps = np.arange(-HALF, HALF + 1)
        rows, columns = np.meshgrid((steps - dy) / self.sampling + centre[0], (steps - dx) / self.sampling + centre[1], indexing="ij")
        stamp = ndimage.map_coordinates(model, [rows, columns], order=5, mode="constant")
        return (stamp / stamp.sum()).astype(np.float32)


def affine_between(source, target):
    """3 × 3, source to target pixels: a similarity from 100 control points, then an affine map through all stars that match."""
    transform, _ = astroalign.find_transform(source[:100, :2], target[:100, :2], max_control_points=100)
    matrix = transform.params
    homogeneous = np.column_stack([source[:, :2], np.ones(len(source))])
    distance, index = spatial.cKDTree(target[:, :2]).query((matrix @ homogeneous.T)[:2].T, distance_upper_bound=1.5)
    matched = np.isfinite(distance)
    if matched.sum() >= 10:
        matrix = matrix.copy()
        matrix[:2] = np.linalg.lstsq(homogeneous[matched], target[index[matched], :2], rcond=None)[0].T
    return matrix


def align(science, reference, raw):
    """The reference on the science grid; as it is where nothing moved."""
    try:
        matrix = affine_between(reference.stars, science.stars)
    except Exception:  # fewer stars than astroalign needs: frames that are on one grid already
        return reference
    height, width = science.data.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], float)
    inverse = np.linalg.inv(matrix)
    moved = (inverse @ np.column_stack([corners, np.ones(4)]).T)[:2].T
    if science.data.shape == reference.data.shape and np.abs(moved - corners).max() < 0.3:
        return reference
    turn, shift = inverse[:2, :2][::-1, ::-1], inverse[:2, 2][::-1]
    warped = lambda image, order: ndimage.affine_transform(image, turn, shift, output_shape=(height, width), order=order)  # noqa: E731
    data, gain, saturate = raw
    out = Frame(np.where(warped(np.ones_like(data), 0) > 0, warped(reference.data, 5), 0).astype(np.float32), gain, 1e30)
    out.covered = warped(reference.covered.astype(np.float32), 0) > 0
    out.saturated = warped((data >= saturate).astype(np.float32), 1) > 0
    return out


def compare(science, reference, psf_n, psf_r):
    """Flux ratio, offset and scatter from stars that both frames have."""
    tree = spatial.cKDTree(reference.stars[:, :2])
    distance, index = tree.query(science.stars[:, :2], distance_upper_bound=1.5)
    height, width = science.data.shape
    ratios, moves = [], []
    for star, other in [(s, reference.stars[i]) for s, d, i in zip(science.stars, distance, index) if np.isfinite(d)]:
        x, y = int(round(star[0])), int(round(star[1]))
        if not (HALF < x < width - HALF - 1 and HALF < y < height - HALF - 1) or star[4] or other[4]:
            continue
        box = np.s_[y - 4 : y + 5, x - 4 : x + 5]
        if science.saturated[box].any() or reference.saturated[box].any():
            continue
        fluxes = []
        for frame, psf, (px, py) in ((science, psf_n, star[:2]), (reference, psf_r, other[:2])):
            p = psf.at(x, y, px - x, py - y)[HALF - 4 : HALF + 5, HALF - 4 : HALF + 5]
            v = frame.noise**2 + np.maximum(0, frame.data[box]) / frame.gain
            fluxes.append((p * frame.data[box] / v).sum() / (p * p / v).sum())
        if min(fluxes) > 30 * science.noise:
            ratios.append(fluxes[1] / fluxes[0])
            moves.append(other[:2] - star[:2])
        if len(ratios) == 300:
            break
    if len(ratios) < 3:
        return 1.0, np.zeros(2), np.full(2, 0.1)
    moves = np.array(moves)
    offset = np.median(moves, axis=0)
    return np.median(ratios), offset, 1.4826 * np.median(np.abs(moves - offset), axis=0)


def level(science, reference, ratio):
    """Takes off what both skies, measured apart, leave in the difference; clears what either frame does not have."""
    both = science.covered & reference.covered
    rest = np.ascontiguousarray(science.data - reference.data / ratio, dtype=np.float32)
    cells = max(16, min(64, min(rest.shape) // 3))
    science.data -= sep.Background(rest, mask=~both | science.saturated | reference.saturated, bw=cells, bh=cells).back()
    science.data[~both] = reference.data[~both] = 0


def spectrum(stamp, n):
    full = np.zeros((n, n), np.float32)
    full[: stamp.shape[0], : stamp.shape[1]] = stamp
    return fft.rfft2(np.roll(full, (-(stamp.shape[0] // 2), -(stamp.shape[1] // 2)), (0, 1)))


def tile(parts, pn, pr, ratio, sky, registration):
    new, ref, vn, vr = parts
    n = new.shape[0]
    N, R, Pn, Pr = fft.rfft2(new), fft.rfft2(ref), spectrum(pn, n), spectrum(pr, n)
    n2, r2 = abs(Pn) ** 2, abs(Pr) ** 2
    den = sky[0] ** 2 * ratio**2 * r2 + sky[1] ** 2 * n2
    kn, kr = ratio**2 * np.conj(Pn) * r2 / den, ratio * np.conj(Pr) * n2 / den
    s_n, s_r = fft.irfft2(kn * N, (n, n)), fft.irfft2(kr * R, (n, n))
    kn2, kr2 = fft.rfft2(fft.irfft2(kn, (n, n)) ** 2), fft.rfft2(fft.irfft2(kr, (n, n)) ** 2)
    v = fft.irfft2(kn2 * fft.rfft2(vn) + kr2 * fft.rfft2(vr), (n, n))
    for s in (s_n, s_r):
        gy, gx = np.gradient(s)
        v = v + registration[0] ** 2 * gx * gx + registration[1] ** 2 * gy * gy
    return (s_n - s_r) / np.sqrt(np.maximum(v, 1e-30))


def difference(science, reference, psf_n, psf_r, ratio, offset, registration):
    height, width = science.data.shape
    inner = TILE - 2 * BORDER
    variances = [np.maximum(0, ndimage.gaussian_filter(f.data, 1.0)) / f.gain + f.rms**2 for f in (science, reference)]
    planes = [np.pad(p, ((BORDER, TILE), (BORDER, TILE)), mode="constant") for p in (science.data, reference.data, *variances)]
    out = np.zeros((height + TILE, width + TILE), np.float32)
    for y in range(0, height, inner):
        for x in range(0, width, inner):
            box = np.s_[y : min(height, y + inner), x : min(width, x + inner)]
            middle = (x + inner / 2, y + inner / 2)
            sky = [np.median(f.rms[box]) for f in (science, reference)]
            parts = [p[y : y + TILE, x : x + TILE] for p in planes]
            s = tile(parts, psf_n.at(*middle), psf_r.at(*middle, *offset), ratio, sky, registration)
            out[y : y + inner, x : x + inner] = s[BORDER:-BORDER, BORDER:-BORDER]
    return out[:height, :width]


def main():
    folder, options = sys.argv[1], sys.argv[2:]
    sep.set_extract_pixstack(10_000_000)
    sep.set_sub_object_limit(100_000)
    raw = [load(os.path.join(folder, name)) for name in ("science.fits", "reference.fits")]
    science, reference = (Frame(*one) for one in raw)
    reference = align(science, reference, raw[1])
    psf_n, psf_r = Psf(science), Psf(reference)
    ratio, offset, scatter = compare(science, reference, psf_n, psf_r)
    level(science, reference, ratio)
    registration = np.zeros(2) if "--no-registration-noise" in options else np.maximum(0.01, scatter)
    score = difference(science, reference, psf_n, psf_r, ratio, offset, registration)
    both = science.covered & reference.covered
    score -= np.median(score[both])
    mad = 1.4826 * np.median(np.abs(score[both]))
    if abs(mad - 1) > 0.03:
        score /= mad
    score.astype("<f4").tofile(os.path.join(folder, "scorr.f32"))
    version = subprocess.run(["psfex", "--version"], stdout=subprocess.PIPE, check=False).stdout.decode().split()[2]
    peer = f"ZOGY by scipy {scipy.__version__} with PSFEx {version}, sep {sep.__version__} and astroalign {astroalign.__version__}"
    print(json.dumps({"peer": peer, "ratio": float(ratio), "fwhm": [float(psf_n.fwhm), float(psf_r.fwhm)],
                      "registration": [float(v) for v in registration], "mad": float(mad)}))


if __name__ == "__main__":
    main()
