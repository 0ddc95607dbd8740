#!/usr/bin/env python3
"""Times what astropy and fpack / funpack need for the work of appliance/src/frames/benchTiles.ts, one thread.

Arguments: number of runs, a folder with u16.fits, f32.fits and packed-0.fits.fz … packed-2.fits.fz. Prints one JSON object:
figure -> [{peer, ms, cpuMs}]. A program or package that is not installed is left out. Packing goes from file to file;
astropy unpacks into memory, funpack into a file.
"""
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
try:
    import astropy
    import numpy as np
    from astropy.io import fits
except ImportError:
    astropy = None

PACKINGS = [
    ("u16, RICE_1", "u16", {"compression_type": "RICE_1"}, ["-r"]),
    ("f32 quantized with dither, RICE_1", "f32",
     {"compression_type": "RICE_1", "quantize_level": 4.0, "quantize_method": 1, "dither_seed": 1}, ["-r", "-q", "4"]),
    ("f32 bit for bit, GZIP_2", "f32", {"compression_type": "GZIP_2", "quantize_level": 0.0}, ["-g2", "-q", "0"]),
]
found = {}


def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(figure, peer, runs, work):
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, used = time.perf_counter(), cpu()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((cpu() - used) * 1e3)
    found.setdefault(figure, []).append({"peer": peer, "ms": sorted(walls)[runs // 2], "cpuMs": sorted(cpus)[runs // 2]})


def main():
    runs, folder = int(sys.argv[1]), sys.argv[2]
    out = os.path.join(folder, "peer.fits")
    for k, (name, kind, options, flags) in enumerate(PACKINGS):
        plain, packed = os.path.join(folder, kind + ".fits"), os.path.join(folder, f"packed-{k}.fits.fz")
        if astropy:
            def pack():
                with fits.open(plain, memmap=False) as hdus:
                    fits.CompImageHDU(hdus[0].data, **options).writeto(out, overwrite=True)

            def unpack():
                with fits.open(packed) as hdus:
                    hdus[1].data.astype(np.float32, copy=False)

            timed("pack " + name, f"astropy {astropy.__version__}", runs, pack)
            timed("unpack " + name, f"astropy {astropy.__version__}", runs, unpack)
        if shutil.which("fpack") and shutil.which("funpack"):
            def run(*command):
                if os.path.exists(out):
                    os.remove(out)
                subprocess.run([*command, "-O", out, packed if command[0] == "funpack" else plain], check=True,
                               stdout=subprocess.DEVNULL)

            timed("pack " + name, "fpack", runs, lambda: run("fpack", *flags))
            timed("unpack " + name, "funpack", runs, lambda: run("funpack"))
    json.dump(found, sys.stdout)


main()
