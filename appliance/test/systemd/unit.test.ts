import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { debianRoot, machineObstacle } from './machine.ts'
import { checkoutObstacle, proveUnit, unitSeconds } from './unit.ts'

const noRoot = (): string | undefined =>
  existsSync(debianRoot) ? undefined : `no ${debianRoot}: scripts/soak systemd makes it, in a minute`
const obstacle = machineObstacle() ?? noRoot() ?? checkoutObstacle()
if (obstacle !== undefined) console.log(`skipped: the unit under a real systemd (${obstacle})`)

describe.skipIf(obstacle !== undefined)('the unit under a real systemd', () => {
  it('says when it serves, is started anew when it hangs, and parks when it is stopped', {
    timeout: 300_000,
  }, async () => {
    const report = await proveUnit()
    console.log(JSON.stringify(report))
    expect(report.complaints).toEqual([])
    expect(report.readySeconds).toBeLessThan(15)
    const watchdog = unitSeconds('WatchdogSec')
    // The last word of the daemon may be half an interval old.
    expect(report.watchdogSeconds).toBeGreaterThan(watchdog / 2 - 1)
    expect(report.watchdogSeconds).toBeLessThan(watchdog + unitSeconds('TimeoutAbortSec') + 2)
    expect(report.backSeconds - report.watchdogSeconds).toBeGreaterThanOrEqual(unitSeconds('RestartSec') - 0.5)
    expect(report.status).not.toBe('')
    expect(report.stopSeconds).toBeLessThan(30)
    expect(report.phases.filter((phase) => phase === 'preparing')).toHaveLength(2)
    expect(report.phases.slice(-2)).toEqual(['closing', 'closed'])
    expect(report.verified).toBe(true)
  })
})
