import { describe, expect, it } from 'vitest'
import { logLimits, queryLog } from './log.ts'
import type { IndiMessage } from './messages.ts'
import { emptyState, lastWords, reduce } from './properties.ts'

const say = (device: string | undefined, message: string): IndiMessage => ({
  type: 'message',
  ...(device === undefined ? {} : { device }),
  message,
  timestamp: '2026-11-21T05:04:25',
})

function heard(messages: readonly IndiMessage[]) {
  return messages.reduce((state, message, atMs) => reduce(state, message, atMs).state, emptyState)
}

describe('the message log', () => {
  it('keeps the latest lines of all and of each, so that a chatterbox does not push out the words of another', () => {
    const chatter = Array.from({ length: 2000 }, (_, i) => say('Camera', `[DEBUG] line ${i}`))
    const state = heard([say('Mount', '[ERROR] the limit switch is open'), ...chatter])
    expect(state.log).toHaveLength(logLimits.all)
    expect(queryLog(state, { device: 'Camera' })).toHaveLength(logLimits.each)
    expect(queryLog(state, { device: 'Camera', most: 1 })[0]).toMatchObject({ atMs: 2000, text: '[DEBUG] line 1999' })
    expect(queryLog(state, { device: 'Mount' })).toEqual([
      {
        atMs: 0,
        device: 'Mount',
        text: '[ERROR] the limit switch is open',
        level: 'error',
        timestamp: '2026-11-21T05:04:25',
      },
    ])
    expect(lastWords(state, 'Mount', 0)).toBe('[ERROR] the limit switch is open')
  })

  it('is asked by level and time, the words of the server under an empty name', () => {
    const state = heard([
      say('A', '[INFO] on'),
      say('B', '[WARNING] hot'),
      say(undefined, 'bye'),
      say('A', '[INFO] off'),
    ])
    expect(queryLog(state, { levels: ['warning', 'plain'] }).map(({ device }) => device)).toEqual(['B', ''])
    expect(queryLog(state, { sinceMs: 2 }).map(({ text }) => text)).toEqual(['bye', '[INFO] off'])
    expect(queryLog(state, { device: '' })).toHaveLength(1)
    expect(queryLog(state, { device: 'nobody' })).toEqual([])
  })

  it('remembers only so many devices', () => {
    const state = heard(Array.from({ length: 400 }, (_, i) => say(`D${i}`, 'hello')))
    expect(state.logs.size).toBe(logLimits.devices)
  })
})
