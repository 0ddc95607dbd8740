#!/usr/bin/env python3
"""Reference for firmware-bridge/src/indi/sexagesimal.test.ts: what libindi itself writes and reads, by calling
numberFormat and f_scansexa of Debian's libindidriver1 (package indi-bin). Run by hand; the output is
firmware-bridge/src/indi/sexagesimal.reference.json."""
import ctypes
import json
import math

lib = ctypes.CDLL("libindidriver.so.1")
lib.numberFormat.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_double]
lib.f_scansexa.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_double)]

formats = ["%010.6m", "%9.6m", "%12.9m", "%10.8m", "%8.5m", "%6.3m", "%5.2f", "%4.0f", "%g", "%.3f", "%+7.1f", "%-8.2f", "%08.3f", "%e", "%.3G"]
values = [0, 3.79328, -0.5, -0.008, 23.9999999, 12.345678, -89.99999, 1e-7, 123456789.125, 359.9997]
written = []
for f in formats:
    for v in values:
        out = ctypes.create_string_buffer(200)
        lib.numberFormat(out, f.encode(), v)
        written.append([f, v, out.value.decode()])
read = []
for text in ["3:47:24.5", "+24:06:30", "-0:30", "-12:30:36", "3.5", "1e-3", "12;34;56", "5h30m", "  7.25  ", "abc", "", "nan",
             "-5:-30", "1:2:3:4", "+.5", "0:0:3.6", "10:", "3,5"]:
    d = ctypes.c_double(math.nan)
    failed = lib.f_scansexa(text.encode(), ctypes.byref(d)) != 0 or math.isnan(d.value)
    read.append([text, None if failed else d.value])
print(json.dumps({"source": "libindidriver1 1.9.9", "written": written, "read": read}))
