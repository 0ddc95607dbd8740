import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { bootMachine, debianRoot, install, machineObstacle, waitFor } from '../systemd/machine.ts'

const repository = fileURLToPath(new URL('../../..', import.meta.url))
const unit = 'nightjar-guardian.service'
const obstacle = machineObstacle() ?? (existsSync(debianRoot) ? undefined : 'make the machine: scripts/soak systemd')
if (obstacle) console.log(`skipped: the guardian's unit under a real systemd: ${obstacle}`)

/** As docs/install.md says, but the checkout is bound to its place instead of copied. */
function prepare(root: string): void {
  const source = join(repository, 'systemd')
  install(root, {
    [join(source, unit)]: `etc/systemd/system/${unit}`,
    [join(source, 'nightjar.sysusers')]: 'usr/lib/sysusers.d/nightjar.conf',
    [join(source, 'nightjar.tmpfiles')]: 'usr/lib/tmpfiles.d/nightjar.conf',
  })
  mkdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'), { recursive: true })
  symlinkSync('/dev/null', join(root, 'etc/systemd/system/systemd-networkd-wait-online.service'))
}

describe.skipIf(obstacle !== undefined)('the guardian’s unit under a real systemd', () => {
  it('is ready, lives by its watchdog, and is started anew when it hangs', async () => {
    await using machine = await bootMachine({ prepare, readOnly: { [repository]: '/opt/nightjar' } })
    const show = (property: string): string => machine.run('systemctl', 'show', unit, '-p', property, '--value').trim()
    machine.run('systemctl', 'start', unit)
    await waitFor('the unit to be active', () => show('ActiveState') === 'active', 20_000)
    await waitFor('its words', () => show('StatusText').startsWith('waits for the settings'), 5_000)
    const hung = show('MainPID')
    // Longer than WatchdogSec: what it says to live is heard.
    await systemClock.sleep(7_000)
    expect([show('MainPID'), show('NRestarts')]).toEqual([hung, '0'])
    machine.run('systemctl', 'kill', '--signal=STOP', '--kill-whom=main', unit)
    const isBack = (): boolean => show('NRestarts') === '1' && show('ActiveState') === 'active'
    const tookMs = await waitFor('another one', isBack, 20_000)
    console.log(`guardian's unit: hung by SIGSTOP, ready again after ${Math.round(tookMs)} ms (WatchdogSec=5)`)
    expect(show('MainPID')).not.toBe(hung)
    const stopMs = systemClock.monotonic()
    machine.run('systemctl', 'stop', unit)
    expect(systemClock.monotonic() - stopMs).toBeLessThan(5_000)
    expect(show('Result')).toBe('success')
  })
})
