"""Reference values for web/src/sky/altitude.test.ts: altitudes by astropy, no refraction. Run by hand; prints the literals."""

import astropy.units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers

iers.conf.auto_download = False
iers.conf.iers_degraded_accuracy = "ignore"

sites = [(37.2, -3.4), (-33.27, 149.06), (69.6, 18.9)]
moments = ["2026-11-20T23:41:12", "2026-06-21T03:00:00", "2031-02-03T11:20:40"]
places = [(53.4, 12.14), (201.365, -43.019), (10.68, 41.27)]

for (lat, lon), moment, (ra, dec) in zip(sites, moments, places):
    time = Time(moment, scale="utc")
    frame = AltAz(obstime=time, location=EarthLocation(lat=lat * u.deg, lon=lon * u.deg))
    star = SkyCoord(ra * u.deg, dec * u.deg).transform_to(frame).alt.deg
    sun = get_sun(time).transform_to(frame).alt.deg
    print(f"  {{ site: {{ latitudeDeg: {lat}, longitudeDeg: {lon} }}, at: '{moment}Z', raDeg: {ra}, decDeg: {dec},"
          f" altitude: {star:.3f}, sun: {sun:.3f} }},")
