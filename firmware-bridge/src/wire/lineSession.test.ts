import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createCommandReader } from '../lx200/codec.ts'
import { createRandom } from '../random.ts'
import { oneOf, toBytes, upTo } from './line.ts'
import { createLineSession, type LineSession, type LineSessionOptions } from './lineSession.ts'
import { memoryConnect } from './memory.ts'
import { connectSerial } from './serial.ts'
import { type Accept, servePty } from './serialServe.ts'
import type { Wire } from './wire.ts'

const hasSocat = spawnSync('socat', ['-V']).status === 0
if (!hasSocat) console.log('skipped: pseudo-terminals need socat (apt-get install socat)')

const stack: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** A device that answers `:GR#` with a fixed place, as told by `answer`. */
function device(answer: (wire: Wire, text: string) => void): Accept {
  return (open) => {
    const reader = createCommandReader((command) => answer(wire, 'what' in command ? command.what : command.type))
    const wire = open({ onBytes: (bytes) => reader.push(bytes), onClose: () => undefined })
  }
}
const place = (wire: Wire): void => void wire.write(toBytes('03:47:24#')).catch(() => undefined)
const question = { text: ':GR#', reply: upTo('#') }

function session(accept: Accept, clock: VirtualClock, more: Partial<LineSessionOptions> = {}): LineSession {
  return createLineSession(memoryConnect(accept), {
    clock,
    random: createRandom('session'),
    greet: async () => ({ ok: true }),
    poll: async () => undefined,
    ...more,
  })
}

describe('a session of questions and answers', () => {
  it('asks one at a time and gives each its own answer', async () => {
    const clock = new VirtualClock(0)
    let flying = 0
    let most = 0
    const one = session(
      device((wire, what) => {
        most = Math.max(most, ++flying)
        void clock.sleep(50).then(() => {
          flying--
          void wire.write(toBytes(`${what}#`))
        })
      }),
      clock,
    )
    await clock.run(
      (async () => {
        while (!one.ready) await clock.sleep(10)
        const asked = [':GR#', ':GD#', ':GA#'].map((text) => one.ask({ text, reply: upTo('#') }))
        expect((await Promise.all(asked)).map((answer) => answer.ok && answer.text)).toEqual([
          'rightAscension#',
          'declination#',
          'altitude#',
        ])
        expect(most).toBe(1)
        await one[Symbol.asyncDispose]()
      })(),
    )
  })

  it('never keeps more questions than it has a limit for', async () => {
    const clock = new VirtualClock(0)
    const one = session(
      device(() => undefined),
      clock,
    )
    await clock.run(
      (async () => {
        while (!one.ready) await clock.sleep(10)
        const asked = Array.from({ length: 100 }, () => one.ask(question))
        const first = await Promise.race(asked)
        expect(first).toMatchObject({ ok: false, why: 'busy' })
        await one[Symbol.asyncDispose]()
        const answers = await Promise.all(asked)
        expect(answers.filter((answer) => !answer.ok && answer.why === 'busy')).toHaveLength(36)
        expect(answers.every((answer) => !answer.ok)).toBe(true)
      })(),
    )
  })

  it('writes a stop past a question that is waited for', async () => {
    const clock = new VirtualClock(0)
    const heard: string[] = []
    const one = session(
      device((_, what) => void heard.push(what)),
      clock,
    )
    await clock.run(
      (async () => {
        while (!one.ready) await clock.sleep(10)
        const asked = one.ask(question)
        await clock.sleep(100)
        const before = clock.monotonic()
        expect(await one.tell(':Q#')).toEqual({ ok: true, text: '' })
        expect(clock.monotonic()).toBe(before)
        expect(heard).toEqual(['rightAscension', 'stop'])
        expect(await asked).toMatchObject({ ok: false, why: 'silent' })
        await one[Symbol.asyncDispose]()
      })(),
    )
  })

  it('lets noise run out before the next question', async () => {
    const clock = new VirtualClock(0)
    let asked = 0
    const one = session(
      device((wire) => {
        if (++asked > 1) return place(wire)
        // Not an answer, and its rest comes late.
        void wire.write(toBytes('?'))
        void clock.sleep(40).then(() => wire.write(toBytes('99:99#')))
      }),
      clock,
      { resync: '#' },
    )
    await clock.run(
      (async () => {
        while (!one.ready) await clock.sleep(10)
        expect(await one.ask({ text: ':GR#', reply: oneOf('01') })).toMatchObject({ ok: false, why: 'garbled' })
        expect(await one.ask(question)).toEqual({ ok: true, text: '03:47:24#' })
        await one[Symbol.asyncDispose]()
      })(),
    )
  })
})

describe.skipIf(!hasSocat)('a session on a serial port', () => {
  it('sees within two seconds that the cable was pulled, and that the device hangs', async () => {
    const seen: Record<string, number> = {}
    for (const kind of ['pulled', 'hanging'] as const) {
      let hangs = false
      const port = await servePty(
        device((wire) => hangs || place(wire)),
        systemClock,
      )
      stack.push(port)
      let lostAt = 0
      const one = createLineSession(connectSerial({ path: port.path, baudRate: 9600 }), {
        clock: systemClock,
        random: createRandom(kind),
        greet: async (self) => (await self.ask(question)) as { ok: true },
        poll: async (self) => void (await self.ask(question)),
        onLost: () => {
          lostAt ||= systemClock.monotonic()
        },
      })
      stack.push(one)
      const start = systemClock.monotonic()
      while (!one.ready && systemClock.monotonic() - start < 5_000) await systemClock.sleep(10)
      expect(one.ready).toBe(true)
      await systemClock.sleep(300)
      const cutAt = systemClock.monotonic()
      if (kind === 'pulled') port.unplug()
      else hangs = true
      while (lostAt === 0 && systemClock.monotonic() - cutAt < 5_000) await systemClock.sleep(5)
      seen[kind] = (lostAt - cutAt) / 1000
      expect(seen[kind]).toBeLessThan(2)
      expect(seen[kind]).toBeGreaterThan(0)
    }
    const [pulled, hanging] = [seen['pulled'] ?? Number.NaN, seen['hanging'] ?? Number.NaN]
    console.log(`cable pulled: seen after ${pulled.toFixed(3)} s; device hangs: seen after ${hanging.toFixed(2)} s`)
  })
})
