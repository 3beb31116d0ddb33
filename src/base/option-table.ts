// Owns what an option row is, how a table of them reads an untrusted object, and the words of its errors.
// Knows no option by name. Nothing is corrected: what does not fit is an OptionError, and no secret is shown.
import { inspect } from 'node:util'
import { MAX_DURATION, parseDuration } from './duration.js'
import { OptionError } from './errors.js'

export type OptionKind = 'integer' | 'duration' | 'boolean' | 'string' | 'secret' | 'union' | 'object' | 'function'

/** What every row tells, whatever its type: enough to print a reference page or to read a query string. */
export interface OptionRow {
  readonly kind: OptionKind
  readonly default: unknown
  /** Completes the sentence "expected …". */
  readonly expected: string
  /** One sentence for the reference page. */
  readonly doc: string
  readonly unit?: string
  readonly min?: number
  readonly max?: number
  readonly allowed?: readonly (string | number)[]
  /** Whether the query of a URL may set it. */
  readonly fromUrl: boolean
  /** Names that other libraries give it; only used to suggest the right one. */
  readonly also: readonly string[]
  readonly accepts: (value: unknown) => boolean
  /** The value that a text in a URL stands for, still to be checked; undefined when it stands for none. */
  readonly fromText: (text: string) => unknown
}

/** A row for values of one type. Invariant, so that a table and its interface cannot drift apart either way. */
export interface Option<in out Value> extends OptionRow {
  readonly default: Value
  readonly accepts: (value: unknown) => value is Exclude<Value, undefined>
}

/** One row for each property of `Settings`: the compile-time check that table and interface agree. */
export type OptionTable<Settings> = { readonly [Name in keyof Settings]-?: Option<Settings[Name]> }

/** What a user may pass for `Settings`: any part of it; undefined means the default. */
export type OptionsOf<Settings> = { readonly [Name in keyof Settings]?: Settings[Name] | undefined }

export type AnyOptionTable = Readonly<Record<string, OptionRow>>

interface RowBase {
  readonly doc: string
  readonly fromUrl?: boolean
  readonly also?: readonly string[]
}

interface NumberRow<Default> extends RowBase {
  readonly default: Default
  readonly min?: number
  readonly max?: number
  readonly unit?: string
}

const wholeNumber = (min: number, max: number) => {
  return (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}

const common = (row: RowBase, fromUrl: boolean) => ({
  doc: row.doc,
  fromUrl: row.fromUrl ?? fromUrl,
  also: row.also ?? [],
})

const noText = (): undefined => undefined

export function integer(row: NumberRow<number>): Option<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = row
  return {
    ...common(row, true),
    kind: 'integer',
    default: row.default,
    expected: `a whole number${unit === undefined ? '' : ` of ${unit}`} from ${min} to ${max}`,
    ...(unit === undefined ? {} : { unit }),
    min,
    max,
    accepts: wholeNumber(min, max),
    fromText: (text) => (/^\d{1,16}$/.test(text) ? Number(text) : undefined),
  }
}

/** Whole milliseconds, at most what a timer keeps. */
export function duration(row: NumberRow<number>): Option<number> {
  const { min = 0, max = MAX_DURATION } = row
  return {
    ...common(row, true),
    kind: 'duration',
    default: row.default,
    expected: `a whole number of milliseconds from ${min} to ${max}`,
    unit: 'milliseconds',
    min,
    max,
    accepts: wholeNumber(min, max),
    fromText: parseDuration,
  }
}

export function boolean<Default extends boolean | undefined>(
  row: RowBase & { readonly default: Default },
): Option<boolean | Default> {
  return {
    ...common(row, true),
    kind: 'boolean',
    default: row.default,
    expected: 'true or false',
    accepts: (value): value is Exclude<boolean | Default, undefined> => typeof value === 'boolean',
    fromText: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  }
}

export function text<Default extends string | undefined>(
  row: RowBase & {
    readonly default: Default
    readonly expected?: string
    readonly matches?: (value: string) => boolean
  },
): Option<string | Default> {
  const { matches = () => true } = row
  return {
    ...common(row, true),
    kind: 'string',
    default: row.default,
    expected: row.expected ?? 'a string',
    accepts: (value): value is Exclude<string | Default, undefined> => typeof value === 'string' && matches(value),
    fromText: (value) => value,
  }
}

export function oneOf<const Allowed extends string | number>(
  allowed: readonly Allowed[],
  row: RowBase & { readonly default: NoInfer<Allowed> },
): Option<Allowed> {
  return {
    ...common(row, true),
    kind: 'union',
    default: row.default,
    expected: allowed
      .map((value) => inspect(value))
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1'),
    allowed,
    accepts: (value): value is Exclude<Allowed, undefined> => allowed.some((each) => each === value),
    fromText: (value) => allowed.find((each) => String(each) === value),
  }
}

/** A row whose type only code can give: an object, a function, a secret. Never set by a URL's query. */
export function custom<Value>(
  row: RowBase & {
    readonly kind: 'secret' | 'object' | 'function' | 'string'
    readonly default: Value
    readonly expected: string
    readonly unit?: string
    readonly accepts: (value: unknown) => value is Exclude<Value, undefined>
  },
): Option<Value> {
  return {
    ...common(row, false),
    kind: row.kind,
    default: row.default,
    expected: row.expected,
    ...(row.unit === undefined ? {} : { unit: row.unit }),
    accepts: row.accepts,
    fromText: noText,
  }
}

/**
 * Reads `input` by `table`: every option of the table is set in the result, which is frozen.
 * @param where what the user calls the input, as in "in the pool's options"
 * @param elsewhere options that another table reads out of the same input
 */
export function readOptions<Settings extends object>(
  table: OptionTable<Settings>,
  input: unknown,
  where: string,
  elsewhere: AnyOptionTable = {},
): Readonly<Settings> {
  const given = readPlainObject(input, where)
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(table, name) || Object.hasOwn(elsewhere, name)) continue
    throw unknownOption(name, { ...elsewhere, ...rowsOf(table) }, where)
  }
  const settings: Partial<Settings> = {}
  for (const name of namesOf(table)) settings[name] = readOption(table, name, given)
  if (!isComplete(settings, table)) throw new TypeError('An option table changed while it was read')
  return Object.freeze(settings)
}

/** The value that `raw` stands for when a URL's query sets the option `name`. */
export function readText(name: string, row: OptionRow, raw: string, where: string): unknown {
  const value = row.fromText(raw)
  if (value !== undefined && row.accepts(value)) return value
  const how = row.kind === 'duration' ? ', or a duration such as 500ms, 5s or 2m' : ''
  // Only what looks like a number is shown: other text may be a part of a password that was cut at its '?'.
  const got = /^[-+.\d]{1,20}[a-z]{0,3}$/.test(raw) ? describe(raw) : `a string of ${raw.length} characters`
  throw new OptionError(`${name} in ${where}: expected ${row.expected}${how}, got ${got}`)
}

/** The own properties of a plain object; anything else that could be mistaken for options is refused. */
export function readPlainObject(input: unknown, where: string): Readonly<Record<string, unknown>> {
  if (input === undefined) return {}
  if (!isPlainObject(input)) throw new OptionError(`${where}: expected a plain object, got ${describeType(input)}`)
  return input
}

/** The error for a name that no row has. */
export function unknownOption(name: string, known: AnyOptionTable, where: string): OptionError {
  const near = nearestName(name, known)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return new OptionError(`${isPlainText(name) ? name : 'A name'} is not an option in ${where}${hint}`)
}

/** Holds a value that must not show in logs: `inspect`, JSON and string conversion say `[redacted]`. */
export class Secret<Value> {
  readonly #value: Value

  constructor(value: Value) {
    this.#value = value
  }

  /** The value itself. Keep it in a local variable, never in an object that may be printed. */
  reveal(): Value {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}

function readOption<Settings, Name extends string & keyof Settings>(
  table: OptionTable<Settings>,
  name: Name,
  given: Readonly<Record<string, unknown>>,
): Settings[Name] {
  const row: Option<Settings[Name]> = table[name]
  const value = Object.hasOwn(given, name) ? given[name] : undefined
  if (value === undefined) return row.default
  if (row.accepts(value)) return value
  // A secret may also stand where a function or an object belongs, so only plain kinds show what came.
  const hidden = row.kind === 'secret' || row.kind === 'function' || row.kind === 'object'
  throw new OptionError(`${name}: expected ${row.expected}, got ${hidden ? describeType(value) : describe(value)}`)
}

function rowsOf<Settings extends object>(table: OptionTable<Settings>): AnyOptionTable {
  const rows: Record<string, OptionRow> = {}
  for (const name of namesOf(table)) rows[name] = table[name]
  return rows
}

function namesOf<Settings extends object>(table: OptionTable<Settings>): (string & keyof Settings)[] {
  const isName = (name: string): name is string & keyof Settings => Object.hasOwn(table, name)
  return Object.keys(table).filter(isName)
}

function isComplete<Settings extends object>(
  settings: Partial<Settings>,
  table: OptionTable<Settings>,
): settings is Settings {
  return namesOf(table).every((name) => Object.hasOwn(settings, name))
}

/** Plain in any realm: test runners hand over objects whose prototype is another realm's Object.prototype. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const isPlainText = (value: string): boolean => /^[\w.:+ -]{0,40}$/.test(value)

/** Shows short plain strings and numbers; a string that could be a URL or a secret is only counted. */
function describe(value: unknown): string {
  if (typeof value === 'string' && isPlainText(value)) return `the string '${value}'`
  if (typeof value === 'string') return `a string of ${value.length} characters`
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return describeType(value)
}

function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return isPlainObject(value) ? 'an object' : 'an instance of a class'
  return `a ${typeof value}`
}

function nearestName(name: string, known: AnyOptionTable): string | undefined {
  const wanted = fold(name)
  let best: string | undefined
  let bestDistance = 4
  for (const [candidate, row] of Object.entries(known)) {
    if ([candidate, ...row.also].some((each) => fold(each) === wanted)) return candidate
    const folded = fold(candidate)
    const isPrefix = wanted.length >= 3 && (folded.startsWith(wanted) || wanted.startsWith(folded))
    // A short name is three edits away from anything, so the bound shrinks with it.
    const edits = editDistance(wanted, folded)
    const distance = edits <= Math.min(3, wanted.length / 2) ? edits : isPrefix ? 3 : 4
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

const fold = (name: string): string => name.slice(0, 64).toLowerCase().replaceAll(/[_-]/g, '')

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
