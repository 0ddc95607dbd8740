/**
 * One indiserver for each group of drivers (mount, camera, roof …), each in a network namespace of its own and started,
 * watched and started again by us: a camera driver that crashes, or takes its whole server along, leaves the mount alone.
 *
 * Three steps of recovery, each with a budget: indiserver starts a driver again that has died; the relay starts a server
 * again that has died (`indiserverRelay.ts`); and here the relay is started again, or a group is given up until somebody
 * asks for it with `restartGroup`.
 */
import type { Clock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { backoffMs, defaultBackoff } from '../wire/reconnect.ts'
import type { Connect } from '../wire/wire.ts'
import { type ClientEvent, type ClientOptions, createIndiClient } from './client.ts'
import { type IndiClients, mergeIndiClients } from './clients.ts'
import {
  type Indiserver,
  type IndiserverEvent,
  type IndiserverOptions,
  type RestartLimits,
  restartLimits,
  startIndiserver,
} from './indiserver.ts'
import { findProperty, findText } from './properties.ts'

export interface DriverGroupPlan extends Pick<IndiserverOptions, 'env' | 'path' | 'homeFolder'> {
  /** `mount`, `camera`, `roof`. */
  readonly name: string
  /** `tcp` by default; `attached` is worth its thread where large frames come. */
  readonly blobs?: 'attached' | 'tcp'
  readonly drivers: readonly DriverPlan[]
}

export interface DriverPlan {
  /** Program on PATH, or its path. */
  readonly program: string
  /** Names of its devices, for a driver that does not tell its program in `DRIVER_INFO`. */
  readonly devices?: readonly string[]
}

export interface DriverGroupsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly restart?: Partial<RestartLimits>
  readonly client?: Pick<ClientOptions, 'limits' | 'timing' | 'backoff'>
  /** Seen by the wires of each group: a tap, a tape. */
  readonly wrap?: (group: string, connect: Connect) => Connect
  readonly onEvent?: (event: DriverGroupEvent) => void
}

export type DriverGroupEvent =
  | { readonly type: 'server'; readonly group: string; readonly event: IndiserverEvent }
  | { readonly type: 'groupStarted'; readonly group: string }
  | { readonly type: 'groupEnded'; readonly group: string; readonly reason: string }
  | { readonly type: 'groupGivenUp'; readonly group: string; readonly reason: string }
  | { readonly type: 'driverRestarted'; readonly group: string; readonly program: string; readonly device: string }

export interface DriverGroupState {
  readonly name: string
  readonly drivers: readonly string[]
  readonly devices: readonly string[]
  readonly state: 'starting' | 'running' | 'waiting' | 'givenUp' | 'stopped'
  /** Deaths of the server and of its relay since the start. */
  readonly deaths: number
  /** Of the latest death. */
  readonly reason: string | undefined
  /** When the state was entered, Unix ms UTC. */
  readonly sinceMs: number
}

export interface DriverGroups extends AsyncDisposable {
  /** Every device of every group. */
  readonly client: IndiClients
  state(): readonly DriverGroupState[]
  /** Stops the device's driver, by force if it hangs, starts it and waits until the device is there again. */
  restartDriver(device: string): Promise<Outcome>
  /** Ends the group's server with all its drivers and starts it anew; also one that was given up. */
  restartGroup(name: string): Promise<Outcome>
  /** Process group of the relay, the server and the drivers; undefined while there is none. */
  processGroup(name: string): number | undefined
}

/** How long a driver may take to end when asked, then when killed; to start; and to define its device. */
const driverStopMs = 2_000
const driverKillMs = 1_000
const driverStartMs = 5_000
const deviceReadyMs = 15_000
const groupReadyMs = 20_000
const pollMs = 20

/** Starts all groups; resolves when each runs. Throws what `startIndiserver` throws, with nothing left behind. */
export async function startDriverGroups(
  plans: readonly DriverGroupPlan[],
  options: DriverGroupsOptions,
): Promise<DriverGroups> {
  const names = new Set(plans.map((plan) => plan.name))
  if (names.size !== plans.length) throw new NightjarError('indi/groups', 'two driver groups have the same name')
  const groups = plans.map((plan) => new Group(plan, options))
  const starts = await Promise.allSettled(groups.map((group) => group.start()))
  const failed = starts.find((start) => start.status === 'rejected')
  if (!failed) return new Groups(groups, options)
  await Promise.all(groups.map((group) => group.stop()))
  throw failed.reason
}

class Groups implements DriverGroups {
  readonly client: IndiClients
  readonly #groups: readonly Group[]
  readonly #options: DriverGroupsOptions
  /** Programs by device: known also while the device is lost. */
  readonly #programs = new Map<string, { readonly group: Group; readonly program: string }>()
  readonly #restarting = new Set<string>()

  constructor(groups: readonly Group[], options: DriverGroupsOptions) {
    this.#groups = groups
    this.#options = options
    const { clock, random, wrap = (_, connect) => connect } = options
    const clients = groups.map((group) => {
      const connect = wrap(group.name, group.connect)
      const client = createIndiClient(connect, { clock, random: random.fork(group.name), ...options.client })
      return [group.name, client] as const
    })
    this.client = mergeIndiClients(new Map(clients))
    this.client.listen((event) => this.#learn(event))
    for (const group of groups) {
      for (const { program, devices = [] } of group.drivers) {
        for (const device of devices) this.#programs.set(device, { group, program })
      }
    }
  }

  state(): readonly DriverGroupState[] {
    return this.#groups.map((group) => {
      const devices = [...this.#programs].filter(([, known]) => known.group === group).map(([device]) => device)
      return { ...group.state(), devices }
    })
  }

  processGroup(name: string): number | undefined {
    return this.#group(name)?.server?.processGroup
  }

  async restartGroup(name: string): Promise<Outcome> {
    const group = this.#group(name)
    return group ? group.restart() : failure(`there is no driver group ${name}`)
  }

  async restartDriver(device: string): Promise<Outcome> {
    const known = this.#programs.get(device)
    if (!known) return failure(`no driver of ${device} is known`)
    const { group, program } = known
    if (this.#restarting.has(program)) return failure(`${program} is being restarted already`)
    this.#restarting.add(program)
    try {
      return await this.#restartDriver(group, program, device)
    } finally {
      this.#restarting.delete(program)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await Promise.all(this.#groups.map((group) => group.stop()))
  }

  async #restartDriver(group: Group, program: string, device: string): Promise<Outcome> {
    const { server } = group
    if (!server) return failure(`the driver group ${group.name} is not running`)
    const before = new Set(server.driverProcesses(program))
    const stopped = await this.#stopDriver(server, program)
    if (!stopped.ok) return stopped
    // The device goes with its driver; what is defined after this is new.
    await this.client.waitFor((state) => (state.devices.has(device) ? undefined : true), driverKillMs)
    const started = server.order(`start ${program}`)
    if (!started.ok) return started
    const isNew = (): boolean => server.driverProcesses(program).some((pid) => !before.has(pid))
    if (!(await this.#until(isNew, driverStartMs))) return failure(`${program} did not start again`)
    const back = await this.client.waitFor((state) => findProperty(state, device, 'CONNECTION'), deviceReadyMs)
    if (!back) return failure(`${program} runs again, and ${device} has not come back`)
    this.#options.onEvent?.({ type: 'driverRestarted', group: group.name, program, device })
    return done
  }

  /** By an order, which also keeps indiserver from starting it again; one that hangs is killed. */
  async #stopDriver(server: Indiserver, program: string): Promise<Outcome> {
    const ordered = server.order(`stop ${program}`)
    if (!ordered.ok) return ordered
    const isGone = (): boolean => server.driverProcesses(program).length === 0
    if (await this.#until(isGone, driverStopMs)) return done
    for (const pid of server.driverProcesses(program)) kill(pid)
    if (await this.#until(isGone, driverKillMs)) return done
    return failure(`${program} does not end, not even by SIGKILL: it hangs in the kernel`)
  }

  async #until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options
    const startedAt = clock.monotonic()
    while (!condition()) {
      if (clock.monotonic() - startedAt >= timeoutMs) return false
      await clock.sleep(pollMs)
    }
    return true
  }

  #group(name: string): Group | undefined {
    return this.#groups.find((group) => group.name === name)
  }

  /** Drivers tell in DRIVER_INFO which program they are; a group's own list of devices comes first. */
  #learn(event: ClientEvent): void {
    if ((event.type !== 'defined' && event.type !== 'updated') || event.name !== 'DRIVER_INFO') return
    if (this.#programs.has(event.device)) return
    const executable = findText(this.client.state, event.device, 'DRIVER_INFO', 'DRIVER_EXEC')
    const group = this.#group(this.client.serverOf(event.device) ?? '')
    const driver = group?.drivers.find(({ program }) => program.split('/').at(-1) === executable)
    if (group && driver) this.#programs.set(event.device, { group, program: driver.program })
  }
}

/** One server: kept up within its budget, and reached wherever it is just now. */
class Group {
  readonly name: string
  readonly drivers: readonly DriverPlan[]
  readonly connect: Connect
  server: Indiserver | undefined
  readonly #plan: DriverGroupPlan
  readonly #options: DriverGroupsOptions
  readonly #limits: RestartLimits
  readonly #stop = new AbortController()
  readonly #deaths: number[] = []
  #state: DriverGroupState['state'] = 'starting'
  #sinceMs: number
  #deathCount = 0
  #reason: string | undefined
  #running: Promise<void> = Promise.resolve()
  /** Ends a wait or a given-up group early; set anew each time. */
  #asked = Promise.withResolvers<void>()

  constructor(plan: DriverGroupPlan, options: DriverGroupsOptions) {
    this.name = plan.name
    this.drivers = plan.drivers
    this.#plan = plan
    this.#options = options
    this.#limits = { ...restartLimits, ...options.restart }
    this.#sinceMs = options.clock.now()
    this.connect = (handlers, signal) => {
      if (this.server) return this.server.connect(handlers, signal)
      const reason = `the driver group ${this.name} is ${this.#state}: ${this.#reason ?? 'wait for it'}`
      return Promise.reject(new NightjarError('wire/connect', reason))
    }
  }

  state(): Omit<DriverGroupState, 'devices'> {
    const drivers = this.drivers.map((driver) => driver.program)
    const { name } = this
    return { name, drivers, state: this.#state, deaths: this.#deathCount, reason: this.#reason, sinceMs: this.#sinceMs }
  }

  /** The first start throws; later ones count against the budget. */
  async start(): Promise<void> {
    await this.#startServer()
    this.#running = this.#keep()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#asked.resolve()
    await this.server?.[Symbol.asyncDispose]()
    await this.#running
    this.#enter('stopped')
  }

  async restart(): Promise<Outcome> {
    const { clock } = this.#options
    this.#deaths.length = 0
    const before = this.server
    this.#asked.resolve()
    await before?.[Symbol.asyncDispose]()
    const startedAt = clock.monotonic()
    while (this.server === undefined || this.server === before) {
      if (this.#stop.signal.aborted) return failure('the driver groups are being stopped')
      if (clock.monotonic() - startedAt > groupReadyMs) {
        return failure(`the driver group ${this.name} did not start: ${this.#reason ?? 'no reason is known'}`)
      }
      await clock.sleep(pollMs)
    }
    return done
  }

  async #startServer(): Promise<void> {
    this.#enter('starting')
    const { drivers, name: _, ...options } = this.#plan
    const { clock, onEvent, restart } = this.#options
    this.server = await startIndiserver({
      blobs: 'tcp',
      ...options,
      ...(restart ? { restart } : {}),
      clock,
      drivers: drivers.map((driver) => driver.program),
      onEvent: (event) => {
        if (event.type === 'died') this.#died(event.reason)
        onEvent?.({ type: 'server', group: this.name, event })
      },
    })
    this.#enter('running')
    onEvent?.({ type: 'groupStarted', group: this.name })
  }

  async #keep(): Promise<void> {
    const { clock, random, onEvent } = this.#options
    for (let attempt = 0; !this.#stop.signal.aborted; ) {
      if (this.server) {
        const reason = await this.server.ended
        // What the relay has left behind goes too.
        await this.server[Symbol.asyncDispose]()
        this.server = undefined
        if (this.#stop.signal.aborted) return
        this.#died(reason)
        onEvent?.({ type: 'groupEnded', group: this.name, reason })
      }
      const asked = this.#asked.promise
      if (this.#isSpent()) {
        this.#enter('givenUp')
        onEvent?.({ type: 'groupGivenUp', group: this.name, reason: this.#reason ?? '' })
        await asked
      } else {
        this.#enter('waiting')
        const settled = new AbortController()
        const backoff = { ...defaultBackoff, firstMs: this.#limits.firstMs, longestMs: this.#limits.longestMs }
        const waited = clock.sleep(backoffMs(attempt++, random, backoff), settled.signal).catch(() => undefined)
        await Promise.race([waited, asked])
        settled.abort()
      }
      this.#asked = Promise.withResolvers()
      if (this.#stop.signal.aborted) return
      const startedAt = clock.monotonic()
      try {
        await this.#startServer()
        if (clock.monotonic() - startedAt >= this.#limits.stableMs) attempt = 0
      } catch (error) {
        this.#died(error instanceof Error ? error.message : String(error))
      }
    }
    // Stopped while it was starting.
    await this.server?.[Symbol.asyncDispose]()
  }

  #died(reason: string): void {
    const now = this.#options.clock.monotonic()
    this.#reason = reason
    this.#deathCount++
    this.#deaths.push(now)
    while (this.#deaths.length > 0 && now - this.#deaths[0]! > this.#limits.windowMs) this.#deaths.shift()
  }

  #isSpent(): boolean {
    return this.#deaths.length > this.#limits.most
  }

  #enter(state: DriverGroupState['state']): void {
    this.#state = state
    this.#sinceMs = this.#options.clock.now()
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has gone meanwhile.
  }
}
