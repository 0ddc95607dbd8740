import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

const entry = fileURLToPath(new URL('./main.ts', import.meta.url))

/** Another `nightjar` command run beside this one; it ends when this process does, however that ends. */
export interface Child extends AsyncDisposable {
  /** The JSON of its first line. */
  readonly said: Readonly<Record<string, unknown>>
  readonly pid: number
}

/**
 * Starts `nightjar ARGS` and resolves with its first line. Throws `start/child` with what it said on stderr. With `outlives`
 * it is ended neither by our death nor by disposal: it has to know itself when it is no longer needed.
 */
export async function startChild(args: readonly string[], { outlives = false } = {}): Promise<Child> {
  // A group of its own: a signal to ours (Ctrl-C) must leave the simulated mount there to be parked.
  // setpriv (util-linux) has the kernel end the child when we are killed: nothing else survives kill -9 of a parent.
  const leash = outlives ? [] : ['--pdeathsig', 'KILL']
  const command = [...leash, process.execPath, '--disable-warning=ExperimentalWarning', entry, ...args]
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-2000)
  })
  const line = await firstLine(child)
  if (line === undefined) {
    throw new NightjarError(
      'start/child',
      `nightjar ${args[0]} did not start: ${complaint.trim() || 'it said nothing'}`,
    )
  }
  child.stdout.resume()
  if (outlives) {
    child.unref()
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as Socket).unref()
  }
  return {
    said: JSON.parse(line) as Record<string, unknown>,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (outlives || child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  const lines = createInterface({ input: child.stdout! })
  const failed = once(child, 'error').then(() => undefined)
  const ended = once(child, 'exit').then(() => undefined)
  const said = once(lines, 'line').then(([line]) => line as string)
  return Promise.race([said, ended, failed])
}
