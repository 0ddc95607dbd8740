import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { describe, expect, it } from 'vitest'
import { type Command, commands, load, main } from './main.ts'

async function run(argv: string[], command?: Partial<Command>, debug = false) {
  let out = ''
  let err = ''
  const status = await main(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    debug,
    load: async () => ({ help: 'Usage: nightjar diff', run: async () => 0, ...command }),
  })
  return { status, out, err }
}

const failing = (error: unknown): Partial<Command> => ({
  run: async () => {
    throw error
  },
})

describe('the command line', () => {
  it('lists every command for --help and, as a wrong call, for nothing at all', async () => {
    const asked = await run(['--help'])
    expect(asked.status).toBe(0)
    for (const name of Object.keys(commands)) expect(asked.out).toContain(`  ${name} `)
    expect((await run([])).status).toBe(2)
  })

  it('names the commands that exist when it is given one that does not', async () => {
    const result = await run(['dif'])
    expect(result.status).toBe(2)
    expect(result.err).toMatch(/^nightjar: unknown command "dif"; there are: start, diff,.*\n$/)
  })

  it('does not take a word of Object.prototype for a command', async () => {
    expect((await run(['toString'])).status).toBe(2)
  })

  it("prints a command's own help and does not run it", async () => {
    const result = await run(['diff', '--help'], failing(new Error('ran')))
    expect(result).toEqual({ status: 0, out: 'Usage: nightjar diff\n', err: '' })
  })

  it('passes the arguments on and returns the status of the command', async () => {
    const seen: string[][] = []
    const result = await run(['diff', 'a.fits', '--json'], {
      run: async (argv) => {
        seen.push(argv)
        return 3
      },
    })
    expect(seen).toEqual([['a.fits', '--json']])
    expect(result.status).toBe(3)
  })

  it('says in one line what is wrong with the input', async () => {
    const result = await run(['diff'], failing(new NightjarError('fits/truncated', 'a.fits: 2880 bytes missing')))
    expect(result).toEqual({ status: 1, out: '', err: 'nightjar diff: a.fits: 2880 bytes missing\n' })
  })

  it('says where to go with a defect, without a stack unless it is asked for', async () => {
    const quiet = await run(['diff'], failing(new TypeError('x is undefined\n    at somewhere')))
    expect(quiet.status).toBe(1)
    expect(quiet.err).toMatch(/^nightjar diff: x is undefined \(.*NIGHTJAR_DEBUG=1.*\)\n$/)
    const loud = await run(['diff'], failing(new TypeError('x is undefined')), true)
    expect(loud.err).toContain('main.test.ts')
  })

  it('tells a wrong call from a failure', async () => {
    expect((await run(['diff'], failing(new NightjarError('cli/usage', 'name two images')))).status).toBe(2)
  })

  it('takes a wrong option for a wrong call', async () => {
    const wrong = Object.assign(new TypeError("Unknown option '--jsn'"), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' })
    expect(await run(['diff'], failing(wrong))).toEqual({
      status: 2,
      out: '',
      err: "nightjar diff: Unknown option '--jsn'\n",
    })
  })
})

describe('each listed command', () => {
  it.each(Object.keys(commands))('%s exists and documents itself', async (name) => {
    const command = await load(name)
    expect(command.help).toMatch(new RegExp(`^Usage: nightjar ${name}\\b`))
    expect(command.run).toBeTypeOf('function')
  })
})
