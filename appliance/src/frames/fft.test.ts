import { describe, expect, it } from 'vitest'
import { createCompute } from './compute.ts'
import { correlateSpectra, goodSize, multiplySpectra, planFft, powerSpectrum, type Spectrum } from './fft.ts'
import { pattern, reference } from './reference.ts'

function element(spectrum: Spectrum, u: number, v: number): readonly [number, number] {
  const at = ((u >> 2) * spectrum.height + v) * 8 + (u & 3)
  return [spectrum.data[at] as number, spectrum.data[at + 4] as number]
}

describe('the Fourier transform', () => {
  it.each(reference.fourier)('of a $width × $height plane is numpy’s rfft2', ({ width, height, rms, elements }) => {
    using compute = createCompute({ threads: 1 })
    const plan = planFft(compute, width, height)
    const spectrum = plan.spectrum()
    const plane = pattern(compute, width, height)
    plane.data.forEach((value, i) => {
      plane.data[i] = value - 160
    })
    plan.forward(plane, spectrum)
    for (const [u, v, re, im] of elements) {
      const [gotRe, gotIm] = element(spectrum, u, v)
      expect(Math.hypot(gotRe - re, gotIm - im) / Math.max(rms, Math.hypot(re, im))).toBeLessThan(1e-6)
    }
  })

  it.each(reference.fourier)('of a $width × $height plane comes back', ({ width, height }) => {
    using compute = createCompute({ threads: 2 })
    const plan = planFft(compute, width, height)
    const plane = pattern(compute, width, height)
    const back = compute.float32(width, height)
    const spectrum = plan.spectrum()
    plan.forward(plane, spectrum)
    const kept = spectrum.data.slice()
    plan.inverse(spectrum, back, { keep: true })
    const worst = plane.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (back.data[i] as number))), 0)
    expect(worst / 226).toBeLessThan(1e-6)
    expect(Buffer.from(spectrum.data.buffer, spectrum.pointer, 4 * kept.length).equals(Buffer.from(kept.buffer))).toBe(
      true,
    )
    const first = back.data.slice()
    plan.inverse(spectrum, back)
    expect(Buffer.from(back.data.buffer, back.pointer, 4 * first.length).equals(Buffer.from(first.buffer))).toBe(true)
  })

  it('gives the same bits on one and on three threads', () => {
    const results = [1, 3].map((threads) => {
      using compute = createCompute({ threads })
      const plan = planFft(compute, 240, 216)
      const spectrum = plan.spectrum()
      const back = compute.float32(240, 216)
      plan.forward(pattern(compute, 240, 216), spectrum)
      plan.inverse(spectrum, back)
      return [spectrum.data.slice(), back.data.slice()]
    })
    expect(results[1]).toEqual(results[0])
  })

  it('pads smaller planes with zeros and crops them again', () => {
    using compute = createCompute({ threads: 1 })
    const plan = planFft(compute, goodSize(61), goodSize(47))
    const small = pattern(compute, 61, 47)
    const whole = compute.float32(plan.width, plan.height)
    for (let y = 0; y < 47; y++) whole.data.set(small.data.subarray(y * 61, y * 61 + 61), y * plan.width)
    const [a, b] = [plan.spectrum(), plan.spectrum()]
    plan.forward(small, a)
    plan.forward(whole, b)
    expect(a.data).toEqual(b.data)
    const back = compute.float32(61, 47)
    plan.inverse(a, back)
    expect(Math.max(...back.data.map((value, i) => Math.abs(value - (small.data[i] as number))))).toBeLessThan(3e-4)
  })

  it('turns a product into a convolution and a conjugate product into a correlation', () => {
    using compute = createCompute({ threads: 2 })
    const plan = planFft(compute, 40, 24)
    const plane = pattern(compute, 40, 24)
    const shift = compute.float32(40, 24)
    shift.data[3 * 40 + 5] = 1
    const [a, b, out] = [plan.spectrum(), plan.spectrum(), plan.spectrum()]
    plan.forward(plane, a)
    plan.forward(shift, b)
    const result = compute.float32(40, 24)
    multiplySpectra(compute, a, b, out)
    plan.inverse(out, result)
    expect(result.data[10 * 40 + 20]).toBeCloseTo(plane.data[7 * 40 + 15] as number, 3)
    correlateSpectra(compute, b, a, out)
    plan.inverse(out, result)
    expect(result.data[10 * 40 + 20]).toBeCloseTo(plane.data[13 * 40 + 25] as number, 3)
    powerSpectrum(compute, b, out)
    expect(element(out, 7, 9)).toEqual([expect.closeTo(1, 5), 0])
  })

  it('finds the next length that it can transform', () => {
    expect([1, 8, 9, 49, 193, 385, 682, 1024, 1025, 2010, 2049, 6000, 9576].map(goodSize)).toEqual([
      8, 8, 16, 56, 200, 392, 720, 1024, 1080, 2016, 2160, 6000, 9600,
    ])
    using compute = createCompute({ threads: 1 })
    expect(() => planFft(compute, 682, 1024)).toThrow(/length 682: use 720/)
    expect(() => planFft(compute, 60, 64)).toThrow(/length 60: use 64/)
  })
})
