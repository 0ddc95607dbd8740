import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { checkFlow, formatViolation, readSources } from './check-flow.ts'
import { staleDocuments } from './docs.ts'

/** `npm run check`: types, lint and format, svelte-check, the one-way flow, generated documents. Every one is run. */
export interface CheckResult {
  readonly name: string
  readonly passed: boolean
  /** What is wrong; empty when nothing is. */
  readonly output: string
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a program of node_modules on this Node. */
function tool(name: string, script: string, args: readonly string[]): Promise<CheckResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const child = spawn(process.execPath, [`${root}/node_modules/${script}`, ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    })
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', (error) => resolve({ name, passed: false, output: error.message }))
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString().trim()
      const passed = code === 0
      resolve({ name, passed, output: passed ? '' : output || `ended by ${signal ?? `exit status ${code}`}` })
    })
  })
}

function list(name: string, offences: readonly string[]): CheckResult {
  return { name, passed: offences.length === 0, output: offences.join('\n') }
}

/** All checks, in this order; `report` is called as each one ends. */
export async function runChecks(report: (result: CheckResult) => void): Promise<CheckResult[]> {
  const checks = [
    () => tool('types', 'typescript/lib/tsc.js', ['-p', '.', '--pretty', 'false']),
    () =>
      tool('lint and format', '@biomejs/biome/bin/biome', [
        'check',
        '--error-on-warnings',
        '--diagnostic-level=warn',
        '--max-diagnostics=50',
      ]),
    () =>
      tool('svelte-check', 'svelte-check/bin/svelte-check', [
        ...['--workspace', 'web', '--tsconfig', './tsconfig.json'],
        ...['--output', 'machine', '--fail-on-warnings'],
      ]),
    async () => list('one-way flow', checkFlow(readSources(root)).map(formatViolation)),
    async () => list('generated documents', await staleDocuments(root)),
  ]
  const results: CheckResult[] = []
  for (const check of checks) {
    const result = await check()
    results.push(result)
    report(result)
  }
  return results
}

export function printCheck({ name, passed, output }: CheckResult): void {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name}`)
  if (output) console.log(output.replaceAll(/^/gm, '       '))
}

if (import.meta.main) {
  const results = await runChecks(printCheck)
  process.exitCode = results.every((result) => result.passed) ? 0 : 1
}
