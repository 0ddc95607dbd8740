import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { printCheck, runChecks } from './check.ts'

/**
 * Runs the checks and then the tests, whatever the one says about the other, and closes with `N passed, N failed` (and
 * `, N skipped`) alone on the last line. With paths, runs only the tests below them. A check counts as a test.
 */
export interface Tally {
  readonly passed: number
  readonly failed: readonly string[]
  /** File → number of skipped tests. */
  readonly skipped: ReadonlyMap<string, number>
}

/** What is used of vitest's JSON report. */
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/**
 * Counts a report. A file that could not be loaded counts as one failure; so does a run that failed although no test did
 * (an error outside a test, a worker that died).
 */
export function tally(report: Report | undefined, exitCode: number | null, root: string): Tally {
  let passed = 0
  const failed: string[] = []
  const skipped = new Map<string, number>()
  for (const file of report?.testResults ?? []) {
    const path = relative(root, file.name)
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') failed.push(`${path} > ${test.fullName}`)
      else skipped.set(path, (skipped.get(path) ?? 0) + 1)
    }
    const blamed = file.assertionResults.some((test) => test.status === 'failed')
    if (file.status === 'failed' && !blamed) failed.push(`${path}: ${firstLine(file.message) || 'could not be run'}`)
  }
  if (exitCode !== 0 && failed.length === 0) failed.push(`the test run itself: vitest ended with status ${exitCode}`)
  return { passed, failed, skipped }
}

const firstLine = (text: string | undefined): string => text?.trim().split('\n')[0] ?? ''

/** `12 passed, 0 failed`, with `, 3 skipped` when there are any. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  const count = [...skipped.values()].reduce((sum, n) => sum + n, 0)
  return `${passed} passed, ${failed.length} failed${count > 0 ? `, ${count} skipped` : ''}`
}

const root = fileURLToPath(new URL('..', import.meta.url))

async function runTests(filters: readonly string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-test-'))
  const reportPath = join(folder, 'report.json')
  const args = ['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${reportPath}`, ...filters]
  const exitCode = await new Promise<number | null>((resolve) => {
    const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' },
    })
    vitest.on('close', resolve)
  })
  const report = existsSync(reportPath) ? (JSON.parse(readFileSync(reportPath, 'utf8')) as Report) : undefined
  rmSync(folder, { recursive: true, force: true })
  return tally(report, exitCode, root)
}

/** A filter may be a path from where the caller stands; vitest matches it from the root. */
function asFilter(argument: string): string {
  const path = resolve(argument)
  return !argument.startsWith('-') && existsSync(path) ? relative(root, path) || '.' : argument
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    console.log('Usage: scripts/test [PATH…]   everything, or only the tests below the paths')
    return 0
  }
  const checks = argv.length > 0 ? [] : await runChecks(printCheck)
  const tests = await runTests(argv.map(asFilter))
  const all: Tally = {
    passed: tests.passed + checks.filter((check) => check.passed).length,
    failed: [...checks.filter((check) => !check.passed).map((check) => `check: ${check.name}`), ...tests.failed],
    skipped: tests.skipped,
  }
  for (const [path, count] of all.skipped) console.log(`skipped: ${count} in ${path}`)
  for (const name of all.failed) console.log(`FAILED: ${name}`)
  console.log(closingLine(all))
  return all.failed.length > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
