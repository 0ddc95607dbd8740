import { describe, expect, it } from 'vitest'
import { createDecoder, type DecodeLimits } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage, ProtocolFault } from './messages.ts'

interface Decoded {
  readonly messages: IndiMessage[]
  readonly codes: string[]
}

function decode(
  input: string | Uint8Array,
  limits: Partial<DecodeLimits> = {},
  chunk = Number.MAX_SAFE_INTEGER,
): Decoded {
  const messages: IndiMessage[] = []
  const faults: ProtocolFault[] = []
  const decoder = createDecoder({ onMessage: (m) => messages.push(m), onFault: (f) => faults.push(f) }, limits)
  const bytes = typeof input === 'string' ? Buffer.from(input) : input
  for (let at = 0; at < bytes.length; at += chunk) decoder.feed(bytes.subarray(at, at + chunk))
  return { messages, codes: faults.map((fault) => fault.code) }
}

const after = '<message device="D" message="still here"/>'
const stillHere = { type: 'message', device: 'D', message: 'still here' }

/** As a libindi 1.9.9 driver writes it to its standard output: single quotes, one attribute per line. */
const fromDriver = `
<defNumberVector
  device='CCD Simulator'
  name='CCD_EXPOSURE'
  label='Expose'
  group='Main Control'
  state='Idle'
  perm='rw'
  timeout='60'
  timestamp='2026-11-21T05:04:25'
>
  <defNumber
    name='CCD_EXPOSURE_VALUE'
    label='Duration (s)'
    format='%5.2f'
    min='0.010000000000000000208'
    max='3600'
    step='1'
  >
      1
  </defNumber>
</defNumberVector>`

describe('the INDI decoder', () => {
  it('reads what a driver writes, in any pieces', () => {
    for (const chunk of [1, 2, 7, 1000]) {
      expect(decode(fromDriver, {}, chunk).messages).toEqual([
        {
          type: 'def',
          kind: 'number',
          device: 'CCD Simulator',
          name: 'CCD_EXPOSURE',
          label: 'Expose',
          group: 'Main Control',
          state: 'Idle',
          permission: 'rw',
          timeoutSeconds: 60,
          timestamp: '2026-11-21T05:04:25',
          elements: [
            {
              name: 'CCD_EXPOSURE_VALUE',
              label: 'Duration (s)',
              format: '%5.2f',
              min: 0.01,
              max: 3600,
              step: 1,
              value: 1,
            },
          ],
        },
      ])
    }
  })

  it('takes a vector without device, name or limits, as Debian’s Receiver Simulator sends one', () => {
    const text =
      '<defNumberVector device="" name="" state="Ok" perm="ro"><defNumber name="">nan</defNumber></defNumberVector>'
    const [message] = decode(text).messages
    expect(message).toMatchObject({ device: '', name: '', elements: [{ name: '', value: Number.NaN, min: 0, max: 0 }] })
  })

  it('falls back to latin1 for bytes that are not UTF-8 and keeps control characters', () => {
    const text = (value: string, encoding: BufferEncoding): Buffer =>
      Buffer.from(`<setTextVector device="A" name="B"><oneText name="C">${value}</oneText></setTextVector>`, encoding)
    expect(decode(text('caf\xe9\x01', 'latin1')).messages).toMatchObject([{ elements: [{ value: 'caf\xe9\x01' }] }])
    expect(decode(text('café', 'utf8')).messages).toMatchObject([{ elements: [{ value: 'café' }] }])
  })

  it('resolves the five entities and no other', () => {
    const { messages } = decode('<message message="&lt;&gt;&amp;&quot;&apos;&#8364;&nbsp;"/>')
    expect(messages).toEqual([{ type: 'message', message: '<>&"\'&#8364;&nbsp;' }])
  })

  it('skips comments, processing instructions and text between messages', () => {
    expect(decode(`<?xml version='1.0'?> x <!-- don't > <message/> -- ->-->${after}`)).toEqual({
      messages: [stillHere],
      codes: [],
    })
  })

  it.each([
    ['a DOCTYPE', '<!DOCTYPE a SYSTEM "b">', ['indi/doctype']],
    ['a DOCTYPE with entities', '<!DOCTYPE a [<!ENTITY b "c">]>', ['indi/bad-tag', 'indi/doctype']],
    ['CDATA', '<setTextVector><oneText><![CDATA[x]]></oneText></setTextVector>', ['indi/doctype']],
    ['a closing tag that does not match', '<setTextVector name="x"></oneText>', ['indi/mismatched-tag']],
    ['an element that was cut off', '<setTextVector name="x"><oneText name="y">abc', ['indi/unclosed-element']],
    ['a tag that was cut off', '<setTextVector name="x" dev', ['indi/bad-tag']],
    ['an attribute that was cut off', '<setTextVector name="x', ['indi/bad-tag']],
    ['an attribute without quotes', '<setTextVector name=x></setTextVector>', ['indi/bad-tag']],
    [
      'nesting without end',
      '<a>'.repeat(40),
      ['indi/too-deep', 'indi/too-deep', 'indi/too-deep', 'indi/too-deep', 'indi/unclosed-element'],
    ],
    ['a tag without end', `<setTextVector name="${'x'.repeat(70_000)}"/>`, ['indi/token-too-long']],
    [
      'too many attributes',
      `<message ${Array.from({ length: 33 }, (_, i) => `a${i}=""`).join(' ')}/>`,
      ['indi/bad-tag'],
    ],
    ['a comment without end', `<!--${'x'.repeat(70_000)}`, ['indi/token-too-long']],
  ])('drops %s and goes on behind it', (_, broken, codes) => {
    expect(decode(broken + after)).toEqual({ messages: [stillHere], codes })
    expect(decode(broken + after, {}, 13)).toEqual({ messages: [stillHere], codes })
  })

  it('refuses more than 1 MiB of text and more than 4096 elements', () => {
    const vector = (body: string): string => `<setTextVector device="A" name="B">${body}</setTextVector>${after}`
    const long = vector(`<oneText name="C">${'x'.repeat(1_100_000)}</oneText>`)
    expect(decode(long, {}, 65_536)).toEqual({ messages: [stillHere], codes: ['indi/text-too-long'] })
    const many = vector('<oneText name="C"></oneText>'.repeat(4097))
    expect(decode(many)).toEqual({ messages: [stillHere], codes: ['indi/too-many-elements'] })
  })

  it('ignores elements that it does not know, with all that is in them', () => {
    const text = `<setThingVector><oneThing>x</oneThing></setThingVector>${after}`
    expect(decode(text)).toEqual({ messages: [stillHere], codes: [] })
  })
})

describe('a BLOB', () => {
  const vector = (attributes: string, content: string): string =>
    `<setBLOBVector device="C" name="CCD1" state="Ok"><oneBLOB name="CCD1" ${attributes}>${content}</oneBLOB></setBLOBVector>${after}`
  const content = Buffer.from('any carnal pleasure.')
  const base64 = 'YW55IGNhcm5hbCBwbGVhc3VyZS4='

  it.each([1, 3, 5, 1000])('is decoded from pieces of %i bytes with line breaks in it', (chunk) => {
    const text = vector('size="20" len="20" enclen="28" format=".fits"', `\n${base64.match(/.{1,7}/g)?.join('\r\n')}\n`)
    expect(decode(text, {}, chunk)).toMatchObject({
      messages: [{ elements: [{ format: '.fits', sizeBytes: 20, bytes: new Uint8Array(content) }] }, stillHere],
      codes: [],
    })
  })

  it('is cut to len: indiserver 1.9.9 pads compressed frames with zeros', () => {
    const padded = Buffer.concat([content, Buffer.alloc(1000)]).toString('base64')
    const { messages } = decode(vector('size="500" len="20" format=".fits.fz"', padded))
    expect(messages[0]).toMatchObject({ elements: [{ sizeBytes: 500, bytes: new Uint8Array(content) }] })
  })

  it('without len may be shorter than size only when it is compressed', () => {
    expect(decode(vector('size="500" format=".fits.z"', base64)).messages).toHaveLength(2)
    expect(decode(vector('size="500" format=".fits"', base64)).codes).toEqual(['indi/blob-truncated'])
  })

  it.each([
    ['that announces more than the limit', 'size="2000" len="2000"', base64, 'indi/blob-too-large'],
    ['that is shorter than announced', 'size="21" len="21"', base64, 'indi/blob-truncated'],
    ['that is far longer than announced', 'size="1" len="1"', 'AAAA'.repeat(1000), 'indi/blob-too-long'],
    ['that is not base64', 'size="20" len="20"', 'YW55*GNhcm5h', 'indi/base64'],
    ['that goes on after its padding', 'size="20" len="20"', 'YW5=YW55', 'indi/base64'],
  ])('%s is refused', (_, attributes, body, code) => {
    const limits = { blobBytes: 1000, blobSlackBytes: 100 }
    expect(decode(vector(attributes, body), limits)).toEqual({ messages: [stillHere], codes: [code] })
  })

  it('may be empty: INDIGO sends such while Busy', () => {
    expect(decode(vector('size="0" len="0" format=""', '')).messages).toHaveLength(2)
  })

  it('survives encoding and decoding at every length', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255)
      const message: IndiMessage = {
        type: 'set',
        kind: 'blob',
        device: 'C',
        name: 'CCD1',
        state: 'Ok',
        elements: [{ name: 'CCD1', format: '.bin', sizeBytes: length, bytes }],
      }
      expect(decode(encode(message), {}, 11).messages).toEqual([message])
    }
  })
})

describe('the INDI encoder', () => {
  const messages: IndiMessage[] = [
    { type: 'getProperties', version: '1.7', device: 'A "b"', name: '<c>' },
    { type: 'enableBLOB', device: 'A', name: 'CCD1', policy: 'Also' },
    { type: 'delProperty', device: 'A', name: 'B', timestamp: '2026-11-21T00:00:00', message: "it's gone" },
    { type: 'message', device: 'A', message: 'x & y' },
    { type: 'pingRequest', uid: '7' },
    { type: 'pingReply', uid: '7' },
    { type: 'new', kind: 'number', device: 'A', name: 'N', elements: [{ name: 'X', value: 0.1 + 0.2 }] },
    { type: 'new', kind: 'text', device: 'A', name: 'T', elements: [{ name: 'X', value: '' }] },
    {
      type: 'set',
      kind: 'number',
      device: 'A',
      name: 'N',
      state: 'Busy',
      timeoutSeconds: 5,
      elements: [{ name: 'X', value: -1e-9, min: -1, max: 1, step: 0.1 }],
    },
    {
      type: 'def',
      kind: 'switch',
      device: 'A',
      name: 'S',
      label: 'é',
      group: 'G',
      state: 'Alert',
      permission: 'rw',
      timeoutSeconds: 60,
      rule: 'AnyOfMany',
      elements: [
        { name: 'ON', label: 'on', value: true },
        { name: 'OFF', label: '', value: false },
      ],
    },
    {
      type: 'def',
      kind: 'light',
      device: 'A',
      name: 'L',
      label: '',
      group: '',
      state: 'Ok',
      elements: [{ name: 'X', label: '', value: 'Busy' }],
    },
  ]

  it('writes what the decoder reads back as it was', () => {
    expect(decode(Buffer.concat(messages.map(encode))).messages).toEqual(messages)
  })
})
