import Value from 'typebox/value'
import { expect, test } from 'vitest'
import { defaultGateSettings, GateSettings, simulatedGateSettings } from './gateSettings.ts'

test('the defaults are valid, and a roof is there unless the site says otherwise', () => {
  for (const settings of [defaultGateSettings, simulatedGateSettings])
    expect(Value.Check(GateSettings, settings)).toBe(true)
  expect(defaultGateSettings.inputs).toMatchObject({
    roof: 'required',
    weather: 'required',
    rain: ['rain'],
    clock: 'required',
  })
  expect(
    Value.Check(GateSettings, { ...defaultGateSettings, inputs: { ...defaultGateSettings.inputs, roof: 'optional' } }),
  ).toBe(false)
  const { roof: _left, ...unsaid } = defaultGateSettings.inputs
  expect(Value.Check(GateSettings, { ...defaultGateSettings, inputs: unsaid })).toBe(false)
})
