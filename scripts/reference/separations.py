"""Great-circle separations and IAU-truncated names for entries.test.ts and name.test.ts. Run by hand: astropy, decimal."""
from decimal import Decimal, ROUND_FLOOR
from astropy.coordinates import SkyCoord
import astropy, astropy.units as u
print('astropy', astropy.__version__)
for a in [(10.684708, 41.26875, 10.685, 41.269), (359.9999, 0, 0.0001, 0), (0, 89.9999, 180, 89.9999),
          (83.633, 22.0145, 263.633, -22.0145), (120, -89.5, 300, -89.9), (201.2983, -47.4797, 201.3651, -43.0191)]:
    s = SkyCoord(a[0] * u.deg, a[1] * u.deg).separation(SkyCoord(a[2] * u.deg, a[3] * u.deg))
    print(a, repr(float(s.deg)))

def name(ra, dec):
    """Decimal arithmetic on the numbers as written, digits cut off."""
    r = (Decimal(ra) / 15 * 360000).to_integral_value(ROUND_FLOOR)
    d = (abs(Decimal(dec)) * 36000).to_integral_value(ROUND_FLOOR)
    h, r = divmod(int(r), 360000); m, r = divmod(r, 6000)
    g, d = divmod(int(d), 36000); n, d = divmod(d, 600)
    sign = '-' if dec.startswith('-') else '+'
    return f'NJ J{h:02d}{m:02d}{r//100:02d}.{r%100:02d}{sign}{g:02d}{n:02d}{d//10:02d}.{d%10}'

for ra, dec in [('10.684708', '41.26875'), ('0', '0'), ('359.99999999', '-0.00001'), ('83.822083', '-5.391111'),
                ('15.0', '-90'), ('0.00416625', '89.99999'), ('201.365063', '-43.019112'), ('187.70593076725', '12.391123246083334')]:
    c = SkyCoord(float(ra) * u.deg, float(dec) * u.deg)
    print(ra, dec, name(ra, dec), c.to_string('hmsdms', sep='', precision=4))
