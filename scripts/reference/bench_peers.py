#!/usr/bin/env python3
"""Times what others need for the work of appliance/src/frames/benchmark.ts, in the same call and on the same files.

Arguments: number of runs, then FITS files (unsigned 16-bit). Prints one JSON object: figure -> file -> [{peer, threads, ms, cpuMs}].
One thread unless said. A package that is not installed is left out; the caller names it.
"""
import io
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")


def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None


np = importable("numpy")
scipy = importable("scipy")
astropy = importable("astropy")
pyfftw = importable("pyfftw")
cv2 = importable("cv2")


def timed(runs, work):
    work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    return sorted(walls)[runs // 2], sorted(cpus)[runs // 2]


def measure(path, runs, add):
    raw = open(path, "rb").read()
    if astropy:
        from astropy.io import fits

        def read():
            with fits.open(path, memmap=False) as hdus:
                return hdus[0].data.astype(np.float32)

        add("read u16 file", f"astropy {astropy.__version__}", 1, timed(runs, read))
        plane = read()

        def encode():
            fits.PrimaryHDU(plane).writeto(io.BytesIO(), checksum=True)

        add("encode f32 with checksums", f"astropy {astropy.__version__}", 1, timed(runs, encode))
    if not np:
        return
    side = int(path.rsplit("-", 1)[1].split(".")[0])
    stored = np.frombuffer(raw, ">i2", side * side, 2880).reshape(side, side)
    plane = stored.astype(np.float32) + np.float32(32768)
    add("decode u16", f"numpy {np.__version__}", 1, timed(runs, lambda: stored.astype(np.float32) + np.float32(32768)))
    add("median", f"numpy {np.__version__}", 1, timed(runs, lambda: np.median(plane)))
    if scipy:
        from scipy import fft, ndimage

        spectrum = fft.rfft2(plane)
        for workers in sorted({1, os.cpu_count() or 1}):
            add("rfft2", f"scipy {scipy.__version__}", workers, timed(runs, lambda: fft.rfft2(plane, workers=workers)))
            kept = timed(runs, lambda: fft.irfft2(spectrum, plane.shape, workers=workers))
            for figure in ("irfft2", "irfft2, spectrum kept"):
                add(figure, f"scipy {scipy.__version__}", workers, kept)
        taps = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2).astype(np.float32)

        def separable():
            return ndimage.convolve1d(ndimage.convolve1d(plane, taps, axis=1, mode="nearest"), taps, axis=0, mode="nearest")

        if not cv2:
            add("convolution 9x9, separable", f"scipy {scipy.__version__}", 1, timed(runs, separable))
    if pyfftw:
        forward = pyfftw.builders.rfft2(plane.copy(), planner_effort="FFTW_MEASURE", threads=1)
        add("rfft2", f"FFTW by pyfftw {pyfftw.__version__}", 1, timed(runs, forward))
        inverse = pyfftw.builders.irfft2(forward(), planner_effort="FFTW_MEASURE", threads=1)
        # As ours: divided by the number of pixels, and what is in the spectrum is lost.
        add("irfft2", f"FFTW by pyfftw {pyfftw.__version__}", 1, timed(runs, inverse))
        given = forward().copy()
        add("irfft2, spectrum kept", f"FFTW by pyfftw {pyfftw.__version__}", 1, timed(runs, lambda: inverse(given)))
    if cv2:
        cv2.setNumThreads(1)
        taps = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2).astype(np.float32)
        work = lambda: cv2.sepFilter2D(plane, -1, taps, taps, borderType=cv2.BORDER_REPLICATE)  # noqa: E731
        add("convolution 9x9, separable", f"OpenCV {cv2.__version__}", 1, timed(runs, work))


def main():
    runs = int(sys.argv[1])
    found = {}
    for path in sys.argv[2:]:
        def add(figure, peer, threads, times, path=path):
            entry = {"peer": peer, "threads": threads, "ms": times[0], "cpuMs": times[1]}
            found.setdefault(figure, {}).setdefault(path, []).append(entry)

        measure(path, runs, add)
    json.dump(found, sys.stdout)


main()
