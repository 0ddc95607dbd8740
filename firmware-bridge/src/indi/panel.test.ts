import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSimulatedFocuser } from '../simulators/focuser.ts'
import { memoryConnect } from '../wire/memory.ts'
import { parseTape } from '../wire/tape.ts'
import { createIndiClient, type IndiClient } from './client.ts'
import { createDecoder } from './decode.ts'
import { type PanelDevice, type PanelProperty, panelTree, setFromPanel } from './panel.ts'
import { emptyState, type IndiState, reduce } from './properties.ts'
import { createIndiServer } from './server.ts'

/** What Debian's camera and telescope simulators really said, see recordSimulators.ts. */
function recorded(): IndiState {
  const tape = parseTape(readFileSync(new URL('../../tapes/indi-simulators-1.9.9.jsonl', import.meta.url), 'utf8'))
  let state = emptyState
  const decoder = createDecoder({
    onMessage: (message) => {
      state = reduce(state, message, 1).state
    },
    onFault: () => undefined,
  })
  for (const entry of tape.entries) if (entry.direction === 'in') decoder.feed(entry.bytes)
  return state
}

const find = (device: PanelDevice | undefined, name: string): PanelProperty | undefined =>
  device?.groups.flatMap((group) => group.properties).find((property) => property.name === name)

describe('the generic property panel', () => {
  const tree = panelTree(recorded())
  const camera = tree.devices.find((device) => device.name === 'CCD Simulator')

  it('shows every property of Debian’s simulators in its group, safe to be sent as JSON', () => {
    expect(JSON.parse(JSON.stringify(tree))).toEqual(tree)
    expect(camera?.connected).toBe(true)
    expect(camera?.groups.reduce((sum, group) => sum + group.properties.length, 0)).toBe(65)
    // The survey of libindi 1.9.9 found these limits, formats and rules.
    expect(find(camera, 'CCD_EXPOSURE')).toMatchObject({
      kind: 'number',
      permission: 'rw',
      timeoutSeconds: 60,
      elements: [{ name: 'CCD_EXPOSURE_VALUE', format: '%5.2f', min: 0.01, max: 3600, step: 1 }],
    })
    expect(find(camera, 'CCD_FRAME_TYPE')).toMatchObject({ kind: 'switch', rule: 'OneOfMany' })
    expect(find(camera, 'CCD1')).toMatchObject({ kind: 'blob', permission: 'ro', elements: [{ name: 'CCD1' }] })
    const telescope = tree.devices.find((device) => device.name === 'Telescope Simulator')
    const coordinates = find(telescope, 'EQUATORIAL_EOD_COORD')
    expect(coordinates?.elements[0]?.shown).toMatch(/^\d+:\d\d:\d\d/)
  })

  it('says null for a number that is none, and no limits where there are none', () => {
    const state = reduce(
      emptyState,
      {
        type: 'def',
        kind: 'number',
        device: 'D',
        name: 'N',
        label: '',
        group: '',
        state: 'Ok',
        permission: 'rw',
        timeoutSeconds: 0,
        elements: [{ name: 'X', label: '', format: '', min: 0, max: -1, step: 0, value: Number.NaN }],
      },
      5,
    ).state
    expect(panelTree(state).devices[0]?.groups).toEqual([
      {
        name: 'Main',
        properties: [
          {
            name: 'N',
            label: 'N',
            kind: 'number',
            state: 'Ok',
            permission: 'rw',
            timeoutSeconds: 0,
            atMs: 5,
            elements: [{ name: 'X', label: 'X', value: null, shown: '—', format: '' }],
          },
        ],
      },
    ])
  })
})

describe('a change from the panel', () => {
  async function focuser(work: (client: IndiClient, clock: VirtualClock) => Promise<void>): Promise<void> {
    const clock = new VirtualClock(systemClock.now())
    const simulated = createSimulatedFocuser({ clock, startSteps: 50_000 })
    await using server = createIndiServer([simulated.device])
    const connect = memoryConnect((open) => server.accept(open))
    await using client = createIndiClient(connect, { clock, random: createRandom(1) })
    expect(await clock.run(client.connectDevice('Focuser Simulator'))).toEqual({ ok: true })
    await work(client, clock)
  }
  const change = (property: string, values: unknown): unknown => ({ device: 'Focuser Simulator', property, values })

  it('is sent when it fits, numbers also as text', async () => {
    await focuser(async (client, clock) => {
      const moved = setFromPanel(client, change('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: '51000' }))
      expect(await clock.run(moved)).toEqual({ ok: true })
      await clock.advance(120_000)
      const property = find(panelTree(client.state).devices[0], 'ABS_FOCUS_POSITION')
      expect(property?.elements[0]?.value).toBe(51_000)
    })
  })

  it.each([
    [null, 'a change is an object of device, property and values'],
    [{ device: 'Focuser Simulator' }, 'a change names its device and property'],
    [change('ABS_FOCUS_POSITION', [1]), 'values is an object by element'],
    [change('ABS_FOCUS_POSITION', {}), 'a change has 1 to 4096 values, not 0'],
    [change('NOPE', { A: 1 }), 'Focuser Simulator has no NOPE'],
    [change('CONNECTION', { CONNECT: 'On' }), 'Focuser Simulator.CONNECTION.CONNECT takes true or false'],
    [
      change('CONNECTION', { CONNECT: true, DISCONNECT: true }),
      'Focuser Simulator.CONNECTION: exactly one switch must be on, not 2',
    ],
    [
      change('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: 'far' }),
      'Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION takes a number',
    ],
    [
      change('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: 1e9 }),
      'Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION = 1000000000 is outside 0 to 100000',
    ],
    [change('ABS_FOCUS_POSITION', { toString: 3 }), 'Focuser Simulator.ABS_FOCUS_POSITION.toString does not exist'],
    [change('DRIVER_INFO', { DRIVER_NAME: 'x' }), 'Focuser Simulator.DRIVER_INFO is read-only'],
  ])('is refused with its reason: %j', async (wrong, reason) => {
    await focuser(async (client, clock) => {
      expect(await clock.run(setFromPanel(client, wrong))).toEqual({ ok: false, reason })
    })
  })
})
