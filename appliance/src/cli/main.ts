import { access } from 'node:fs/promises'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/** One sub-command: `cli/<name>.ts` exports these two and nothing needs to register it but the list below. */
export interface Command {
  /** Usage and options, printed by `nightjar <name> --help`. */
  readonly help: string
  /** Resolves to the exit status. */
  run(argv: string[]): Promise<number>
}

/** What `nightjar --help` lists, in the order in which a newcomer meets them. */
export const commands = {
  start: 'run the daemon, its panel and (unless told otherwise) a simulated observatory',
  diff: 'difference two FITS images and list what changed',
  calibrate: 'subtract bias and dark, divide by flat, propagate variance and masks',
  linearity: 'measure from flats how the camera departs from a straight line',
  stars: 'measure the stars of a FITS image',
  stack: 'align frames of one field and average them, without satellites and cosmic rays',
  solve: 'find where on the sky a FITS image points',
  photometry: 'draw the light curve of a star from a series of frames, with its transit',
  reference: 'list the references of the fields, or fetch one from an archive',
  ingest: 'take FITS files, here or in an archive, as frames',
  pack: 'pack the images of FITS files without loss, as fpack does',
  unpack: 'unpack tile-compressed FITS files',
  night: 'play a whole simulated night on a virtual clock',
  simulate: 'run the simulated observatory alone, for any INDI client',
  verify: 'check the journal and every stored file of a data folder',
  tape: 'record, replay and show what goes over a wire',
  guardian: 'run the process that parks and closes when the daemon cannot',
  central: 'run the central catalogue that receives alerts',
  bench: 'measure each room beside named peers',
} as const

type CommandName = keyof typeof commands

/** Where to go with something that is not the user's fault. */
const reportHint = 'this looks like a defect of Nightjar: run it again with NIGHTJAR_DEBUG=1 and report what it prints'

export function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  return `Usage: nightjar COMMAND [options]\n\n${lines.join('\n')}\n\n"nightjar COMMAND --help" tells more.\n`
}

/** Everything a command line may touch, so that a test can pass its own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly debug: boolean
  load(name: string): Promise<Command>
}

/** Runs one command line; resolves to the exit status: 0 done, 1 failed, 2 asked wrongly. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(overview())
    return name === undefined ? 2 : 0
  }
  if (!Object.hasOwn(commands, name)) {
    terminal.err(`nightjar: unknown command "${name}"; there are: ${Object.keys(commands).join(', ')}\n`)
    return 2
  }
  try {
    const command = await terminal.load(name as CommandName)
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(command.help.endsWith('\n') ? command.help : `${command.help}\n`)
      return 0
    }
    return await command.run(rest)
  } catch (error) {
    terminal.err(`nightjar ${name}: ${explain(error, terminal.debug)}\n`)
    return isUsageError(error) ? 2 : 1
  }
}

/** A command says `cli/usage`; `parseArgs` of node:util throws its own for an option that does not exist or lacks its value. */
function isUsageError(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false
  return error.code === 'cli/usage' || String(error.code).startsWith('ERR_PARSE_ARGS')
}

/** One line for people; the stack too when it was asked for. */
function explain(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return error.stack ?? error.message
  const message = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
  if (error instanceof NightjarError) return message
  if (isUsageError(error)) return message
  return `${message} (${reportHint})`
}

/** Loads the one file that a command needs: the others cost nothing. */
export async function load(name: string): Promise<Command> {
  const file = new URL(`./${name}.ts`, import.meta.url)
  await access(file).catch(() => {
    throw new NightjarError('cli/missing', `this copy of Nightjar lacks ${name}.ts: get a complete checkout`)
  })
  return (await import(file.href)) as Command
}

if (import.meta.main) {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  process.exitCode = await main(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    debug: Boolean(process.env.NIGHTJAR_DEBUG),
    load,
  })
}
