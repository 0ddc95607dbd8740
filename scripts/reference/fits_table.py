#!/usr/bin/env python3
"""Binary tables written by astropy, with what astropy reads from them, for appliance/src/frames/fits/table.test.ts.

Run by hand: scripts/reference/fits_table.py (Debian 12: python3-astropy). Writes appliance/src/frames/table.reference.json.
Tests never run Python.
"""
import base64
import io
import json
import os

import astropy
import numpy as np
from astropy.io import fits

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def written(columns):
    hdu = fits.BinTableHDU.from_columns(columns, name="THINGS")
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return buffer.getvalue()


def plain_value(value):
    if isinstance(value, (bytes, str, np.str_)):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if np.ndim(value) > 0:
        return [plain_value(part) for part in value]
    if np.iscomplexobj(value):
        return [float(np.real(value)), float(np.imag(value))]
    if np.issubdtype(type(value), np.integer):
        return str(int(value)) if abs(int(value)) >= 2**53 else int(value)
    return None if np.isnan(value) else float(value)


def values(data):
    with fits.open(io.BytesIO(data)) as hdus:
        table = hdus[1]
        return {name: [plain_value(value) for value in table.data[name]] for name in table.columns.names}


def ragged(parts, kind):
    cells = np.empty(len(parts), object)
    cells[:] = [np.array(part, kind) for part in parts]
    return cells


every = [
    fits.Column("FLAG", "L", array=[True, False, True]),
    fits.Column("BYTE", "B", array=[0, 200, 255]),
    fits.Column("SHORT", "I", array=[-32768, 5, 32767], unit="adu"),
    fits.Column("USHORT", "I", bzero=32768, array=np.array([0, 40000, 65535], np.uint16)),
    fits.Column("INT", "J", array=[-(2**31), 7, 2**31 - 1]),
    fits.Column("UINT", "J", bzero=2**31, array=np.array([0, 3000000000, 2**32 - 1], np.uint32)),
    fits.Column("LONG", "K", array=[-(2**63), 9, 2**53]),
    fits.Column("FLOAT", "E", array=[1.5, np.nan, -3e30]),
    fits.Column("DOUBLE", "D", array=[np.pi, -1e300, np.nan], unit="deg"),
    fits.Column("TEXT", "9A", array=["M 47", "", "NGC 40 A"]),
    fits.Column("PAIR", "2E", array=[[1, 2], [3, 4], [5, 6]]),
    fits.Column("COMPLEX", "C", array=[1 + 2j, -3j, 4]),
    fits.Column("WIDE", "M", array=[1e100 + 2j, -3j, 4]),
    fits.Column("BITS", "11X", array=(np.arange(33).reshape(3, 11) % 3 == 0)),
    fits.Column("RAGGED", "PJ()", array=ragged([[1, -2, 3], [], [2**31 - 1]], np.int32)),
    fits.Column("FAR", "QD()", array=ragged([[0.5], [1.25, 2.5], []], np.float64)),
    fits.Column("NAMES", "PA()", array=["alpha", "b", ""]),
]
scaled = io.BytesIO()
table = fits.BinTableHDU.from_columns([
    fits.Column("SCALED", "I", array=[1, 2, 3]), fits.Column("NULLED", "J", array=[1, -99, 3], null=-99),
])
table.header["TSCAL1"] = 0.25
table.header["TZERO1"] = 10.0
fits.HDUList([fits.PrimaryHDU(), table]).writeto(scaled)
written_plain = [
    fits.Column("x", "D", array=[1.25, -7e-9, np.nan], unit="pix"),
    fits.Column("flux", "E", array=[1, 2.5, 1e10]),
    fits.Column("flags", "J", array=[0, -1, 70000]),
    fits.Column("id", "K", array=[1, 2**40, -5]),
    fits.Column("short", "I", array=[1, 2, -3]),
    fits.Column("byte", "B", array=[1, 2, 255]),
    fits.Column("good", "L", array=[True, False, True]),
    fits.Column("name", "8A", array=["a", "M 47", "NGC 1234"]),
]
plain = written(written_plain)
with fits.open(io.BytesIO(plain)) as hdus:
    header = hdus[1].header
    cards = {key: header[key] for key in header if key[:5] in ("XTENS", "BITPI", "NAXIS", "PCOUN", "GCOUN", "TFIEL", "TTYPE", "TFORM", "TUNIT")}
    begin = hdus[1].fileinfo()["datLoc"]
    unit = plain[begin:]
result = {
    "source": f"scripts/reference/fits_table.py: astropy {astropy.__version__}, numpy {np.__version__}",
    "every": {"base64": base64.b64encode(written(every)).decode(), "values": values(written(every))},
    # astropy shows the number that stands for nothing.
    "scaled": {"base64": base64.b64encode(scaled.getvalue()).decode(), "values": {"SCALED": values(scaled.getvalue())["SCALED"], "NULLED": [1, None, 3]}},
    "written": {"cards": cards, "data": base64.b64encode(unit).decode()},
}
with open(os.path.join(root, "appliance", "src", "frames", "table.reference.json"), "w") as file:
    json.dump(result, file, indent=1)
    file.write("\n")
print({key: value for key, value in result["every"]["values"].items()}, cards)
