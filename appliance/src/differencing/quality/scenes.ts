import type { SceneOptions } from '../testScene.ts'

/** The skies on which quality is measured. A to E are those for which figures of other programs are known. */
export interface QualityScene {
  readonly name: string
  readonly title: string
  readonly seeds: readonly string[]
  readonly options: Omit<SceneOptions, 'width' | 'height' | 'seed'>
}

const field = { transientsPerMpix: 130, fwhmReferencePixels: 2 } as const

export const qualityScenes: readonly QualityScene[] = [
  { name: 'A', title: 'sharper, deeper reference', seeds: ['A1', 'A2', 'A3', 'A4'], options: field },
  {
    name: 'B',
    title: 'reference with worse seeing, 3.4 px to 2.6',
    seeds: ['B1', 'B2', 'B3', 'B4'],
    options: { ...field, fwhmSciencePixels: 2.6, fwhmReferencePixels: 3.4 },
  },
  {
    name: 'C',
    title: 'registration residual 0.15 px, seeing 4.0 and 3.2 px',
    seeds: ['C1', 'C2', 'C3', 'C4'],
    options: { ...field, fwhmSciencePixels: 4, fwhmReferencePixels: 3.2, distortionPixels: 0.15 },
  },
  {
    name: 'D',
    title: 'crowded, 12,000 stars/Mpix',
    seeds: ['D1', 'D2', 'D3', 'D4'],
    options: { ...field, starsPerMpix: 12_000 },
  },
  {
    name: 'E',
    title: 'one exposure as reference, seeing 3.0 and 2.8 px',
    seeds: ['E1', 'E2', 'E3', 'E4'],
    options: { ...field, referenceExposures: 1, fwhmReferencePixels: 2.8 },
  },
  {
    name: 'hosts',
    title: '40 bright galaxies/Mpix',
    seeds: ['F1'],
    options: { ...field, brightGalaxiesPerMpix: 40 },
  },
  {
    name: 'moon',
    title: 'sky rising by half across the frame',
    seeds: ['G1'],
    options: { ...field, skyGradient: 0.5 },
  },
  { name: 'cloud', title: '0.5 mag of cloud', seeds: ['H1'], options: { ...field, cloudMag: 0.5 } },
  { name: 'streaks', title: 'three satellite trails', seeds: ['I1'], options: { ...field, streaks: 3 } },
  {
    name: 'sharp 1.8',
    title: 'undersampled, FWHM 1.8 px',
    seeds: ['J1'],
    options: { ...field, fwhmSciencePixels: 1.8, fwhmReferencePixels: 1.8 },
  },
  {
    name: 'sharp 1.2',
    title: 'undersampled, FWHM 1.2 px',
    seeds: ['K1'],
    options: { ...field, fwhmSciencePixels: 1.2, fwhmReferencePixels: 1.2 },
  },
]
