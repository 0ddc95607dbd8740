/**
 * A command and its answer. Every command is followed by a narrow `getProperties` for the same property. A driver answers
 * it with a definition after it has handled the command, so a command that the driver ignores (an unknown name, Dec 120)
 * ends at once and an Alert that follows an Ok is not missed.
 */
import type { Clock } from '../clock.ts'
import { failure, type Outcome } from '../outcome.ts'
import type { ClientEvent, IndiClient, SetOptions } from './client.ts'
import { judgeValues, type Values } from './command.ts'
import type { NewMessage } from './messages.ts'
import { type Change, findProperty, lastWords } from './properties.ts'
import type { Watcher } from './watching.ts'

export interface Commanding {
  readonly client: Pick<IndiClient, 'state' | 'send' | 'readBack'>
  readonly clock: Clock
  readonly watcher: Watcher
}

/**
 * A server gives every client the definitions that any of them asked for: one that another client asked for before our
 * command may come after it and look like a refusal. One that no Alert explains is believed only after this long.
 */
const believedMs = 500
const lookAgainMs = 250

/** Sends and reads back until the judge decides. */
export function runCommand(
  { client, clock, watcher }: Commanding,
  message: NewMessage,
  values: Values,
  options: SetOptions & { readonly timeoutMs: number },
): Promise<Outcome> {
  const { device, name } = message
  const { judge = judgeValues, timeoutMs, signal } = options
  const sentAtMs = clock.now()
  const sentAt = clock.monotonic()
  const late = failure(`${device}.${name} was not done within ${Math.round(timeoutMs / 1000)} s`)
  let answers = 0
  const outcome = watcher.watch<Outcome>(timeoutMs, late, signal, (event) => {
    if (event.type === 'closed') return failure('the connection to the server was lost')
    if (event.type === 'deviceLost' && event.device === device) return failure(`${device} was lost`)
    if (!isAbout(event, device, name)) return undefined
    if (event.type === 'deleted') return failure(`${device} took ${name} away`)
    if (event.type === 'defined') answers++
    const now = findProperty(client.state, device, name)
    if (!now || answers === 0) return undefined
    const verdict = judge(now, values)
    if (verdict === 'wait') return undefined
    if (verdict === 'done') return { ok: true }
    if (now.state !== 'Alert' && clock.monotonic() - sentAt < believedMs) {
      void clock.sleep(lookAgainMs).then(() => client.readBack(device, name))
      return undefined
    }
    const words = lastWords(client.state, device, sentAtMs)
    return failure(words ? `${words} (${verdict.refused})` : verdict.refused)
  })
  client.send(message)
  client.readBack(device, name)
  return outcome
}

function isAbout(event: ClientEvent, device: string, name: string): event is Change & { device: string; name: string } {
  return 'device' in event && 'name' in event && event.device === device && event.name === name
}
