import { expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { measuredCamera } from './measuredCamera.ts'

const stated = { gainElectronsPerAdu: 1, readNoiseElectrons: 5 }

test('what masters measured goes before the header, and the header before the settings', () => {
  const header = FitsHeader.from({ EGAIN: 1.45, RDNOISE: 7 })
  expect(measuredCamera(stated, header, { gainElectronsPerAdu: 1.5, readNoiseAdu: 4 })).toEqual({
    camera: { gainElectronsPerAdu: 1.5, readNoiseElectrons: 6 },
    gainFrom: 'measured',
    readNoiseFrom: 'measured',
    warnings: [],
  })
  expect(measuredCamera(stated, header, {}).camera).toEqual({ gainElectronsPerAdu: 1.45, readNoiseElectrons: 7 })
  expect(measuredCamera(stated, FitsHeader.empty, {})).toMatchObject({ camera: stated, gainFrom: 'settings' })
})

test('a header that says another gain than the flats is told and not believed', () => {
  const { camera, warnings } = measuredCamera(stated, FitsHeader.from({ EGAIN: 0.5 }), { gainElectronsPerAdu: 1.5 })
  expect(camera.gainElectronsPerAdu).toBe(1.5)
  expect(warnings).toEqual(['the header’s EGAIN is 0.500 e⁻/ADU, the flats’ noise says 1.50: the measured one is used'])
})

test('a gain that no camera has counts as unknown', () => {
  expect(measuredCamera(stated, FitsHeader.from({ EGAIN: 0 }), { gainElectronsPerAdu: -3 }).gainFrom).toBe('settings')
})
