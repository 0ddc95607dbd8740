import { expect, test } from 'vitest'
import { defaultGateSettings } from '../../contract/gateSettings.ts'
import { type ClosingLook, type ClosingState, closingStep, notClosing } from './closing.ts'

const budget = defaultGateSettings.closing
const open: ClosingLook = { parked: false, moving: true, roof: 'open', mayClose: false, clearsTelescope: false }

/** Asks every second and tells what was done when, alarms marked. */
function play(looks: (second: number) => Partial<ClosingLook>, seconds: number): string[] {
  let state: ClosingState = notClosing
  const said: string[] = []
  for (let second = 0; second <= seconds; second++) {
    const step = closingStep(state, { ...open, ...looks(second) }, second * 1000, budget)
    state = step.state
    if (step.action !== 'wait') said.push(`${second} ${step.action}${step.alarm ? ' ALARM' : ''}`)
  }
  return said
}

test('the roof comes after the telescope, and both commands are repeated until their sensors agree', () => {
  const said = play((s) => {
    if (s < 45) return {}
    return { parked: true, moving: false, mayClose: true, roof: s < 70 ? 'closing' : 'closed' }
  }, 70)
  expect(said).toEqual(['0 park', '20 park', '40 park', '45 close', '55 close', '65 close', '70 closed'])
})

test('a mount that does not park sounds the alarm after its budget and is asked for ever', () => {
  const said = play(() => ({}), 3600)
  expect(said.filter((line) => line.endsWith('park'))).toHaveLength(7)
  expect(said.filter((line) => line.endsWith('park ALARM'))).toHaveLength(174)
  expect(said.at(-1)).toBe('3600 park ALARM')
})

test('a closed switch that never comes sounds the alarm and the close is repeated for ever', () => {
  const said = play(() => ({ parked: true, moving: false, mayClose: true, roof: 'unknown' }), 300)
  expect(said[0]).toBe('0 close')
  expect(said.at(-1)).toBe('300 close ALARM')
  expect(said.filter((line) => line.includes('ALARM'))[0]).toBe('130 close ALARM')
})

test('a roof that opens again after it was shut is shut again, and one that says nothing is closed blindly', () => {
  const shut = { parked: true, moving: false, mayClose: true }
  expect(play((s) => ({ ...shut, roof: s === 5 ? 'unknown' : 'closed' }), 6)).toContain('5 close')
  expect(play(() => ({ ...shut, roof: 'unheard' }), 10)).toEqual(['0 close', '10 close'])
})

test('under a closed or closing roof the telescope is stopped, not parked, unless it has room there', () => {
  expect(play(() => ({ roof: 'closed' }), 0)).toEqual(['0 stop ALARM'])
  expect(play(() => ({ roof: 'closing' }), 0)).toEqual(['0 stop'])
  expect(play(() => ({ roof: 'closed', clearsTelescope: true }), 0)).toEqual(['0 park'])
  expect(play(() => ({ roof: 'absent', parked: true }), 0)).toEqual(['0 closed'])
})
