import { describe, expect, it } from 'vitest'
import { closingLine, tally } from './test.ts'

const file = (name: string, tests: Record<string, string>, status = 'passed', message = '') => ({
  name: `/repository/${name}`,
  status,
  message,
  assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
})

describe('the closing line of scripts/test', () => {
  it('counts what passed and failed, and names what failed', () => {
    const report = { testResults: [file('a.test.ts', { adds: 'passed', divides: 'failed' }, 'failed')] }
    const result = tally(report, 1, '/repository')
    expect(result.failed).toEqual(['a.test.ts > divides'])
    expect(closingLine(result)).toBe('1 passed, 1 failed')
  })

  it('mentions skipped tests only when there are any', () => {
    const skipped = { testResults: [file('a.test.ts', { adds: 'passed', divides: 'skipped', later: 'pending' })] }
    const result = tally(skipped, 0, '/repository')
    expect(closingLine(result)).toBe('1 passed, 0 failed, 2 skipped')
    expect([...result.skipped]).toEqual([['a.test.ts', 2]])
  })

  it('counts a file that could not be loaded as a failure', () => {
    const report = { testResults: [file('a.test.ts', {}, 'failed', 'Cannot find module\n at x')] }
    expect(tally(report, 1, '/repository').failed).toEqual(['a.test.ts: Cannot find module'])
  })

  it('does not take a run without a report, or one that failed outside a test, for a success', () => {
    expect(tally(undefined, null, '/repository').failed).toHaveLength(1)
    expect(tally({ testResults: [file('a.test.ts', { adds: 'passed' })] }, 1, '/repository').failed).toHaveLength(1)
  })
})
