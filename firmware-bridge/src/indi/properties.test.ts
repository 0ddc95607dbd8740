import { describe, expect, it } from 'vitest'
import type { DefNumber, IndiMessage } from './messages.ts'
import { type Change, emptyState, findNumber, findProperty, type IndiState, reduce } from './properties.ts'

function play(messages: readonly IndiMessage[], from: IndiState = emptyState): { state: IndiState; changes: Change[] } {
  let state = from
  const changes: Change[] = []
  messages.forEach((message, atMs) => {
    const reduced = reduce(state, message, atMs)
    state = reduced.state
    changes.push(...reduced.changes)
  })
  return { state, changes }
}

const gain: DefNumber = {
  type: 'def',
  kind: 'number',
  device: 'C',
  name: 'GAIN',
  label: '',
  group: '',
  state: 'Idle',
  permission: 'rw',
  timeoutSeconds: 60,
  elements: [{ name: 'G', label: 'gain', format: '%g', min: 0, max: 100, step: 1, value: 5 }],
}

describe('the property reducer', () => {
  it('defines, updates and deletes, and never changes the state that it was given', () => {
    const { state: first } = play([gain])
    const { state, changes } = play(
      [
        {
          type: 'set',
          kind: 'number',
          device: 'C',
          name: 'GAIN',
          state: 'Ok',
          elements: [{ name: 'G', value: 7, max: 50 }],
        },
        { type: 'delProperty', device: 'C', name: 'GAIN' },
      ],
      first,
    )
    expect(findNumber(first, 'C', 'GAIN', 'G')).toBe(5)
    expect(findProperty(state, 'C', 'GAIN')).toBeUndefined()
    expect(changes).toEqual([
      { type: 'updated', device: 'C', name: 'GAIN' },
      { type: 'deleted', device: 'C', name: 'GAIN' },
    ])
  })

  it('takes new limits from a set and keeps elements that the set leaves out', () => {
    const two = { ...gain, elements: [...gain.elements, { ...gain.elements[0]!, name: 'H', value: 9 }] }
    const { state } = play([
      two,
      { type: 'set', kind: 'number', device: 'C', name: 'GAIN', elements: [{ name: 'G', value: 7, max: 50 }] },
    ])
    expect(findProperty(state, 'C', 'GAIN')).toMatchObject({
      state: 'Idle',
      elements: [
        { name: 'G', value: 7, min: 0, max: 50 },
        { name: 'H', value: 9 },
      ],
    })
  })

  it('treats a second definition as an update that is not fresh', () => {
    const { state, changes } = play([gain, { ...gain, state: 'Busy' }])
    expect(changes).toEqual([
      { type: 'defined', device: 'C', name: 'GAIN', fresh: true },
      { type: 'defined', device: 'C', name: 'GAIN', fresh: false },
    ])
    expect(findProperty(state, 'C', 'GAIN')?.state).toBe('Busy')
  })

  it('ignores a set before its definition, of another kind, or of unknown elements', () => {
    const set = { type: 'set', device: 'C', name: 'GAIN' } as const
    expect(play([{ ...set, kind: 'number', elements: [{ name: 'G', value: 7 }] }])).toEqual({
      state: emptyState,
      changes: [],
    })
    const { state } = play([
      gain,
      { ...set, kind: 'text', elements: [{ name: 'G', value: 'x' }] },
      { ...set, kind: 'number', elements: [{ name: 'Z', value: 7 }] },
    ])
    expect(findNumber(state, 'C', 'GAIN', 'G')).toBe(5)
  })

  it('hands BLOBs on, even of an unknown property, and keeps none of their bytes', () => {
    const blob = { name: 'CCD1', format: '.fits', sizeBytes: 3, bytes: Uint8Array.of(1, 2, 3) }
    const { state, changes } = play([
      {
        type: 'set',
        kind: 'blob',
        device: 'C',
        name: 'CCD1',
        state: 'Ok',
        elements: [blob, { ...blob, bytes: new Uint8Array() }],
      },
    ])
    expect(changes).toEqual([{ type: 'blob', device: 'C', name: 'CCD1', state: 'Ok', blobs: [blob] }])
    expect(state.devices.size).toBe(0)
  })

  it('loses a whole device, or every device, with one message', () => {
    const other = { ...gain, device: 'T' }
    expect(play([gain, other, { type: 'delProperty', device: 'C' }]).changes.at(-1)).toEqual({
      type: 'deviceLost',
      device: 'C',
    })
    const { state, changes } = play([gain, other, { type: 'delProperty' }])
    expect(state.devices.size).toBe(0)
    expect(changes.slice(2)).toEqual([
      { type: 'deviceLost', device: 'C' },
      { type: 'deviceLost', device: 'T' },
    ])
  })
})
