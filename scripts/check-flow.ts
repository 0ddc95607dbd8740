import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * The rules of the house, checked: data flows down the list of rooms and imports point up it; each outside package has one
 * home; time and chance come from one file each; no default exports; no run-time import cycles.
 * `node scripts/check-flow.ts` prints `file:line: rule` for each offence.
 */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

export interface Violation {
  readonly path: string
  /** 1-based. */
  readonly line: number
  readonly message: string
}

/** The daemon's rooms in the order of the flow. `cli` and the files beside the rooms (main, notify) share the last place. */
export const rooms = [
  'contract',
  'frames',
  'store',
  'conditions',
  'observations',
  'preprocessing',
  'differencing',
  'detection',
  'curation',
  'catalog',
  'forwarding',
  'observatory',
  'guardian',
  'night',
  'server',
  'central',
  'simulation',
  'cli',
] as const

/** Where each outside package may be imported: prefixes of paths. Tests may use them all, and the test tools. */
const homes: Readonly<Record<string, readonly string[]>> = {
  serialport: ['firmware-bridge/src/wire/'],
  onvif: ['firmware-bridge/src/onvif/'],
  typebox: ['appliance/src/'],
  lowdb: ['appliance/src/store/'],
  'node:sqlite': ['appliance/src/store/', 'appliance/src/central/'],
  'astronomy-engine': ['appliance/src/observations/'],
  undici: ['appliance/src/forwarding/'],
  fastify: ['appliance/src/server/', 'appliance/src/central/'],
  '@fastify': ['appliance/src/server/', 'appliance/src/central/'],
  ws: ['appliance/src/server/'],
  sharp: ['appliance/src/server/'],
  selfsigned: ['appliance/src/server/', 'appliance/src/central/'],
  pg: ['appliance/src/central/'],
  koffi: ['appliance/src/notify.ts', 'firmware-bridge/src/wire/unixSocket.ts'],
  pino: ['appliance/src/cli/'],
  '@nightjar/web': ['appliance/src/server/', 'appliance/src/cli/'],
  svelte: ['web/'],
  '@sveltejs': ['web/', 'vitest.config.ts'],
  vite: ['web/', 'vitest.config.ts'],
  vitest: ['vitest.config.ts'],
  assemblyscript: ['scripts/'],
  typescript: ['scripts/'],
  'playwright-core': ['appliance/src/server/testing/'],
}
const testTools = new Set(['vitest', 'fast-check', 'playwright-core'])

/** Rooms with pure algorithm files and a thin shell that touches the store and the clock. */
const stageRooms = new Set(['preprocessing', 'differencing', 'detection', 'curation', 'catalog', 'forwarding'])
/** `runPixels.ts` and `runArchivePixels.ts` are what `run.ts` has a worker thread do: they read and write the frame files. */
const shells = new Set([
  'run.ts',
  'runPixels.ts',
  'runArchives.ts',
  'runArchivePixels.ts',
  'runMasters.ts',
  'giveLabel.ts',
  'outbox.ts',
  'benchmark.ts',
])
/** The store's handles; its record types are only shapes. */
const storeHandles = new Set(['Store', 'Transaction'])
/** Pure functions that happen to live in the store's room. */
const pureStoreFiles = new Set(['appliance/src/store/canonical.ts'])

const clockFiles = new Set(['clock.ts', 'random.ts'])
const defaultExportAllowed = /(^|\/)(vite\.config\.ts|vitest\.config\.ts|svelte\.config\.js)$|\.d\.ts$/

interface Import {
  readonly specifier: string
  readonly line: number
  /** Erased before run time. */
  readonly typeOnly: boolean
  /** Loaded when asked for: can close no cycle. */
  readonly lazy: boolean
  readonly names: readonly string[]
}

interface Parsed {
  readonly file: SourceFile
  readonly imports: readonly Import[]
  readonly violations: readonly Violation[]
}

/** Checks the whole set together: imports are looked up among `files`. */
export function checkFlow(files: readonly SourceFile[]): Violation[] {
  const parsed = files.map(parse)
  const known = new Set(files.map((file) => file.path))
  const violations = parsed.flatMap(({ file, imports, violations }) => [
    ...violations,
    ...imports.flatMap((one) => checkImport(file.path, one)),
  ])
  return [...violations, ...findCycles(parsed, known), ...findGuardianOutsiders(parsed)].sort(
    (a, b) => a.path.localeCompare(b.path) || a.line - b.line || a.message.localeCompare(b.message),
  )
}

// Parsing -----------------------------------------------------------------------------------------------------------------

/** A Svelte component's scripts, with everything else blanked so that line numbers stay. */
function scriptsOf(text: string): string {
  const blank = (part: string): string => part.replaceAll(/[^\n]/g, ' ')
  let result = ''
  let at = 0
  for (const match of text.matchAll(/(<script\b[^>]*>)([\s\S]*?)<\/script>/g)) {
    const start = match.index + (match[1]?.length ?? 0)
    result += blank(text.slice(at, start)) + match[2]
    at = start + (match[2]?.length ?? 0)
  }
  return result + blank(text.slice(at))
}

function parse(file: SourceFile): Parsed {
  const text = file.path.endsWith('.svelte') ? scriptsOf(file.text) : file.text
  const source = ts.createSourceFile(file.path, text, ts.ScriptTarget.ESNext, true)
  const imports: Import[] = []
  const violations: Violation[] = []
  const lineOf = (node: ts.Node): number => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
  const report = (node: ts.Node, message: string): void => {
    violations.push({ path: file.path, line: lineOf(node), message })
  }
  const visit = (node: ts.Node): void => {
    const found = readImport(node)
    if (found) imports.push({ ...found, line: lineOf(node) })
    const offence = clockOffence(node, file.path) ?? defaultExportOffence(node, file.path)
    if (offence) report(node, offence)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { file, imports, violations }
}

function readImport(node: ts.Node): Omit<Import, 'line'> | undefined {
  if (ts.isImportDeclaration(node)) return readDeclaration(node)
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    const elements = node.exportClause && ts.isNamedExports(node.exportClause) ? node.exportClause.elements : []
    const typeOnly = node.isTypeOnly || (elements.length > 0 && elements.every((element) => element.isTypeOnly))
    const names = elements.map((element) => (element.propertyName ?? element.name).text)
    return { specifier: node.moduleSpecifier.text, typeOnly, lazy: false, names }
  }
  if (ts.isCallExpression(node) && isLazyLoad(node)) {
    const [argument] = node.arguments
    if (argument && ts.isStringLiteralLike(argument))
      return { specifier: argument.text, typeOnly: false, lazy: true, names: [] }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal))
    return {
      specifier: node.argument.literal.text,
      typeOnly: true,
      lazy: true,
      names: [node.qualifier?.getText() ?? ''],
    }
  return undefined
}

function readDeclaration(node: ts.ImportDeclaration): Omit<Import, 'line'> | undefined {
  if (!ts.isStringLiteral(node.moduleSpecifier)) return undefined
  const clause = node.importClause
  const bindings = clause?.namedBindings
  const elements = bindings && ts.isNamedImports(bindings) ? bindings.elements : []
  const allTypes = elements.length > 0 && !clause?.name && elements.every((element) => element.isTypeOnly)
  return {
    specifier: node.moduleSpecifier.text,
    typeOnly: clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || allTypes,
    lazy: false,
    names: elements.map((element) => (element.propertyName ?? element.name).text),
  }
}

/** `import('x')`, `require('x')`, `createRequire(…)('x')`. */
function isLazyLoad(node: ts.CallExpression): boolean {
  const callee = node.expression
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  if (ts.isIdentifier(callee)) return callee.text === 'require'
  return ts.isCallExpression(callee) && ts.isIdentifier(callee.expression) && callee.expression.text === 'createRequire'
}

// Time, chance, default exports -------------------------------------------------------------------------------------------

const clockCalls = new Set(['setTimeout', 'setInterval'])

function clockOffence(node: ts.Node, path: string): string | undefined {
  if (clockFiles.has(path.slice(path.lastIndexOf('/') + 1))) return undefined
  const name = clockUse(node)
  if (!name) return undefined
  const source = name === 'Math.random' ? 'a Random' : 'a Clock'
  return `${name} outside clock.ts and random.ts: take ${source} as an argument`
}

function clockUse(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const text = `${node.expression.getText()}.${node.name.text}`
    if (text === 'Date.now' || text === 'Math.random') return text
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()'
  if (ts.isCallExpression(node)) {
    const callee = node.expression.getText().replace(/^(globalThis|window)\./, '')
    if (clockCalls.has(callee)) return callee
    if (callee === 'Date') return 'Date()'
  }
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) return timersImport(node)
  return undefined
}

/** node:timers may be imported for setImmediate only: it waits for no time. */
function timersImport(node: ts.ImportDeclaration): string | undefined {
  const specifier = (node.moduleSpecifier as ts.StringLiteral).text
  if (!/^(node:)?timers(\/promises)?$/.test(specifier)) return undefined
  const names = readDeclaration(node)?.names ?? []
  return names.length > 0 && names.every((name) => name === 'setImmediate') ? undefined : specifier
}

function defaultExportOffence(node: ts.Node, path: string): string | undefined {
  if (defaultExportAllowed.test(path)) return undefined
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
  const isDefault =
    (ts.isExportAssignment(node) && !node.isExportEquals) ||
    modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword) ||
    (ts.isExportSpecifier(node) && node.name.text === 'default')
  return isDefault ? 'default export: name it' : undefined
}

// Who may import whom -----------------------------------------------------------------------------------------------------

const isTest = (path: string): boolean =>
  /\.test\.ts$/.test(path) || path.startsWith('appliance/test/') || path.startsWith('web/test/')

/** The file in the repository that a specifier means, or undefined for an outside package. */
function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier)).replaceAll('\\', '/')
  const own = /^@nightjar\/(firmware-bridge|appliance)\/(.+)$/.exec(specifier)
  return own ? `${own[1]}/src/${own[2]}` : undefined
}

function checkImport(path: string, one: Import): Violation[] {
  const target = resolve(path, one.specifier)
  const message = target ? insideRule(path, target, one) : outsideRule(path, one.specifier)
  return message ? [{ path, line: one.line, message }] : []
}

const packageOf = (path: string): string => path.split('/')[0] ?? ''

/** The room of a file of the daemon; files beside the rooms belong to the last one. */
export function roomOf(path: string): string | undefined {
  const match = /^appliance\/src\/(?:([^/]+)\/)?[^/]+/.exec(path)
  if (!match) return undefined
  return match[1] ?? 'cli'
}

function insideRule(path: string, target: string, one: Import): string | undefined {
  if (isTest(path)) return undefined
  const [from, to] = [packageOf(path), packageOf(target)]
  if (from === 'firmware-bridge' && to !== 'firmware-bridge')
    return `firmware-bridge imports only itself, not ${target}`
  if (from === 'web' && to !== 'web' && roomOf(target) !== 'contract') return `web sees contract alone, not ${target}`
  if (from !== 'appliance') return undefined
  if (to === 'web') return `the daemon imports nothing of the panel, not ${target}`
  if (isTest(target)) return `${target} is a test`
  if (to === 'appliance') return roomRule(path, target, one)
  return bridgeRule(path, target, one)
}

function roomRule(path: string, target: string, one: Import): string | undefined {
  const [fromRoom, toRoom] = [roomOf(path) ?? 'cli', roomOf(target) ?? 'cli']
  const [from, to] = [placeOf(fromRoom), placeOf(toRoom)]
  if (from === undefined) return `${fromRoom} is not in the list of rooms of scripts/check-flow.ts`
  if (to === undefined) return `${toRoom} is not in the list of rooms of scripts/check-flow.ts`
  if (to > from) return `${fromRoom} comes before ${toRoom} in the flow and may not import ${target}`
  if (fromRoom === 'guardian' && toRoom !== 'guardian') return guardianRule(target)
  if (toRoom === 'store' && isPureStageFile(path, fromRoom)) return storeRule(target, one)
  return undefined
}

const guardianRule = (target: string): string =>
  `the guardian stands alone: it imports node: modules and firmware-bridge, not ${target}`

const placeOf = (room: string): number | undefined => {
  const place = (rooms as readonly string[]).indexOf(room)
  return place < 0 ? undefined : place
}

const isPureStageFile = (path: string, room: string): boolean =>
  stageRooms.has(room) && !shells.has(path.slice(path.lastIndexOf('/') + 1))

function storeRule(target: string, one: Import): string | undefined {
  if (pureStoreFiles.has(target)) return undefined
  if (one.typeOnly && !one.names.some((name) => storeHandles.has(name))) return undefined
  return `in a stage only run.ts touches the store, not ${target}: pass in what is needed`
}

function bridgeRule(path: string, target: string, one: Import): string | undefined {
  const room = roomOf(path) ?? 'cli'
  if (room === 'contract') return `contract imports only typebox, not ${target}`
  if (target.endsWith('/clock.ts') && !one.typeOnly && isPureStageFile(path, room))
    return 'in a stage only run.ts touches the clock: pass in the time'
  return undefined
}

function outsideRule(path: string, specifier: string): string | undefined {
  const [scopeOrName = '', second = ''] = specifier.split('/')
  const name = scopeOrName === '@nightjar' ? `${scopeOrName}/${second}` : scopeOrName
  const allowed = homes[specifier] ?? homes[name]
  if (isTest(path) && (testTools.has(name) || allowed)) return undefined
  if (roomOf(path) === 'contract' && name !== 'typebox') return `contract imports only typebox, not ${specifier}`
  if (!allowed) {
    if (specifier.startsWith('node:'))
      return path.startsWith('web/src/') && !isTest(path) ? `${specifier} in the panel` : undefined
    return `${specifier} has no home: give it one in scripts/check-flow.ts`
  }
  if (allowed.some((home) => path.startsWith(home))) return undefined
  return `${name} is at home in ${allowed.join(', ')}, not here`
}

// The guardian ------------------------------------------------------------------------------------------------------------

/** Type imports are erased; a lazy import is loaded some day, and counts. */
const isLoaded = (one: Import): boolean => !one.typeOnly

/**
 * The guardian must work when nothing else does, so neither it nor anything that it loads, however far away, may need a
 * package. One violation for each import of the guardian behind which there is one, with the way there.
 */
function findGuardianOutsiders(parsed: readonly Parsed[]): Violation[] {
  const byPath = new Map(parsed.map((one) => [one.file.path, one]))
  const guardian = parsed.filter(({ file }) => roomOf(file.path) === 'guardian' && !isTest(file.path))
  return guardian.flatMap(({ file, imports }) =>
    imports.filter(isLoaded).flatMap((one) => {
      const way = wayOutside(file.path, one, byPath, new Set([file.path]))
      if (!way) return []
      const message = `the guardian may need no package, and comes to one: ${way.join(' → ')}`
      return [{ path: file.path, line: one.line, message }]
    }),
  )
}

/** From an import to the package that it leads to, file by file; undefined when it leads to none. */
function wayOutside(
  from: string,
  one: Import,
  byPath: ReadonlyMap<string, Parsed>,
  seen: Set<string>,
): string[] | undefined {
  const target = resolve(from, one.specifier)
  if (target === undefined) return one.specifier.startsWith('node:') ? undefined : [one.specifier]
  // Breaches inside the guardian's own room are told where they are.
  if (seen.has(target) || roomOf(target) === 'guardian') return undefined
  seen.add(target)
  for (const next of byPath.get(target)?.imports.filter(isLoaded) ?? []) {
    const way = wayOutside(target, next, byPath, seen)
    if (way) return [target, ...way]
  }
  return undefined
}

// Cycles ------------------------------------------------------------------------------------------------------------------

/** One violation for each import that closes a cycle of modules that are evaluated together. */
function findCycles(parsed: readonly Parsed[], known: ReadonlySet<string>): Violation[] {
  const edges = new Map(parsed.map((one) => [one.file.path, runtimeEdges(one, known)]))
  const done = new Set<string>()
  const stack: string[] = []
  const violations: Violation[] = []
  const visit = (path: string): void => {
    stack.push(path)
    for (const edge of edges.get(path) ?? []) {
      const start = stack.indexOf(edge.target)
      if (start >= 0) {
        const circle = [...stack.slice(start), edge.target].join(' → ')
        violations.push({ path, line: edge.line, message: `import cycle: ${circle}` })
      } else if (!done.has(edge.target)) visit(edge.target)
    }
    stack.pop()
    done.add(path)
  }
  for (const path of edges.keys()) if (!done.has(path)) visit(path)
  return violations
}

function runtimeEdges({ file, imports }: Parsed, known: ReadonlySet<string>): { target: string; line: number }[] {
  return imports.flatMap((one) => {
    const target = one.typeOnly || one.lazy ? undefined : resolve(file.path, one.specifier)
    return target && known.has(target) ? [{ target, line: one.line }] : []
  })
}

// The repository ----------------------------------------------------------------------------------------------------------

const patterns = [
  '{firmware-bridge,appliance}/{src,test}/**/*.ts',
  'web/**/*.{ts,js,svelte}',
  'scripts/**/*.ts',
  'vitest.config.ts',
]

/** Every source file below `root` that the rules speak of. */
export function readSources(root: string): SourceFile[] {
  const skip = (path: string): boolean => /(^|\/)(node_modules|dist|build|assembly)(\/|$)/.test(path)
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !skip(path) && existsSync(join(root, path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

export const formatViolation = (one: Violation): string => `${one.path}:${one.line}: ${one.message}`

if (import.meta.main) {
  const violations = checkFlow(readSources(fileURLToPath(new URL('..', import.meta.url))))
  for (const one of violations) console.log(formatViolation(one))
  process.exitCode = violations.length > 0 ? 1 : 0
}
