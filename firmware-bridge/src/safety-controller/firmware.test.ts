import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeLine } from './codec.ts'
import { type FirmwareBench, openedBench, openFirmwareBench } from './firmwareBench.ts'
import { buildHost, type FirmwareBuild, firmwarePackages, missingForFirmware, openFirmwareBuild } from './simavr.ts'

const missing = missingForFirmware()
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install ${firmwarePackages})`)

describe.skipIf(missing.length > 0)('the firmware in simavr', () => {
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

  it('wakes up with the motor off, says who it is, and moves nothing in its first 30 s', async () => {
    await using bench = await fresh()
    bench.chip.tell('ROOF 2000 500')
    await bench.run(29_900)
    expect(bench.chip.motor).toEqual([])
    expect(bench.lines).toContain('!BOOT 1 1.0.0 power defaults')
    await bench.run(200)
    expect(bench.since('closing', 0) / 1000).toBeCloseTo(30, 1)
    await bench.run(1_500)
    expect(bench.motor()).toBe('still')
    await bench.ask('HELLO 1')
    expect((await state(bench)).slice(0, 6)).toEqual(['closed', 'still', 'none', 'none', '04', '12'])
  })

  it('opens when told and stops at the end switch, with one run of the motor', async () => {
    await using bench = await opened()
    expect(bench.chip.motor.map((change) => change.motor)).toEqual(['opening', 'still'])
    const [started, stopped] = bench.chip.motor
    // 2 s of way and 30 ms to believe the switch.
    expect(stopped!.ms - started!.ms).toBeGreaterThanOrEqual(2_000)
    expect(stopped!.ms - started!.ms).toBeLessThan(2_060)
    expect((await state(bench)).slice(0, 3)).toEqual(['open', 'still', 'none'])
  })

  it('closes in rain without a word from the PC, and does not open again while it is wet', async () => {
    await using bench = await opened()
    const wetMs = bench.now()
    bench.chip.tell('PIN D2 1')
    await bench.run(3_000)
    const reactionMs = bench.since('closing', wetMs) - wetMs
    console.log(`rain: the motor closes after ${reactionMs.toFixed(0)} ms`)
    expect(reactionMs).toBeLessThan(100)
    expect((await state(bench)).slice(0, 5)).toEqual(['closed', 'still', 'none', 'none', '01'])
    expect(await bench.ask('OPEN')).toBe('? OPEN rain')
  })

  it('turns an opening roof round in rain, with both relays off for a second between', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    await bench.run(3_500)
    await bench.ask('OPEN')
    await bench.run(1_000)
    expect(bench.motor()).toBe('opening')
    const wetMs = bench.now()
    bench.chip.tell('PIN D2 1')
    await bench.run(200)
    bench.chip.tell('PIN D2 0')
    await bench.run(4_000)
    const stillMs = bench.since('still', wetMs)
    const breakMs = bench.since('closing', wetMs) - stillMs
    expect(breakMs).toBeGreaterThan(999)
    expect(breakMs).toBeLessThan(1_020)
    // A shower of 0.2 s is enough: what began is finished.
    expect((await state(bench)).slice(0, 2)).toEqual(['closed', 'still'])
  })

  it('closes 30 s after the last valid heartbeat; looking at its state does not count', async () => {
    await using bench = await opened()
    await bench.watchedFor(40_000)
    await bench.ask('HEART')
    const lastMs = bench.chip.heardMs.at(-1)!
    while (bench.now() < lastMs + 29_000) {
      await bench.ask('STATE')
      await bench.run(900)
    }
    expect(bench.motor()).toBe('still')
    await bench.run(2_000)
    const seconds = (bench.since('closing', lastMs) - lastMs) / 1000
    console.log(`lost heartbeat: the motor closes ${seconds.toFixed(3)} s after the last one`)
    expect(seconds).toBeGreaterThan(29.98)
    expect(seconds).toBeLessThanOrEqual(30.02)
    expect(await bench.ask('OPEN')).toBe('? OPEN silence')
  })

  it('takes a repeated heartbeat for none', async () => {
    await using bench = await opened()
    const startMs = bench.now()
    const stuck = encodeLine('@77 HEART')
    for (let n = 0; n < 35; n++) {
      await bench.wire.write(stuck)
      await bench.run(1_000)
    }
    expect(bench.since('closing', startMs) - startMs).toBeLessThan(31_000)
  })

  it('closes when the mains is lost for longer than 3 s, and switches the heaters off', async () => {
    await using bench = await opened()
    await bench.ask('DEW 1 40')
    await bench.ask('DEW 2 100')
    await bench.run(20)
    // Phase correct PWM on both outputs; 40 % of 255 is 102.
    expect(await bench.chip.ask('PWM')).toBe('a1 102 255')
    bench.chip.tell('PIN D3 1')
    await bench.run(2_500)
    bench.chip.tell('PIN D3 0')
    await bench.run(2_000)
    expect(bench.motor()).toBe('still')
    const lostMs = bench.now()
    bench.chip.tell('PIN D3 1')
    await bench.run(6_000)
    expect((bench.since('closing', lostMs) - lostMs) / 1000).toBeCloseTo(3, 0)
    expect(await bench.chip.ask('PWM')).toBe('a1 0 0')
    expect((await state(bench)).slice(0, 5)).toEqual(['closed', 'still', 'none', 'none', '02'])
    expect(await bench.ask('OPEN')).toBe('? OPEN mains')
  })

  it('moves neither way while the mount is not parked, and stops when it leaves its park', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    await bench.run(1_000)
    expect(bench.motor()).toBe('closing')
    const leftMs = bench.now()
    bench.chip.tell('PIN D4 1')
    await bench.run(100)
    expect(bench.since('still', leftMs) - leftMs).toBeLessThan(60)
    expect(await bench.ask('CLOSE')).toBe('? CLOSE park')
    expect(await bench.ask('OPEN')).toBe('? OPEN park')
    bench.chip.tell('PIN D2 1')
    await bench.watchedFor(20_000)
    expect(bench.motor()).toBe('still')
    expect((await state(bench)).slice(0, 5)).toEqual(['between', 'still', 'none', 'park', '01'])
    const parkedMs = bench.now()
    bench.chip.tell('PIN D4 0')
    await bench.run(2_000)
    expect(bench.since('closing', parkedMs) - parkedMs).toBeLessThan(60)
  })

  it('closes over an unparked mount only where the settings say so, and only after that much rain', async () => {
    await using bench = await opened()
    expect(await bench.ask('SET wet-s 8')).toBe('= SET wet-s 8 0 600 0')
    bench.chip.tell('PIN D4 1')
    const wetMs = bench.now()
    bench.chip.tell('PIN D2 1')
    await bench.run(11_000)
    const seconds = (bench.since('closing', wetMs) - wetMs) / 1000
    expect(seconds).toBeGreaterThanOrEqual(8)
    expect(seconds).toBeLessThan(8.1)
    expect((await state(bench))[0]).toBe('closed')
  })

  it('stops the motor by time-out when the end switch does not come, and stays stopped until it is told', async () => {
    await using bench = await opened()
    bench.chip.tell('SWITCH closed 0')
    await bench.ask('SET travel-s 5')
    const startMs = bench.now()
    await bench.ask('CLOSE')
    await bench.run(7_000)
    const seconds = (bench.since('still', startMs) - bench.since('closing', startMs)) / 1000
    console.log(`jammed end switch: the motor stops after ${seconds.toFixed(2)} s of 5`)
    expect(seconds).toBeCloseTo(5, 1)
    expect((await state(bench)).slice(0, 3)).toEqual(['between', 'still', 'motor-timeout'])
    bench.chip.tell('PIN D2 1')
    await bench.watchedFor(5_000)
    expect(bench.motor()).toBe('still')
    expect(await bench.ask('CLOSE')).toBe('? CLOSE fault')
    bench.chip.tell('SWITCH closed auto')
    expect(await bench.ask('CLEAR')).toBe('= CLEAR')
    await bench.run(1_000)
    expect((await state(bench)).slice(0, 3)).toEqual(['closed', 'still', 'none'])
  })

  it('stops the motor when the switch it should have left stays made', async () => {
    await using bench = await fresh()
    bench.chip.tell('ROOF 20000 0')
    bench.chip.tell('SWITCH closed 1')
    await bench.run(2_100)
    await bench.ask('HELLO 1')
    await bench.ask('HEART')
    await bench.ask('OPEN')
    await bench.watchedFor(8_000)
    expect((bench.since('still', 2_000) - bench.since('opening', 2_000)) / 1000).toBeCloseTo(5, 1)
    expect((await state(bench)).slice(0, 3)).toEqual(['closed', 'still', 'stuck-switch'])
  })

  it('stops the motor within 0.3 s of over-current, of either sign, but bears the inrush', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    // 12 A: 2.5 V - 12 × 0.1 V.
    bench.chip.tell('ADC 0 1300')
    await bench.run(400)
    bench.chip.tell('ADC 0 2200')
    await bench.run(500)
    expect(bench.motor()).toBe('closing')
    const jamMs = bench.now()
    bench.chip.tell('ADC 0 1300')
    await bench.run(500)
    const stopMs = bench.since('still', jamMs) - jamMs
    console.log(`over-current: the motor stops after ${stopMs.toFixed(0)} ms`)
    expect(stopMs).toBeGreaterThanOrEqual(200)
    expect(stopMs).toBeLessThan(300)
    const report = await state(bench)
    expect(report.slice(0, 3)).toEqual(['between', 'still', 'over-current'])
    expect(Number(report[7])).toBeGreaterThan(11_900)
    expect(Number(report[7])).toBeLessThan(12_100)
  })

  it('stops at once when both end switches are made, and the fault cannot be cleared before one opens', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    await bench.run(800)
    const bothMs = bench.now()
    bench.chip.tell('SWITCH open 1')
    bench.chip.tell('SWITCH closed 1')
    await bench.run(200)
    expect(bench.since('still', bothMs) - bothMs).toBeLessThan(60)
    expect((await state(bench)).slice(0, 3)).toEqual(['both', 'still', 'both-switches'])
    expect(await bench.ask('CLEAR')).toBe('? CLEAR fault')
    bench.chip.tell('SWITCH open auto')
    bench.chip.tell('SWITCH closed auto')
    await bench.run(100)
    expect(await bench.ask('CLEAR')).toBe('= CLEAR')
    expect(await bench.ask('CLOSE')).toBe('= CLOSE')
    await bench.run(2_500)
    expect((await state(bench)).slice(0, 3)).toEqual(['closed', 'still', 'none'])
  })

  it('does not believe a contact that bounces for less than 30 ms', async () => {
    await using bench = await opened()
    for (let n = 0; n < 20; n++) {
      bench.chip.tell('PIN D2 1')
      await bench.run(19)
      bench.chip.tell('PIN D2 0')
      await bench.run(30)
    }
    expect(bench.motor()).toBe('still')
  })

  it('ends safe after a brown-out in mid-move: motor off at once, nothing goes on, then the dead man closes', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    await bench.run(3_500)
    await bench.ask('OPEN')
    await bench.run(1_000)
    expect(bench.motor()).toBe('opening')
    const atMs = bench.now()
    bench.chip.tell('RESET brown-out')
    await bench.run(29_900)
    expect(bench.since('still', atMs)).toBe(atMs)
    expect(bench.motor()).toBe('still')
    expect(bench.lines).toContain('!BOOT 1 1.0.0 brown-out defaults')
    await bench.run(3_000)
    expect((bench.since('closing', atMs) - atMs) / 1000).toBeCloseTo(30, 1)
    expect(await bench.ask('STATE')).toBe('? STATE hello')
    expect(await bench.ask('OPEN')).toBe('? OPEN hello')
  })

  it('closes 2 s after a reset when it rains', async () => {
    await using bench = await opened()
    bench.chip.tell('RESET button')
    bench.chip.tell('PIN D2 1')
    const atMs = bench.now()
    await bench.run(3_000)
    expect((bench.since('closing', atMs) - atMs) / 1000).toBeCloseTo(2, 1)
  })

  it('is reset by its watchdog when its program hangs in mid-move, with the motor off', async () => {
    await using bench = await opened()
    await bench.ask('CLOSE')
    await bench.run(500)
    expect(bench.motor()).toBe('closing')
    const hangMs = bench.now()
    bench.chip.tell('HANG')
    await bench.run(1_000)
    const resetMs = bench.chip.resetsMs.at(-1)! - hangMs
    console.log(`hang: the watchdog resets after ${resetMs.toFixed(0)} ms, the motor is off`)
    // WDTO_500MS is 64 K cycles of a 128 kHz oscillator: 0.512 s (datasheet section 11.9.2).
    expect(resetMs).toBeGreaterThan(400)
    expect(resetMs).toBeLessThan(620)
    expect(bench.motor()).toBe('still')
    expect(await bench.ask('HELLO 1')).toBe('= HELLO 1 1.0.0 watchdog defaults')
  })

  it('holds automatic closing for a minute after STOP, and a second STOP does not make it longer', async () => {
    await using bench = await opened()
    bench.chip.tell('PIN D2 1')
    await bench.run(500)
    const stopMs = bench.now()
    await bench.ask('STOP')
    await bench.watchedFor(30_000)
    await bench.ask('STOP')
    await bench.watchedFor(33_000)
    expect((bench.since('closing', stopMs) - stopMs) / 1000).toBeCloseTo(60, 0)
  })

  it('reads its analogue inputs: 2.5 V is 25 °C, 512 of 1024', async () => {
    await using bench = await opened()
    bench.chip.tell('ADC 1 1000')
    bench.chip.tell('ADC 3 3900')
    await bench.run(2_000)
    const [outside, inside, humidity] = (await state(bench)).slice(8, 11).map(Number)
    // mV / 5000 × 1024 × 16
    // Two of the 1024 steps: simavr's converter has 1023.
    expect(Math.abs(outside! - 3276.8)).toBeLessThan(32)
    expect(Math.abs(inside! - 8192)).toBeLessThan(32)
    expect(Math.abs(humidity! - 12_779.5)).toBeLessThan(32)
  })
})
