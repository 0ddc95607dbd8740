import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { isRunning, killProcess, lockFile, ownIdentity, startTicks } from './processes.ts'

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 500 && !condition(); n++) await clock.sleep(10)
  expect(condition()).toBe(true)
}

describe('a process', () => {
  it('is known by its number and its start, as ps tells it', () => {
    const { pid, startTicks: ticks } = ownIdentity()
    const seconds = Number(spawnSync('ps', ['-o', 'etimes=', '-p', `${pid}`], { encoding: 'utf8' }).stdout)
    const upSeconds = Number(spawnSync('cat', ['/proc/uptime'], { encoding: 'utf8' }).stdout.split(' ')[0])
    const hertz = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout)
    expect(Math.abs(upSeconds - Number(ticks) / hertz - seconds)).toBeLessThan(2)
  })

  it('is never killed by a number that was given anew', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    const pid = child.pid ?? 0
    await until(() => startTicks(pid) !== undefined)
    expect(killProcess({ pid, startTicks: '1' })).toBe(false)
    expect(killProcess({ pid: 1, startTicks: startTicks(1) ?? '' })).toBe(false)
    expect(killProcess(ownIdentity())).toBe(false)
    const identity = { pid, startTicks: startTicks(pid) ?? '' }
    expect(isRunning(identity)).toBe(true)
    process.kill(pid, 'SIGSTOP')
    expect(isRunning(identity)).toBe(true)
    expect(killProcess(identity)).toBe(true)
    await until(() => !isRunning(identity))
    expect(killProcess(identity)).toBe(false)
  })
})

describe('the lock of a data folder', () => {
  it('has one holder, in this process or another, and goes with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-guardian-lock-'))
    const path = join(folder, 'lock')
    try {
      const first = await lockFile(path)
      expect(first).toBeDefined()
      expect(await lockFile(path)).toBeUndefined()
      expect(spawnSync('flock', ['--nonblock', path, 'true']).status).toBe(1)
      first?.[Symbol.dispose]()
      const second = await lockFile(path)
      expect(second).toBeDefined()
      second?.[Symbol.dispose]()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
