import type { FitsHeader } from '../frames/fits/header.ts'
import type { CameraFacts } from './calibrate.ts'

/** The camera's gain and read noise as its own frames show them, before what anybody says of them. */

/** What masters measured in the frame's readout mode. */
export interface MeasuredNoise {
  /** From pairs of flats. */
  readonly gainElectronsPerAdu?: number | undefined
  /** From pairs of biases. */
  readonly readNoiseAdu?: number | undefined
}

export type NoiseSource = 'measured' | 'header' | 'settings'

export interface MeasuredCamera<Facts> {
  readonly camera: Facts
  readonly gainFrom: NoiseSource
  readonly readNoiseFrom: NoiseSource
  /** Sentences for people: what disagrees. */
  readonly warnings: readonly string[]
}

/** What is said and what is measured may differ by this share. */
const mostDifference = 0.1
/** A gain beyond these is no measurement. */
const possible = { least: 0.001, most: 1000 } as const

/**
 * The camera's facts with its gain from pairs of flats and its read noise from pairs of biases (Janesick, Photon Transfer,
 * 2007, chapters 5 and 11); EGAIN and RDNOISE of the frame where that was not measured; `stated` where the header is silent.
 * A header that differs from the measured gain by more than a tenth is told.
 */
export function measuredCamera<Facts extends Pick<CameraFacts, 'gainElectronsPerAdu' | 'readNoiseElectrons'>>(
  stated: Facts,
  header: FitsHeader,
  measured: MeasuredNoise,
): MeasuredCamera<Facts> {
  const [gain, gainFrom] = first(stated.gainElectronsPerAdu, plausible(measured.gainElectronsPerAdu), egainOf(header))
  const { readNoiseAdu } = measured
  const electrons = readNoiseAdu === undefined ? undefined : readNoiseAdu * gain
  const [noise, readNoiseFrom] = first(stated.readNoiseElectrons, electrons, plausible(header.number('RDNOISE')))
  return {
    camera: { ...stated, gainElectronsPerAdu: gain, readNoiseElectrons: noise },
    gainFrom,
    readNoiseFrom,
    warnings: gainFrom === 'measured' ? gainWarnings(header, gain) : [],
  }
}

function first(
  stated: number,
  measured: number | undefined,
  header: number | undefined,
): readonly [number, NoiseSource] {
  if (measured !== undefined) return [measured, 'measured']
  return header === undefined ? [stated, 'settings'] : [header, 'header']
}

function plausible(value: number | undefined): number | undefined {
  return value !== undefined && value > possible.least && value < possible.most ? value : undefined
}

/** Of a raw frame. */
function egainOf(header: FitsHeader): number | undefined {
  return plausible(header.number('EGAIN'))
}

function gainWarnings(header: FitsHeader, gain: number): string[] {
  const said = egainOf(header)
  if (said === undefined || Math.abs(said / gain - 1) <= mostDifference) return []
  return [
    `the header’s EGAIN is ${said.toPrecision(3)} e⁻/ADU, the flats’ noise says ${gain.toPrecision(3)}: the measured one is used`,
  ]
}
