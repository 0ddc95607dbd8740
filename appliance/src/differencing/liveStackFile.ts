import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Compute } from '../frames/compute.ts'
import type { LiveStack, LiveStackFacts, StackedFrame } from './liveStack.ts'

/**
 * A live stack on the disk, so that a restart continues it bit for bit: eight bytes that name the layout, the length of the
 * facts (uint32, little-endian), the facts as JSON, then the four planes as they are in memory (float32, little-endian).
 */
const magic = 'NJSTACK1'
const mostFactsBytes = 64 * 1024 * 1024
/** Of a plane written at once. */
const pieceBytes = 4 * 1024 * 1024

/** The bytes of the file, piece by piece; to be written beside the one before, and renamed. */
export function* liveStackBytes({ facts, mean, total, held, heldWeight }: LiveStack): Iterable<Uint8Array> {
  const text = Buffer.from(JSON.stringify(facts))
  const head = Buffer.alloc(12)
  head.write(magic, 'latin1')
  head.writeUInt32LE(text.length, 8)
  yield head
  yield text
  for (const { data } of [mean, total, held, heldWeight]) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
  }
}

/** The frames of the stack at `path`, without its planes; undefined as for `readLiveStack`. */
export function stackedFrames(path: string): readonly StackedFrame[] | undefined {
  const file = open(path)
  if (file === undefined) return undefined
  try {
    return readFacts(file)?.facts.frames
  } finally {
    closeSync(file)
  }
}

/** The stack at `path`, planes allocated from `compute`; undefined when there is none or it is not whole. */
export function readLiveStack(compute: Compute, path: string): LiveStack | undefined {
  const file = open(path)
  if (file === undefined) return undefined
  try {
    const facts = readFacts(file)
    return facts && readPlanes(compute, file, facts.position, facts.facts)
  } finally {
    closeSync(file)
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readFacts(file: number): { readonly facts: LiveStackFacts; readonly position: number } | undefined {
  const head = Buffer.alloc(12)
  if (!fill(file, head, 0) || head.toString('latin1', 0, 8) !== magic) return undefined
  const text = Buffer.alloc(Math.min(mostFactsBytes, head.readUInt32LE(8)))
  if (!fill(file, text, 12)) return undefined
  const position = 12 + text.length
  try {
    const facts = JSON.parse(text.toString()) as LiveStackFacts
    const isWhole = fstatSync(file).size === position + 16 * facts.width * facts.height
    return isWhole ? { facts, position } : undefined
  } catch {
    return undefined
  }
}

function readPlanes(compute: Compute, file: number, position: number, facts: LiveStackFacts): LiveStack | undefined {
  const { width, height } = facts
  const bytes = 4 * width * height
  const [mean, total, held, heldWeight] = [0, 1, 2, 3].map((k) => {
    const plane = compute.view(Float32Array, compute.allocate(bytes), width, height)
    const target = new Uint8Array(plane.data.buffer, plane.data.byteOffset, bytes)
    return fill(file, target, position + k * bytes) ? plane : undefined
  })
  return mean && total && held && heldWeight && { facts, mean, total, held, heldWeight }
}

/** False when the file ends before `target` is full. */
function fill(file: number, target: Uint8Array, position: number): boolean {
  for (let done = 0; done < target.length; ) {
    const read = readSync(file, target, done, target.length - done, position + done)
    if (read === 0) return false
    done += read
  }
  return true
}
