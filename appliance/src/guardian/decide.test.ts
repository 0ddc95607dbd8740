import { describe, expect, it } from 'vitest'
import {
  type DaemonView,
  decideGuardian,
  type GuardianDecision,
  type GuardianMemory,
  type GuardianState,
  type InputView,
  type MountView,
  type RoofView,
} from './decide.ts'
import { defaultPolicy, type GuardianPolicy } from './policy.ts'

/** All combinations of the values given for each key. */
function* product<T extends Record<string, readonly unknown[]>>(axes: T): Generator<{ [K in keyof T]: T[K][number] }> {
  const names = Object.keys(axes)
  const lengths = names.map((name) => axes[name]?.length ?? 0)
  const at = names.map(() => 0)
  for (;;) {
    yield Object.fromEntries(names.map((name, i) => [name, axes[name]?.[at[i] ?? 0]])) as {
      [K in keyof T]: T[K][number]
    }
    let i = 0
    while (i < at.length && ++at[i]! >= lengths[i]!) at[i++] = 0
    if (i === at.length) return
  }
}

const nowMs = 1_000_000
const never = Number.POSITIVE_INFINITY
const alive: DaemonView = { link: 'open', beatAgeMs: 300, healthAgeMs: 300, processAlive: true }

const daemons: Record<string, DaemonView> = {
  alive,
  none: { link: 'none', beatAgeMs: never, healthAgeMs: never, processAlive: false },
  hung: { ...alive, beatAgeMs: 2001 },
  stuck: { ...alive, healthAgeMs: 10_001 },
  dead: { link: 'lost', beatAgeMs: 300, healthAgeMs: 300, processAlive: false },
  cut: { link: 'lost', beatAgeMs: 300, healthAgeMs: 300, processAlive: true },
  left: { link: 'left', beatAgeMs: 300, healthAgeMs: 300, processAlive: false },
}
const mounts: Record<string, MountView | undefined> = {
  none: undefined,
  parked: { ageMs: 50, parked: true, slewing: false, tracking: false },
  parkedBefore: { ageMs: 1_500, parked: true, slewing: false, tracking: false },
  parkedOnce: { ageMs: 3_001, parked: true, slewing: false, tracking: false },
  tracking: { ageMs: 50, parked: false, slewing: false, tracking: true },
  parking: { ageMs: 50, parked: false, slewing: true, tracking: false },
  lying: { ageMs: 50, parked: true, slewing: true, tracking: false },
  unheard: { ageMs: never, parked: false, slewing: false, tracking: false },
  nonsense: { ageMs: Number.NaN, parked: true, slewing: false, tracking: false },
}
const roofs: Record<string, RoofView | undefined> = {
  none: undefined,
  open: { ageMs: 50, position: 'open' },
  closed: { ageMs: 50, position: 'closed' },
  closedOnce: { ageMs: 3_001, position: 'closed' },
  opening: { ageMs: 50, position: 'opening' },
  closing: { ageMs: 50, position: 'closing' },
  unknown: { ageMs: 50, position: 'unknown' },
  unheard: { ageMs: never, position: 'unknown' },
}
const station: InputView = {
  name: 'station',
  ageMs: 500,
  limitMs: 60_000,
  required: true,
  tells: ['rain'],
  raining: false,
  unsafe: false,
}
const inputs: Record<string, readonly InputView[]> = {
  good: [station],
  rain: [{ ...station, raining: true }],
  stale: [{ ...station, ageMs: 60_001 }],
  silentOnRain: [{ ...station, raining: undefined }],
  optionalStale: [{ ...station, ageMs: 60_001, raining: true, required: false }],
}
const sensors = {
  none: undefined,
  down: { ageMs: 50, parked: true },
  up: { ageMs: 50, parked: false },
  mute: { ageMs: 50, parked: undefined },
} as const
const memories: Record<string, GuardianMemory> = {
  idle: {},
  begun: { closingSinceMs: nowMs - 1_000 },
  asked: { closingSinceMs: nowMs - 5_000, parkAskedMs: nowMs - 5_000, closeAskedMs: nowMs - 4_000 },
  askedLong: {
    closingSinceMs: nowMs - 130_000,
    parkAskedMs: nowMs - 21_000,
    closeAskedMs: nowMs - 11_000,
    killAskedMs: nowMs - 3_000,
  },
}
const policies: Record<string, GuardianPolicy> = {
  wait: defaultPolicy,
  anyway: { ...defaultPolicy, closeAnywayAfterMs: 120_000 },
  both: { ...defaultPolicy, parkedSignals: 'both', parkUnderClosedRoof: true },
  sensor: { ...defaultPolicy, parkedSignals: 'sensor' },
  serial: { ...defaultPolicy, mountPortIsDaemons: true },
}

function build(keys: {
  daemon: string
  mount: string
  roof: string
  input: string
  sensor: keyof typeof sensors
  memory: string
  policy: string
  young: boolean
  stopping: boolean
}): GuardianState {
  return {
    policy: policies[keys.policy]!,
    nowMs,
    startedMs: keys.young ? nowMs - 10_000 : 0,
    daemon: daemons[keys.daemon]!,
    mount: mounts[keys.mount],
    parkedSensor: sensors[keys.sensor],
    roof: roofs[keys.roof],
    inputs: inputs[keys.input]!,
    failed: { park: false, close: false },
    stopping: keys.stopping,
    memory: memories[keys.memory]!,
  }
}

const axes = {
  daemon: Object.keys(daemons),
  mount: Object.keys(mounts),
  roof: Object.keys(roofs),
  input: Object.keys(inputs),
  sensor: Object.keys(sensors) as (keyof typeof sensors)[],
  memory: Object.keys(memories),
  policy: Object.keys(policies),
  young: [true, false],
  stopping: [true, false],
}

/** Written from the rules, not from the code: what "the mount is down" may rest on. */
function isProvenDown(
  state: GuardianState,
  keys: { mount: string; sensor: string; policy: string; memory: string },
): boolean {
  if (keys.mount === 'none') return true
  const begunAgoMs = nowMs - (state.memory.closingSinceMs ?? nowMs)
  const mountSays = keys.mount === 'parked' || keys.mount === 'parkedBefore'
  const mountIsNew = mountSays && (state.mount?.ageMs ?? never) < begunAgoMs
  const sensorSays = keys.sensor === 'down' && 50 < begunAgoMs
  if (keys.policy === 'both') return mountIsNew && sensorSays
  if (keys.policy === 'sensor') return sensorSays && !['tracking', 'parking', 'lying'].includes(keys.mount)
  return mountIsNew
}

const isWell = (keys: { daemon: string; input: string; young: boolean; stopping: boolean }): boolean =>
  (keys.daemon === 'alive' || keys.daemon === 'cut' || (keys.daemon === 'none' && keys.young)) &&
  (keys.input === 'good' || keys.input === 'optionalStale') &&
  !keys.stopping

describe('the decision of the guardian, over every combination', () => {
  it('keeps every rule in every state', () => {
    let states = 0
    const broken: string[] = []
    for (const keys of product(axes)) {
      states++
      const state = build(keys)
      const decision = decideGuardian(state)
      for (const rule of brokenRules(state, decision, keys))
        broken.push(`${rule}: ${JSON.stringify(keys)} ${JSON.stringify(decision)}`)
      if (broken.length > 5) break
    }
    console.log(`decideGuardian: ${states} states`)
    expect(broken).toEqual([])
    expect(states).toBe(7 * 9 * 8 * 5 * 4 * 4 * 5 * 2 * 2)
  })
})

type Keys = Parameters<typeof build>[0]

function brokenRules(state: GuardianState, decision: GuardianDecision, keys: Keys): string[] {
  const types = decision.actions.map((action) => action.type)
  const close = decision.actions.find((action) => action.type === 'closeRoof')
  const kill = types.includes('killDaemon')
  const roofShut = keys.roof === 'closed' || keys.roof === 'none'
  const proven = isProvenDown(state, keys)
  const well = isWell(keys)
  const since = decision.memory.closingSinceMs
  const rules: Record<string, boolean> = {
    'the roof closes over a mount only in rain, by policy, after the wait':
      close?.overMount !== true ||
      (keys.policy === 'anyway' && keys.input === 'rain' && nowMs - (since ?? nowMs) >= 120_000),
    'the roof closes after the telescope': !close || close.overMount || proven,
    'a cause and an open roof are answered by closing': well || roofShut || decision.phase === 'closing',
    'a closing that began goes on':
      state.memory.closingSinceMs === undefined || roofShut || decision.phase === 'closing',
    'with the mount down, a close command is out':
      decision.phase !== 'closing' || !proven || roofShut || nowMs - (decision.memory.closeAskedMs ?? -never) < 10_000,
    'with the mount up, a park command is out, or the port is being taken':
      decision.phase !== 'closing' ||
      proven ||
      (keys.policy === 'serial' && state.daemon.processAlive) ||
      nowMs - (decision.memory.parkAskedMs ?? -never) < (['parking', 'lying'].includes(keys.mount) ? 180_000 : 20_000),
    'a hung daemon that holds the port is killed':
      !(
        keys.policy === 'serial' &&
        decision.phase === 'closing' &&
        !proven &&
        ['hung', 'stuck'].includes(keys.daemon)
      ) || nowMs - (decision.memory.killAskedMs ?? -never) < 2_000,
    'only a daemon that holds the port is killed': !kill || (keys.policy === 'serial' && state.daemon.processAlive),
    'a healthy daemon is killed only after its time':
      !kill || keys.daemon !== 'alive' || nowMs - (since ?? nowMs) >= 90_000,
    'no park while the daemon holds the port':
      !types.includes('park') || keys.policy !== 'serial' || !state.daemon.processAlive,
    'nothing is done when all is well':
      !well || state.memory.closingSinceMs !== undefined || (types.length === 0 && decision.phase === 'watching'),
    'roof and mount are not commanded together': !(close && !close.overMount && types.includes('park')),
    'the roof is stopped only when it closes on a mount that is up':
      !types.includes('stopRoof') || (keys.roof === 'closing' && ['tracking', 'parking', 'lying'].includes(keys.mount)),
    'the dead man is fed when all is well, or while the mount comes down':
      !decision.feed || well || !decision.mountDown,
    'the dead man is fed when all is well': !well || decision.feed,
    'the dead man runs out when the mount is down and the roof must close': well || !proven || !decision.feed,
    'the roof may open only when all is well and somebody is there':
      !decision.mayOpen ||
      (well && decision.phase === 'watching' && state.daemon.link !== 'none' && state.daemon.link !== 'left'),
    'it ends only when down': !types.includes('end') || roofShut,
    'every closing has its reason or its beginning':
      decision.phase !== 'closing' || !well || state.memory.closingSinceMs !== undefined,
    'a phase of down names its cause': decision.phase !== 'down' || decision.causes.length > 0,
  }
  return Object.keys(rules).filter((name) => !rules[name])
}

describe('a closing from beginning to end', () => {
  const open = build({
    daemon: 'alive',
    mount: 'tracking',
    roof: 'open',
    input: 'good',
    sensor: 'none',
    memory: 'idle',
    policy: 'wait',
    young: false,
    stopping: false,
  })

  it('parks first, closes when the mount has been read parked anew, and rests when the roof reads closed', () => {
    const silent = { ...open, daemon: daemons['hung']! }
    const first = decideGuardian(silent)
    expect(first.actions).toEqual([{ type: 'park', abortFirst: false }])
    const parking = decideGuardian({ ...silent, nowMs: nowMs + 8_000, mount: mounts['parking'], memory: first.memory })
    expect(parking.actions).toEqual([])
    const down = decideGuardian({ ...silent, nowMs: nowMs + 20_000, mount: mounts['parked'], memory: parking.memory })
    expect(down.actions).toEqual([{ type: 'closeRoof', overMount: false }])
    const again = decideGuardian({
      ...silent,
      nowMs: nowMs + 30_000,
      mount: mounts['parked'],
      roof: roofs['unknown'],
      memory: down.memory,
    })
    expect(again.actions).toEqual([{ type: 'closeRoof', overMount: false }])
    const closed = decideGuardian({
      ...silent,
      nowMs: nowMs + 31_000,
      mount: mounts['parked'],
      roof: roofs['closed'],
      memory: again.memory,
    })
    expect(closed.phase).toBe('down')
    expect(closed.memory.closingSinceMs).toBeUndefined()
  })

  it('aborts before it asks again a mount that stands still and is not parked', () => {
    const silent = { ...open, daemon: daemons['dead']! }
    const first = decideGuardian(silent)
    const second = decideGuardian({ ...silent, nowMs: nowMs + 20_000, memory: first.memory })
    expect(second.actions).toEqual([{ type: 'park', abortFirst: true }])
    const late = decideGuardian({ ...silent, nowMs: nowMs + 60_001, memory: second.memory })
    expect(late.alarms).toEqual(['the mount does not park: the roof stays as it is'])
  })

  it('gives a command that came to nothing again after 2 s', () => {
    const silent = { ...open, daemon: daemons['dead']! }
    const first = decideGuardian(silent)
    const failed = { park: true, close: false }
    expect(decideGuardian({ ...silent, nowMs: nowMs + 1_999, memory: first.memory, failed }).actions).toEqual([])
    const again = decideGuardian({ ...silent, nowMs: nowMs + 2_000, memory: first.memory, failed })
    expect(again.actions).toEqual([{ type: 'park', abortFirst: true }])
  })

  it('waits through a short loss of the mains and closes after a long one', () => {
    const supply: InputView = {
      name: 'ups',
      ageMs: 100,
      limitMs: 30_000,
      required: true,
      tells: ['mains'],
      mainsLost: true,
      unsafe: false,
    }
    const lost = { ...open, inputs: [station, supply] }
    const first = decideGuardian(lost)
    expect(first.causes).toEqual([])
    const back = decideGuardian({
      ...lost,
      inputs: [station, { ...supply, mainsLost: false }],
      nowMs: nowMs + 50_000,
      memory: first.memory,
    })
    expect(back.memory.mainsLostSinceMs).toBeUndefined()
    const long = decideGuardian({ ...lost, nowMs: nowMs + 60_001, memory: first.memory })
    expect(long.causes).toEqual([{ kind: 'mains', text: 'ups: the mains are lost' }])
  })

  it('lets the roof open only a quarter of an hour after rain', () => {
    const wet = decideGuardian({ ...open, roof: roofs['closed'], mount: mounts['parked'], inputs: inputs['rain']! })
    const dry = { ...open, roof: roofs['closed'], mount: mounts['parked'] }
    expect(decideGuardian({ ...dry, nowMs: nowMs + 899_999, memory: wet.memory }).mayOpen).toBe(false)
    expect(decideGuardian({ ...dry, nowMs: nowMs + 900_000, memory: wet.memory }).mayOpen).toBe(true)
  })

  it('stops a roof that closes on a mount which leaves its park position, and closes it when the mount is down again', () => {
    const silent = { ...open, daemon: daemons['hung']!, memory: memories['asked']!, roof: roofs['closing'] }
    const stopped = decideGuardian(silent)
    expect(stopped.actions.map((action) => action.type)).toEqual(['stopRoof'])
    const parked = decideGuardian({
      ...silent,
      nowMs: nowMs + 500,
      mount: mounts['parked'],
      roof: roofs['unknown'],
      memory: stopped.memory,
    })
    expect(parked.actions).toEqual([{ type: 'closeRoof', overMount: false }])
  })

  it('stops a mount that tracks under a closed roof with nobody there, and does not end', () => {
    const alone = {
      ...open,
      daemon: daemons['dead']!,
      roof: roofs['closed'],
      policy: { ...defaultPolicy, lingerMs: 0 },
    }
    const decision = decideGuardian(alone)
    expect(decision.actions).toEqual([{ type: 'stopMount' }])
    expect(decision.alarms).toEqual(['the mount is not down, under a closed roof'])
  })

  it('ends after its time alone, and at once when the daemon has said goodbye', () => {
    const down = { ...open, roof: roofs['closed'], mount: mounts['parked'] }
    const dead = decideGuardian({ ...down, daemon: daemons['dead']! })
    expect(dead.actions).toEqual([])
    const later = { ...down, daemon: daemons['dead']!, memory: dead.memory }
    expect(decideGuardian({ ...later, nowMs: nowMs + 599_999 }).actions).toEqual([])
    expect(decideGuardian({ ...later, nowMs: nowMs + 600_000 }).actions).toEqual([{ type: 'end' }])
    expect(decideGuardian({ ...down, daemon: daemons['left']! }).actions).toEqual([{ type: 'end' }])
  })
})

describe('a site whose devices obey, sooner or later', () => {
  const stepMs = 500
  const roofMs = 15_000
  const slewMs = 30_000

  /** Plays a site in steps; resolves to the events in order and when the roof was closed, Infinity if it never was. */
  function play(start: GuardianState, mountMs: number, deafParks: number) {
    const world = { ...start }
    const events: string[] = []
    let [parkedAtMs, closedAtMs, parks] = [never, never, 0]
    const begunMs = start.nowMs
    let memory: GuardianMemory = {}
    for (let nowMs = begunMs; nowMs < begunMs + 300_000; nowMs += stepMs) {
      // The slew that was under way at the beginning ends some day, whatever the mount makes of a park in the middle of it.
      if (nowMs >= begunMs + slewMs && parkedAtMs === never && world.mount?.slewing)
        world.mount = { ...world.mount, slewing: false, tracking: true }
      if (nowMs >= parkedAtMs && world.mount && !world.mount.parked) {
        world.mount = { ...world.mount, parked: true, slewing: false, tracking: false }
        if (world.parkedSensor) world.parkedSensor = { ...world.parkedSensor, parked: true }
        events.push('parked')
      }
      if (nowMs >= closedAtMs && world.roof?.position === 'closing') {
        world.roof = { ...world.roof, position: 'closed' }
        events.push('closed')
      }
      const decision = decideGuardian({ ...world, nowMs, memory })
      memory = decision.memory
      for (const action of decision.actions) {
        events.push(action.type)
        if (action.type === 'killDaemon') world.daemon = daemons['dead']!
        if (action.type === 'park' && parks++ >= deafParks && world.mount && !world.mount.parked) {
          world.mount = { ...world.mount, slewing: true, tracking: false }
          parkedAtMs = nowMs + mountMs
        }
        if (action.type === 'closeRoof' && world.roof && world.roof.position !== 'closing') {
          world.roof = { ...world.roof, position: 'closing' }
          closedAtMs = nowMs + roofMs
        }
      }
      if (decision.phase === 'down') return { events, downAfterMs: nowMs - begunMs }
    }
    return { events, downAfterMs: never }
  }

  it('comes down from every beginning, the roof after the telescope', () => {
    let plays = 0
    const axes = {
      daemon: ['alive', 'hung', 'stuck', 'dead', 'left'],
      input: ['good', 'rain', 'stale', 'silentOnRain'],
      mount: ['parked', 'tracking', 'parking'],
      roof: ['open', 'opening', 'unknown'],
      policy: ['wait', 'both', 'sensor', 'serial'],
      mountMs: [0, 20_000, 100_000],
      deafParks: [0, 2],
    } as const
    for (const keys of product(axes)) {
      if (keys.daemon === 'alive' && keys.input === 'good') continue
      plays++
      const parked = keys.mount === 'parked'
      const sensor = keys.policy === 'both' || keys.policy === 'sensor' ? (parked ? 'down' : 'up') : 'none'
      const state = build({ ...keys, sensor, memory: 'idle', young: false, stopping: false })
      const { events, downAfterMs } = play(state, keys.mountMs, keys.deafParks)
      const limitMs = keys.mountMs + roofMs + (keys.policy === 'serial' ? 95_000 : 5_000) + 90_000
      expect(downAfterMs, JSON.stringify({ keys, events })).toBeLessThan(limitMs)
      if (!parked) expect(events.indexOf('closeRoof')).toBeGreaterThan(events.indexOf('parked'))
    }
    console.log(`decideGuardian: ${plays} sites played to their end`)
  })
})
