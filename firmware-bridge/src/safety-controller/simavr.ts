/**
 * The real firmware in simavr, for tests and tapes: built with Debian's gcc-avr, run by firmware/test/host.c with its UART
 * on a pseudo-terminal. Its time is counted in cycles of the chip and moves only when told.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock as clock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import { findProgram } from '../simulators/realPeers.ts'
import { connectSerial } from '../wire/serial.ts'
import type { Connect } from '../wire/wire.ts'

const run = promisify(execFile)
const sources = fileURLToPath(new URL('../../firmware/', import.meta.url))
const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror']
const chipFlags = ['-mmcu=atmega328p', '-Os', '-ffunction-sections', '-fdata-sections', '-I/usr/include/simavr/avr']
const linkFlags = ['-Wl,--gc-sections', '-Wl,--undefined=_mmcu,--section-start=.mmcu=0x910000']

export const firmwarePackages = 'gcc-avr avr-libc libsimavr-dev gcc libc6-dev'

/** What is missing to build and run the firmware here. */
export function missingForFirmware(): string[] {
  const programs = ['avr-gcc', 'gcc'].filter((name) => findProgram(name) === undefined)
  const files = ['/usr/include/simavr/sim_avr.h', '/usr/lib/avr/include/avr/io.h'].filter((path) => !existsSync(path))
  return [...programs, ...files]
}

export interface FirmwareBuild extends Disposable {
  /** A folder of its own, gone with the build. */
  readonly folder: string
  /** Compiles the firmware for the chip and gives the ELF file's path. */
  chip(name: string, defines?: readonly string[]): Promise<string>
  /** Compiles C files of firmware/ (or whole paths) for this machine and gives the program's path. */
  native(name: string, files: readonly string[], flags?: readonly string[]): Promise<string>
}

export function openFirmwareBuild(): FirmwareBuild {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-firmware-'))
  const inSources = (file: string): string => (file.startsWith('/') ? file : join(sources, file))
  return {
    folder,
    async chip(name, defines = []) {
      const path = join(folder, name)
      const files = readdirSync(sources).filter((file) => file.endsWith('.c'))
      const flags = [...chipFlags, ...warnings, ...defines.map((define) => `-D${define}`)]
      await run('avr-gcc', [...flags, ...files.map(inSources), ...linkFlags, '-o', path])
      return path
    },
    async native(name, files, flags = []) {
      const path = join(folder, name)
      await run('gcc', ['-O2', ...warnings, `-I${sources}`, ...files.map(inSources), ...flags, '-o', path])
      return path
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export const buildHost = (build: FirmwareBuild): Promise<string> =>
  build.native('host', ['test/host.c'], ['-I/usr/include/simavr', '-lsimavr'])

export interface MotorChange {
  readonly motor: 'still' | 'opening' | 'closing' | 'both'
  /** Milliseconds of the chip's time. */
  readonly ms: number
}

export interface Simavr extends AsyncDisposable {
  /** The pseudo-terminal of the UART. */
  readonly path: string
  /**
   * The serial port there. While it is open `run` waits for the bytes on their way through the kernel, in both directions,
   * so that the chip's time does not depend on how busy this machine is.
   */
  readonly connect: Connect
  /** Every change at the motor's pins. */
  readonly motor: readonly MotorChange[]
  /** When each line break reached the UART, ms. */
  readonly heardMs: readonly number[]
  /** When the chip reset itself, ms. */
  readonly resetsMs: readonly number[]
  /** Lets the chip run; resolves with its time, ms. */
  run(ms: number): Promise<number>
  /** Lets the chip go on by itself, so many times as fast as real time; 0 stops it. */
  free(factor: number): void
  /** A control line of host.c. */
  tell(line: string): void
  /** A control line that prints one line, and that line without its first word. */
  ask(line: 'PWM' | 'EEPROM'): Promise<string>
  kill(): Promise<void>
}

export async function startSimavr(host: string, elf: string): Promise<Simavr> {
  const child = spawn(host, [elf], { stdio: ['pipe', 'pipe', 'inherit'] })
  const motor: MotorChange[] = []
  const heardMs: number[] = []
  const resetsMs: number[] = []
  const waiting: {
    readonly word: string
    readonly resolve: (rest: string) => void
    readonly reject: (e: Error) => void
  }[] = []
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const fail = (): void => {
    for (const one of waiting.splice(0)) one.reject(new NightjarError('simavr/ended', 'the simulated chip has ended'))
  }
  void ended.then(fail)

  const answerOf = (word: string): Promise<string> =>
    new Promise((resolve, reject) => waiting.push({ word, resolve, reject }))
  const tell = (line: string): void => void child.stdin.write(`${line}\n`)

  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word = '', ...rest] = line.split(' ')
    if (word === 'MOTOR') motor.push({ motor: rest[0] as MotorChange['motor'], ms: Number(rest[1]) })
    else if (word === 'HEARD') heardMs.push(Number(rest[0]))
    else if (word === 'RESET') resetsMs.push(Number(rest[0]))
    else {
      const index = waiting.findIndex((one) => one.word === word)
      const [found] = index < 0 ? [] : waiting.splice(index, 1)
      if (found) found.resolve(rest.join(' '))
      else if (word === 'CRASHED' || word === 'UNKNOWN') fail()
    }
  })

  const path = await answerOf('PTY')
  const counted = countBytes(connectSerial({ path, baudRate: 38_400 }))
  return {
    path,
    connect: counted.connect,
    motor,
    heardMs,
    resetsMs,
    tell,
    async run(ms) {
      await counted.written()
      tell(`EXPECT ${counted.out()}`)
      tell(`RUN ${ms}`)
      const [time, sent] = (await answerOf('DONE')).split(' ').map(Number)
      await counted.heard(sent ?? 0)
      return time ?? Number.NaN
    },
    free: (factor) => tell(`FREE ${factor}`),
    ask(line) {
      tell(line)
      return answerOf(line)
    },
    kill: () => kill(child, ended),
    [Symbol.asyncDispose]: () => kill(child, ended),
  }
}

/** Longest wait for bytes that the kernel has: they may also be lost, as when a port was opened late. */
const kernelMs = 500

function countBytes(connect: Connect) {
  let open = false
  let out = 0
  let heard = 0
  let writing: Promise<unknown> = Promise.resolve()
  const counted: Connect = async (handlers, signal) => {
    const wire = await connect(
      {
        onBytes(bytes) {
          heard += bytes.length
          handlers.onBytes(bytes)
        },
        onClose(reason) {
          open = false
          handlers.onClose(reason)
        },
      },
      signal,
    )
    open = true
    return {
      ...wire,
      write(bytes) {
        const written = wire.write(bytes)
        const counting = written.then(
          () => {
            out += bytes.length
          },
          () => undefined,
        )
        writing = Promise.all([writing, counting])
        return written
      },
    }
  }
  return {
    connect: counted,
    out: () => out,
    /** Resolves when every write is in the kernel. */
    written: () => writing,
    /** Resolves when so many bytes have been heard. */
    async heard(bytes: number): Promise<void> {
      const deadline = clock.monotonic() + kernelMs
      while (open && heard < bytes && clock.monotonic() < deadline) await clock.sleep(0)
    },
  }
}

async function kill(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
