import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSafetyControllerSimulator } from '../simulators/safetyController.ts'
import { settingRules } from '../simulators/safetyControllerAnswers.ts'
import { memoryConnect } from '../wire/memory.ts'
import { createLineReader, encodeLine } from './codec.ts'
import { settingNames } from './commands.ts'
import { type FirmwareBench, openedBench, openFirmwareBench } from './firmwareBench.ts'
import { buildHost, type FirmwareBuild, firmwarePackages, missingForFirmware, openFirmwareBuild } from './simavr.ts'

const missing = missingForFirmware()
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install ${firmwarePackages})`)

describe.skipIf(missing.length > 0)('the firmware’s memory and protocol', () => {
  let build: FirmwareBuild
  let host: string
  let elf: string
  beforeAll(async () => {
    build = openFirmwareBuild()
    ;[host, elf] = await Promise.all([buildHost(build), build.chip('firmware.elf')])
  })
  afterAll(() => build?.[Symbol.dispose]())

  const fresh = (): Promise<FirmwareBench> => openFirmwareBench(host, elf)
  const opened = (): Promise<FirmwareBench> => openedBench(host, elf)
  const state = async (bench: FirmwareBench): Promise<string[]> => (await bench.ask('STATE')).split(' ').slice(2)

  it('keeps its settings in two copies, repairs one from the other, and falls back to the defaults', async () => {
    await using bench = await opened()
    await bench.ask('SET heartbeat-s 20')
    await bench.ask('SET wet-s 90')
    const written = await bench.chip.ask('EEPROM')
    expect(written.slice(0, 50)).toBe(written.slice(128, 178))
    const wake = async (): Promise<string> => {
      bench.chip.tell('RESET power')
      await bench.run(300)
      return bench.ask('HELLO 1')
    }
    expect(await wake()).toBe('= HELLO 1 1.0.0 power first')
    bench.chip.tell('STORE 5 255')
    expect(await wake()).toBe('= HELLO 1 1.0.0 power second')
    expect(await bench.ask('GET heartbeat-s')).toBe('= GET heartbeat-s 20 5 30 30')
    expect(await bench.chip.ask('EEPROM')).toBe(written)
    bench.chip.tell('STORE 70 1')
    expect(await wake()).toBe('= HELLO 1 1.0.0 power first')
    expect(await bench.chip.ask('EEPROM')).toBe(written)
    bench.chip.tell('STORE 20 7')
    bench.chip.tell('STORE 80 7')
    expect(await wake()).toBe('= HELLO 1 1.0.0 power defaults')
    expect(await bench.ask('GET heartbeat-s')).toBe('= GET heartbeat-s 30 5 30 30')
    expect(await bench.ask('GET wet-s')).toBe('= GET wet-s 0 0 600 0')
  })

  it('loses no more than the change when the power goes at any byte of writing the settings', async () => {
    await using bench = await opened()
    await bench.ask('SET hold-s 33')
    const old = await bench.chip.ask('EEPROM')
    await bench.ask('SET hold-s 44')
    const changed = await bench.chip.ask('EEPROM')
    const byte = (hex: string, at: number): number => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16)
    const differing = Array.from({ length: 128 }, (_, at) => at).filter((at) => byte(old, at) !== byte(changed, at))
    expect(differing.length).toBeGreaterThan(4)
    for (let done = 0; done <= differing.length; done++) {
      for (const [index, at] of differing.entries()) {
        // The byte that was being written is garbled.
        const value = index < done ? byte(changed, at) : index === done ? 0xa5 : byte(old, at)
        bench.chip.tell(`STORE ${at} ${value}`)
      }
      bench.chip.tell('RESET power')
      await bench.run(400)
      expect(await bench.ask('HELLO 1')).not.toContain('defaults')
      const told = await bench.ask('GET hold-s')
      expect(told).toMatch(/^= GET hold-s (33|44) /)
    }
  })

  it('has the settings, ranges and defaults that the simulator has, and refuses what is out of range', async () => {
    await using bench = await opened()
    for (const name of settingNames) {
      const [usual, least, most] = settingRules[name]
      expect(await bench.ask(`GET ${name}`)).toBe(`= GET ${name} ${usual} ${least} ${most} ${usual}`)
      expect(await bench.ask(`SET ${name} ${most + 1}`)).toBe(`? SET ${name} range`.replace(` ${name}`, ''))
    }
    expect(await bench.ask('SET heartbeat-s 31')).toBe('? SET range')
    expect(await bench.ask('SET heartbeat-s 65536')).toBe('? SET arguments')
    expect(await bench.ask('SET speed 1')).toBe('? SET name')
    expect(await bench.ask('CLOSE')).toBe('= CLOSE')
    await bench.run(100)
    expect(await bench.ask('SET hold-s 1')).toBe('? SET moving')
  })

  it('takes a sensor that works the other way round, and leaves the current alone, where its settings say so', async () => {
    await using bench = await opened()
    bench.chip.tell('PIN D2 1')
    expect(await bench.ask('SET invert 4')).toBe('= SET invert 4 0 31 0')
    await bench.run(100)
    // The pin and its meaning changed within the same 30 ms: never rain.
    expect((await state(bench)).slice(0, 2)).toEqual(['open', 'still'])
    expect(await bench.ask('SET over-ma 0')).toBe('= SET over-ma 0 0 20000 8000')
    bench.chip.tell('ADC 0 500')
    expect(await bench.ask('CLOSE')).toBe('= CLOSE')
    await bench.run(1_500)
    expect((await state(bench)).slice(0, 3)).toEqual(['between', 'closing', 'none'])
    await bench.run(2_000)
    const wetMs = bench.now()
    await bench.ask('OPEN')
    await bench.run(2_500)
    bench.chip.tell('PIN D2 0')
    await bench.run(3_000)
    expect(bench.since('closing', wetMs)).toBeGreaterThan(wetMs + 2_500)
  })

  it('does not change a thing for a million bytes of noise and garbled commands', async () => {
    await using bench = await fresh()
    bench.chip.tell('ROOF 2000 0')
    await bench.run(2_100)
    await bench.ask('HELLO 1')
    await bench.ask('HEART')
    await bench.ask('DEW 1 0')
    await bench.ask('SET hold-s 61')
    const settings = await bench.chip.ask('EEPROM')
    const reader = createLineReader(48)
    let sent = 0
    let right = 0
    const random = createRandom('firmware fuzz')
    while (sent < 1_000_000) {
      const chunk = Buffer.concat(Array.from({ length: 100 }, () => noise(random)))
      right += reader.push(chunk).length
      sent += chunk.length
      await bench.wire.write(chunk)
      // The simulated line takes 0.2875 ms a byte.
      await bench.run(chunk.length * 0.288)
    }
    await bench.run(1_000)
    console.log(`fuzz: ${sent} bytes, ${reader.bad} bad lines, ${right} lines with a right CRC by chance`)
    expect(bench.chip.motor).toEqual([])
    expect(bench.chip.resetsMs).toEqual([])
    expect(await bench.chip.ask('EEPROM')).toBe(settings)
    expect(await bench.chip.ask('PWM')).toBe('a1 0 0')
    await bench.wire.write(Buffer.from('\n'))
    const report = await state(bench)
    expect(report.slice(0, 5)).toEqual(['closed', 'still', 'none', 'none', '04'])
    // Nothing of it was taken for a heartbeat.
    expect(report[6]).toBe('30')
    // It dropped the lines that ours drops, and so heard every byte; the last line may have been half one.
    expect(Number(report[14]) - reader.bad).toBeGreaterThanOrEqual(0)
    expect(Number(report[14]) - reader.bad).toBeLessThanOrEqual(1)
    expect(await bench.ask('GET hold-s')).toBe('= GET hold-s 61 0 300 60')
  }, 180_000)

  it('bears ten million bytes on the host under the address and undefined behaviour sanitizers', async () => {
    const files = ['test/fuzz.c', 'controller.c', 'answers.c', 'roof.c', 'line.c', 'crc.c', 'settings.c']
    const flags = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
    const program = await build.native('fuzz', files, flags)
    const { stdout } = await promisify(execFile)(program, ['20261121', '10000000'])
    console.log(`on the host: ${stdout.trim()}`)
    expect(stdout).toMatch(/^1000\d{4} bytes, \d{6} right lines, \d settings source, 0 broken\n$/)
  })

  it('answers every request, right or wrong, as the simulator does', async () => {
    await using bench = await fresh()
    bench.chip.tell('ROOF 2000 0')
    await bench.run(2_500)
    const clock = new VirtualClock(0)
    await using simulator = createSafetyControllerSimulator({ clock, travelSeconds: 2 })
    const simulated = await simulatorAsks(simulator.accept, clock)
    for (const words of conversation) {
      // Readings and counters differ; the roof and the heaters may not.
      const same = (reply: string): string =>
        reply
          .split(' ')
          .filter((_, index) => index < 8 || index === 13 || index === 14)
          .join(' ')
      const real = await bench.ask(words)
      expect(`${words}: ${same(await simulated(words))}`).toBe(`${words}: ${same(real)}`)
      await bench.run(300)
      await clock.advance(300)
    }
  })
})

const conversation: readonly string[] = [
  ...['STATE', 'OPEN', 'HELLO', 'HELLO x', 'HELLO 2', 'HELLO 1 1', 'HELLO 65536', 'JUMP'],
  ...['HELLO 1', 'STATE', 'STATE 1', 'JUMP', 'open', 'OPEN', 'CLOSE', 'STOP', 'CLEAR', 'CLEAR 1'],
  ...['DEW', 'DEW 1', 'DEW 0 10', 'DEW 3 10', 'DEW 1 101', 'DEW 1 x', 'DEW 1 -1', 'DEW 1 10 10', 'DEW 2 77'],
  ...['GET', 'GET speed', 'GET wet-s 1', 'GET wet-s', 'SET wet-s', 'SET wet-s 601', 'SET wet-s 65536', 'SET wet-s 007'],
  ...['GET wet-s', 'SET speed 1', 'SET speed', 'SET wet-s 0', 'HEART', 'HEART 1', 'OPEN', 'STATE', 'SET wet-s 1'],
  ...['CLOSE', 'STATE', 'OPEN', 'STATE', 'STATE', 'STOP', 'STATE', 'HELLO 2', 'STATE'],
]

/** The simulator on a memory wire, asked as the bench asks. */
async function simulatorAsks(
  accept: Parameters<typeof memoryConnect>[0],
  clock: VirtualClock,
): Promise<(words: string) => Promise<string>> {
  const reader = createLineReader()
  const lines: string[] = []
  const wire = await memoryConnect(accept)({
    onBytes: (bytes) => void lines.push(...reader.push(bytes)),
    onClose: () => undefined,
  })
  await clock.advance(2_500)
  return async (words) => {
    await wire.write(encodeLine(`@2A ${words}`))
    await clock.advance(0)
    const reply = lines.splice(0).find((line) => line.startsWith('=2A') || line.startsWith('?2A')) ?? 'nothing'
    return reply[0] + reply.slice(3)
  }
}

const commands = [
  'OPEN',
  'CLOSE',
  'STOP',
  'CLEAR',
  'HEART',
  'STATE',
  'DEW 1 99',
  'SET hold-s 1',
  'SET wet-s 9',
  'GET wet-s',
]

/** A right command with one to four bytes changed, dropped or doubled; or plain noise. */
function noise(random: ReturnType<typeof createRandom>): Buffer {
  if (random.integer(8) === 0) {
    return Buffer.from(Array.from({ length: 1 + random.integer(80) }, () => random.integer(256)))
  }
  const sequence = random.integer(256).toString(16).toUpperCase().padStart(2, '0')
  const right = Buffer.from(encodeLine(`@${sequence} ${commands[random.integer(commands.length)]}`))
  for (;;) {
    const wrong = garbled([...right], random)
    // Changes that undo one another, and carriage returns, which the firmware passes over, leave a right command.
    if (!right.equals(Buffer.from(wrong.filter((byte) => byte !== 13)))) return Buffer.from(wrong)
  }
}

function garbled(bytes: number[], random: ReturnType<typeof createRandom>): number[] {
  for (let n = 1 + random.integer(4); n > 0; n--) {
    const at = random.integer(bytes.length - 1)
    const how = random.integer(3)
    if (how === 0) bytes[at] = (bytes[at]! + 1 + random.integer(255)) & 0xff
    else if (how === 1) bytes.splice(at, 1)
    else bytes.splice(at, 0, bytes[at]!)
  }
  return bytes
}
