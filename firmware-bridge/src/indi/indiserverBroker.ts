/**
 * A thread of the relay: to each who connects to `brokerPath` it hands a socket that is joined to indiserver's own unix
 * socket. That one has an abstract name, which exists only inside of this network namespace; a socket once open works
 * anywhere. Who gets an empty connection has come while the server was down.
 */
import { closeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { acceptUnixSocket, connectUnixSocket, listenUnixSocket, sendWithDescriptors } from '../wire/unixSocket.ts'

const { brokerPath, unixName } = workerData as { readonly brokerPath: string; readonly unixName: string }
const listener = listenUnixSocket(brokerPath)

for (;;) {
  const asker = acceptUnixSocket(listener)
  if (asker === undefined) continue
  try {
    const socket = connectUnixSocket(`@${unixName}`)
    sendWithDescriptors(asker, new Uint8Array(1), [socket])
    closeSync(socket)
  } catch {
    // The asker sees an empty connection and comes again.
  }
  closeSync(asker)
}
