"""Reference values for appliance/src/observations/ephemeris.test.ts, made with astropy (no atmosphere, no polar motion)."""
from astropy.coordinates import AltAz, EarthLocation, FK5, ICRS, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers
import astropy, astropy.units as u

iers.conf.auto_download = False
iers.conf.iers_degraded_accuracy = "warn"
print("astropy", astropy.__version__)
for lat, lon, ms in [(28.3, -16.51, 1766188800000), (-30.24, -70.74, 1782000000000), (47.9, 19.9, 1795219200000)]:
    t = Time(ms / 1000, format="unix")
    t.delta_ut1_utc = 0.0
    loc = EarthLocation(lat=lat * u.deg, lon=lon * u.deg, height=2000 * u.m)
    sun = get_sun(t).transform_to(AltAz(obstime=t, location=loc))
    star = SkyCoord(31.042833 * u.deg, 46.687833 * u.deg).transform_to(AltAz(obstime=t, location=loc))
    print(lat, lon, ms, "sun", round(sun.alt.deg, 3), round(sun.az.deg, 3), "HAT-P-32", round(star.alt.deg, 3), round(star.az.deg, 3),
          "lst", round(t.sidereal_time("apparent", longitude=lon * u.deg).deg, 4))
