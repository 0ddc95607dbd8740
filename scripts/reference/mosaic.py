"""Reference values of appliance/src/preprocessing/mosaic.test.ts: numpy's means of 2 x 2 pixels, and where astropy places the
middles of those on the sky. Prints JSON."""
import json
import sys
import warnings

import astropy
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.simplefilter('ignore')
width, height = 23, 11
i = np.arange(width * height, dtype=np.int64)
pixels = ((i * 7919 + 13) % 4093).astype(np.float64).reshape(height, width)
even = pixels[: height // 2 * 2, : width // 2 * 2]
blocks = even.reshape(height // 2, 2, width // 2, 2)
means = blocks.mean(axis=(1, 3))
variances = (blocks + 5).sum(axis=(1, 3)) / 16

header = fits.Header()
header.update(
    CTYPE1='RA---TAN-SIP', CTYPE2='DEC--TAN-SIP', CRPIX1=1501.25, CRPIX2=998.5, CRVAL1=83.8, CRVAL2=-5.4,
    CD1_1=-0.00041, CD1_2=0.00002, CD2_1=0.00003, CD2_2=0.00042,
    A_ORDER=2, A_2_0=1.1e-6, A_1_1=-7e-7, B_ORDER=2, B_0_2=-9e-7, B_2_0=4e-7,
)
wcs = WCS(header)
places = [(0, 0), (10, 4), (700.5, 1200), (1499, 3)]
sky = [list(map(float, wcs.all_pix2world([[2 * x + 0.5, 2 * y + 0.5]], 0)[0])) for x, y in places]
print(json.dumps({
    'versions': f'astropy {astropy.__version__}, numpy {np.__version__}, python {sys.version.split()[0]}',
    'means': means.ravel().tolist(), 'variances': variances.ravel().tolist(), 'places': places, 'sky': sky,
}))
