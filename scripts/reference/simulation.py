"""Reference value for appliance/src/simulation/renderFrame.test.ts: where a TAN projection puts a star (astropy)."""
import astropy, math
from astropy.wcs import WCS

scale = 206.264806 * 3.76 / 400 / 3600
cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
wcs = WCS(naxis=2)
wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
wcs.wcs.crpix = [256.5, 256.5]
wcs.wcs.crval = [150, 20]
wcs.wcs.cd = [[-scale * cos, scale * sin], [scale * sin, scale * cos]]
print("astropy", astropy.__version__, wcs.all_world2pix([[150.05, 20.03]], 0), "0-based")
