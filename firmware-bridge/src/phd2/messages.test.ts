import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import { decodeMessage, encodeRequest, longestRequestBytes } from './messages.ts'
import { initialState, reducePhd2, rmsPixels, windowSteps } from './state.ts'

describe('a line of PHD2', () => {
  // Printed in PHD2's wiki, "EventMonitoring", and in logs of its users.
  it('is an event', () => {
    const step =
      '{"Event":"GuideStep","Timestamp":1474237558.050,"Host":"MAIN","Inst":1,"Frame":11,"Time":11.471,"Mount":"On Camera","dx":0.1,"dy":0.2,"RADistanceRaw":-0.3,"DECDistanceRaw":0.4,"StarMass":56546,"SNR":32.1}'
    expect(decodeMessage(step)).toEqual({
      type: 'event',
      event: { name: 'GuideStep', raPixels: -0.3, decPixels: 0.4 },
    })
    expect(decodeMessage('{"Event":"SettleDone","Status":0}')).toEqual({
      type: 'event',
      event: { name: 'SettleDone', error: undefined },
    })
    expect(
      decodeMessage('{"Event":"SettleDone","Status":1,"Error":"timed-out waiting for guider to settle"}'),
    ).toMatchObject({ event: { error: 'timed-out waiting for guider to settle' } })
    expect(decodeMessage('{"Event":"AppState","State":"LostLock"}')).toMatchObject({ event: { state: 'LostLock' } })
  })

  it('is a reply or a refusal', () => {
    expect(decodeMessage('{"jsonrpc":"2.0","result":0,"id":42}')).toEqual({ type: 'reply', id: 42, result: 0 })
    expect(decodeMessage('{"jsonrpc":"2.0","error":{"code":1,"message":"no star"},"id":42}')).toEqual({
      type: 'refusal',
      id: 42,
      reason: 'no star',
    })
    expect(decodeMessage('{"jsonrpc":"2.0","error":{"code":-32700,"message":"bad"},"id":null}')).toMatchObject({
      type: 'refusal',
      id: undefined,
    })
  })

  it('may hold control characters, which PHD2 does not escape', () => {
    expect(decodeMessage('{"Event":"Alert","Msg":"dark\tlibrary","Type":"warning"}')).toMatchObject({
      event: { text: 'dark library' },
    })
  })

  it('is nothing when it is broken or unknown', () => {
    for (const line of ['', '{', '[]', 'null', '{"Event":"GuideStep","RADistanceRaw":"x"}', '{"Event":"New"}', '{}']) {
      expect(decodeMessage(line)).toBeUndefined()
    }
  })

  it('in 300,000 bytes of noise between real pieces is read without a throw, and the state stays a state', () => {
    const random = createRandom('phd2 noise')
    const pieces = [
      '{"Event":"GuideStep","RADistanceRaw":0.1,"DECDistanceRaw":0.2}',
      '{"Event":"SettleDone","Status":',
      '{"Event":"Alert","Msg":"x","Type":"error"}',
      '{"result":0,"id":1}',
      '"Event":',
      '\r\n',
      '\n',
      '\n',
      '\n',
      '{',
      '}',
    ]
    let state = initialState
    let events = 0
    const splitter = createLineSplitter({
      longestBytes: 1_000,
      onLine(line) {
        const message = decodeMessage(line)
        if (message?.type !== 'event') return
        events++
        state = reducePhd2(state, message.event)
      },
    })
    for (let sent = 0; sent < 300_000; ) {
      const noise = random.integer(3) === 0 ? String.fromCharCode(random.integer(256), random.integer(256)) : ''
      const bytes = Buffer.from((pieces[random.integer(pieces.length)] ?? '') + noise, 'latin1')
      splitter.push(bytes)
      sent += bytes.length
    }
    expect(events).toBeGreaterThan(100)
    expect(state.steps.length).toBeLessThanOrEqual(windowSteps)
  })
})

describe('a request to PHD2', () => {
  it('is one line, short enough for PHD2', () => {
    const params = [10, false, { pixels: 1.5, time: 8, timeout: 30 }]
    const bytes = encodeRequest(42, 'dither', params)
    // As PHD2's own source gives the example.
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({ method: 'dither', params, id: 42 })
    expect(Buffer.from(bytes).toString().endsWith('\r\n')).toBe(true)
    expect(bytes.length).toBeLessThan(longestRequestBytes)
  })
})

describe('the guiding’s root mean square', () => {
  it('is over the last hundred steps', () => {
    let state = initialState
    expect(rmsPixels(state)).toBeUndefined()
    for (let count = 0; count < windowSteps; count++) {
      state = reducePhd2(state, { name: 'GuideStep', raPixels: 100, decPixels: 0 })
    }
    for (let count = 0; count < windowSteps; count++) {
      state = reducePhd2(state, { name: 'GuideStep', raPixels: 3, decPixels: -4 })
    }
    expect(rmsPixels(state)).toBeCloseTo(5, 12)
    expect(state.steps).toHaveLength(windowSteps)
  })
})
