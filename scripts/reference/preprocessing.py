"""Reference values for appliance/src/preprocessing, made with sep (SExtractor's code) and astropy. Run by hand:

    /usr/bin/python3 scripts/reference/preprocessing.py > appliance/src/preprocessing/reference.json

Debian: python3-sep python3-astropy python3-numpy. Reads ../shared/data from the repository's root.
"""
import json
import pathlib
import warnings

import numpy as np
import sep
from astropy.io import fits

warnings.simplefilter('ignore')
data = pathlib.Path(__file__).resolve().parents[2].parent / 'shared' / 'data'
files = {
    'toros': 'pairs/toros-eso085/sci.fits',
    'na36': 'single/eso_na36.fits',
    'hatp32': 'series/hatp32/HATP-32171220020312.fits.gz',
}


def image(path):
    for hdu in fits.open(data / path):
        if hdu.data is not None and getattr(hdu.data, 'ndim', 0) == 2:
            return np.ascontiguousarray(hdu.data.astype('f4'))


def background(pixels):
    sky = sep.Background(pixels)
    level, rms = sky.back(), sky.rms()
    height, width = pixels.shape
    places = [(x, y) for y in (0, height // 4, height // 2, height - 1) for x in (0, width // 3, width - 1)]
    samples = [[x, y, round(float(level[y, x]), 4), round(float(rms[y, x]), 4)] for x, y in places]
    return sky, {'globalLevelAdu': sky.globalback, 'globalRmsAdu': sky.globalrms, 'samples': samples}


def stars(pixels, sky):
    """Isolated, round, compact, unflagged stars of S/N above 20 with windowed positions and half-flux radii."""
    flat = pixels - sky.back()
    rms = sky.rms()
    found = sep.extract(flat, 5, err=rms)
    half, _ = sep.flux_radius(flat, found['x'], found['y'], 6 * found['a'], 0.5, subpix=5)
    x, y, flag = sep.winpos(flat, found['x'], found['y'], 2 / 2.35 * half)
    flux, error, _ = sep.sum_circle(flat, x, y, 4, err=rms, subpix=5)
    height, width = pixels.shape
    round_ = found['a'] < 1.4 * found['b']
    compact = half < 1.3 * np.median(half[round_ & (flux > 20 * error)])
    picked = []
    for i in range(len(found)):
        apart = np.hypot(x - x[i], y - y[i])
        apart[i] = 99
        inside = 15 < x[i] < width - 15 and 15 < y[i] < height - 15
        clean = flag[i] == 0 and found['flag'][i] == 0 and found['peak'][i] < 30000
        if inside and clean and round_[i] and compact[i] and apart.min() > 12 and flux[i] > 20 * error[i] and half[i] > 1.2:
            picked.append([round(float(v), 4) for v in (x[i], y[i], half[i], flux[i])])
    picked.sort(key=lambda star: -star[3])
    return picked[:60]


result = {'source': f'sep {sep.__version__}', 'files': {}}
for name, path in files.items():
    pixels = image(path)
    sky, facts = background(pixels)
    result['files'][name] = {'path': path, 'background': facts, 'stars': [] if name == 'hatp32' else stars(pixels, sky)}
print(json.dumps(result, separators=(',', ':')))
