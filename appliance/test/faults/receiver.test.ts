import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, it } from 'vitest'
import { startPostgres } from '../../src/central/startPostgres.ts'
import { hasPostgres, startTestCentral } from '../../src/central/testing/receivers.ts'
import { destinationOf, openSite } from '../../src/central/testing/site.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

interface Listening {
  readonly url: string
  readonly caPath: string
  readonly tokenPath: string
}

/** The real program, in its own process, to be killed. */
async function startProgram(folder: string, port: number) {
  const cli = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const args = [cli, 'central', '--data', folder, '--port', String(port)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    listening: JSON.parse(String(line)) as Listening,
    async kill() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** A wire to the receiver that can be made to swallow every answer. */
async function startWire(port: number) {
  let swallow = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => swallow || near.write(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    swallowAnswers(on: boolean) {
      swallow = on
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function storedAlerts(folder: string): { receipt: number; rev: number }[] {
  using database = new DatabaseSync(join(folder, 'central.sqlite'), { readOnly: true })
  return database.prepare('SELECT receipt, rev FROM alerts ORDER BY receipt').all() as {
    receipt: number
    rev: number
  }[]
}

describe('a receiver that dies between its commit and its receipt', () => {
  it('says later that it knows the alert, and has it once', async () => {
    using folder = temporaryFolder()
    const data = join(folder.path, 'central')
    let program = await startProgram(data, 0)
    const { url, caPath, tokenPath } = program.listening
    const port = Number(new URL(url).port)
    using wire = await startWire(port)
    const wired = {
      name: 'central',
      url: `https://127.0.0.1:${wire.port}/v1/alerts`,
      tokenFile: tokenPath,
      caFile: caPath,
    }
    await using site = openSite(join(folder.path, 'site'), 'Roof', wired)

    // A first alert goes through, so that the connection is up and no answer is due when answers stop coming.
    site.scored('f1', 1)
    await site.runUntilDelivered(10_000)
    wire.swallowAnswers(true)
    site.scored('f2', 3)
    const sending = site.run()
    const deadline = systemClock.monotonic() + 10_000
    while (storedAlerts(data).length < 4 && systemClock.monotonic() < deadline) await systemClock.sleep(10)
    await program.kill()
    await sending
    const committed = storedAlerts(data)
    expect(committed).toHaveLength(4)
    expect(site.store.alertCounts()).toEqual({ waiting: 3, delivered: 1, dead: 0 })

    wire.swallowAnswers(false)
    program = await startProgram(data, port)
    await site.runUntilDelivered(10_000)
    await program.kill()
    expect(storedAlerts(data)).toEqual(committed)
    const receipts = site.store.alerts(10).map(({ receipt }) => Number(receipt))
    expect(receipts.toSorted()).toEqual(committed.map(({ receipt }) => receipt))
  })
})

describe.skipIf(!hasPostgres)('PostgreSQL that is killed while alerts arrive', () => {
  it('has every acknowledged alert once when it is back', async () => {
    using folder = temporaryFolder()
    using databaseFolder = temporaryFolder()
    let postgres = await startPostgres(databaseFolder.path, systemClock)
    await using receiver = await startTestCentral(folder.path, postgres.url)
    await using site = openSite(join(folder.path, 'site'), 'Roof', destinationOf(receiver))
    const random = createRandom(9)
    const kills = 4
    let detections = 0
    for (let round = 1; round <= kills; round++) {
      site.scored(`f${round}`, 120)
      detections += 120
      const sending = site.run()
      await systemClock.sleep(random.next() * 250)
      process.kill(postgres.pid, 'SIGKILL')
      await sending
      postgres = await startPostgres(databaseFolder.path, systemClock)
      // Half of the time the next ones come before these are through.
      if (round % 2 === 0) await site.runUntilDelivered(30_000)
    }
    await site.runUntilDelivered(30_000)
    expect(site.store.alertCounts()).toEqual({ waiting: 0, delivered: detections, dead: 0 })
    expect(await receiver.central.storage.counts()).toEqual({ alerts: detections, objects: detections })
    await postgres[Symbol.asyncDispose]()
  }, 120_000)
})
