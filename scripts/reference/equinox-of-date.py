#!/usr/bin/env python3
"""Reference for firmware-bridge/src/devices/epoch.test.ts: apparent places (true equator and equinox of date) of ICRS
directions, by astropy's TETE frame for the geocentre. Needs Debian's python3-astropy; run by hand, output is pasted."""
import astropy
from astropy.coordinates import SkyCoord, TETE
from astropy.time import Time
from astropy.utils import iers
import astropy.units as u

iers.conf.auto_download = False
iers.conf.iers_degraded_accuracy = "warn"
print("//", "astropy", astropy.__version__)
for when in ["2000-01-01T12:00:00", "2026-11-21T03:00:00", "2035-06-01T00:00:00"]:
    t = Time(when, scale="utc")
    for ra, dec in [(56.75, 24.1167), (0.01, -89.5), (266.4, -29.0), (10.6847, 41.2687), (189.2, 62.2)]:
        c = SkyCoord(ra * u.deg, dec * u.deg, frame="icrs").transform_to(TETE(obstime=t))
        print(f"['{when}Z', {ra}, {dec}, {c.ra.deg:.6f}, {c.dec.deg:.6f}],")
