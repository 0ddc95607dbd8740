import { expect, test } from 'vitest'
import { decide, type Gate, gateOf } from '../../gate.ts'
import { gateRules } from '../rules.ts'
import { type Ledger, newLedger, Operation } from './operate.ts'
import { sites } from './sites.ts'

const stepsEach = 5000

function live(gate: Gate, histories: number, seed: string): Ledger {
  const ledger = newLedger()
  for (let i = 0; i < histories && ledger.violations.length === 0; i++)
    new Operation(sites[i % sites.length]!, `${seed} ${i}`, gate, ledger).run(stepsEach)
  return ledger
}

test('in 1,000,000 random steps of sky, weather, mount, roof, clock, crashes and wishes nothing comes to harm', {
  timeout: 240_000,
}, () => {
  const ledger = live(decide, 1_000_000 / stepsEach, 'history')
  const { violations, ...counts } = ledger
  console.log('gate histories:', counts)
  expect(violations).toEqual([])
  expect(counts.steps).toBe(1_000_000)
  // A world in which nothing ever happens proves nothing.
  for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0)
  expect(counts.opened).toBeGreaterThan(1000)
  expect(counts.slewed).toBeGreaterThan(5000)
})

test('with any of these rules taken away the same world comes to harm', { timeout: 240_000 }, () => {
  const vital = ['closeOverParked', 'roofOpen', 'sunPath', 'sunHere', 'sunLow', 'horizon', 'recovery']
  for (const id of vital) {
    const ledger = live(gateOf(gateRules.filter((rule) => rule.id !== id)), 60, 'history')
    console.log(`gate histories without ${id}: ${ledger.violations[0]?.slice(0, 100)}`)
    expect(ledger.violations, id).toHaveLength(1)
  }
})
