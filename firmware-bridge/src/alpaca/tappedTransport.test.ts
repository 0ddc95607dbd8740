import { expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createTap } from '../wire/tap.ts'
import { tappedTransport } from './tappedTransport.ts'
import type { AlpacaRequest, AlpacaTransport } from './transport.ts'

const never = new AbortController().signal

it('shows requests, answers and what came to nothing, and changes none of them', async () => {
  const tap = createTap('alpaca', new VirtualClock(0))
  const answer = { status: 200, contentType: 'application/json', bytes: Buffer.from('{"Value":true}') }
  let works = true
  const server: AlpacaTransport = async () => {
    if (works) return answer
    throw new Error('nothing listens there')
  }
  const transport = tappedTransport(server, tap)
  const request: AlpacaRequest = {
    method: 'PUT',
    path: '/api/v1/dome/0/closeshutter',
    parameters: { ClientID: '7' },
    accept: 'application/json',
  }
  expect(await transport(request, never)).toBe(answer)
  works = false
  await expect(transport({ ...request, method: 'GET', parameters: {} }, never)).rejects.toThrow('nothing listens there')
  expect(tap.latest().map(({ what, text }) => [what, text])).toEqual([
    ['out', 'PUT /api/v1/dome/0/closeshutter ClientID=7'],
    ['in', '{"Value":true}'],
    ['out', 'GET /api/v1/dome/0/closeshutter'],
    ['in', 'no answer: nothing listens there'],
  ])
})
