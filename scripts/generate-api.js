// Writes docs/api.md from the option tables and the declarations of dist/, which `npm run build` makes. With --check it
// writes nothing, and fails when the page is not what it would write. Run it after every change of the public surface.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  aliasOf,
  declarationsOf,
  docOf,
  exportsOf,
  fieldsOf,
  initialValues,
  membersOf,
  parentOf,
  typesOf,
} from './declarations.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
/** Another file can be named, to be checked or written instead. */
const PAGE = process.argv.slice(2).find((word) => !word.startsWith('--')) ?? join(ROOT, 'docs/api.md')

if (!existsSync(join(DIST, 'index.d.ts'))) {
  console.error('generate-api: there is no dist/; run `npm run build` first')
  process.exit(1)
}

const load = (path) => import(pathToFileURL(join(DIST, path)).href)
const surface = exportsOf(join(DIST, 'index.d.ts'))
async function writePage() {
  const parts = [
    '# API',
    '<!-- Written by scripts/generate-api.js from the option tables and the declarations; do not edit. -->',
    `All that respool exports. What it is for, and how it is used: [README](../README.md). Commands have the names, \
arguments, replies and types of node-redis, on handles, leases and transactions alike, and are not listed.`,
    `Type parameters: \`RESP\` is the version of the protocol, \`TM\` the type mapping, \`M\`, \`F\` and \`S\` are modules, \
functions and scripts; all of them are inferred. Durations are in milliseconds, and sizes in bytes.`,
    ...(await optionParts()),
    ...classParts(),
    ...eventParts(),
    ...(await errorParts()),
    '## Types',
    ...shapeParts(surface),
    '### Unions and functions',
    aliasTable(),
    ...moduleParts(),
  ]
  return `${parts.join('\n\n')}\n`
}

async function optionParts() {
  const [pool, connection, cache, client, call, advice, autosize] = await Promise.all(
    [
      'pool/options.js',
      'connection/options.js',
      'pool/cache-options.js',
      'client/options.js',
      'client/call-options.js',
      'pool/advice-options.js',
      'pool/autosize-options.js',
    ].map(load),
  )
  const rules = await load('client/node-redis-rules.js')
  const values = (file, name) => typesOf(one(join(DIST, file), name))
  return [
    '## Options',
    `Unknown, ill-typed and out-of-range options are an \`OptionError\`. "In URLs" says whether the query of a URL may set it. \
Under the other names, which libraries have for the same, an option is not accepted: the error names the right one.`,
    '### Where the server is, or which pool to use',
    '`url` is for `new ConnectionPool(…)` and `new Redis(…)`, as the first argument or as an option; `pool` for `new Redis(…)` alone.',
    optionTable(
      Object.fromEntries(['url', 'pool'].map((name) => [name, client.ownOptions()[name]])),
      new Map([...values('client/options.d.ts', 'ConnectionPoolOptions'), ['pool', 'ConnectionPool']]),
    ),
    '### Of a pool',
    'For `new ConnectionPool(…)` and `new Redis(…)`.',
    optionTable(pool.poolOptionTable, values('pool/options.d.ts', 'PoolValues'), true),
    '### Of its connections',
    'For `new ConnectionPool(…)` and `new Redis(…)`.',
    optionTable(connection.connectionOptionTable, values('connection/options.d.ts', 'ConnectionValues'), true),
    '### Of a handle',
    'For `new Redis(…)`, beside those above; with `pool`, only these.',
    optionTable(client.clientOptionTable, values('client/options.d.ts', 'ClientValues')),
    '### Of client-side caching',
    'For `clientSideCache`.',
    optionTable(cache.clientSideCacheTable, values('pool/cache-options.d.ts', 'ClientSideCacheValues')),
    '### Of a pool that sizes itself',
    'For `autosize`.',
    optionTable(autosize.autosizeTable, values('pool/autosize-options.d.ts', 'AutosizeValues')),
    '### Of a lease',
    'For `lease(…)`.',
    optionTable(call.leaseTable, values('client/call-options.d.ts', 'LeaseValues')),
    '### Of commands',
    'For `withCommandOptions(…)`.',
    optionTable(call.commandTable, values('client/call-options.d.ts', 'CommandValues')),
    '### Of a recording',
    'For `pool.record(…)`.',
    optionTable(call.recordTable, values('pool/history.d.ts', 'RecordSettings')),
    '### Of an advice',
    'For `pool.advice(…)`.',
    optionTable(advice.adviceOptionTable, values('pool/advice-options.d.ts', 'AdviceTerms')),
    '### Of closing',
    'For `close(…)`.',
    optionTable(call.closeTable, values('client/call-options.d.ts', 'CloseOptions')),
    '### Of `createClient` and `createClientPool`',
    `They take all of the above but \`name\`, and options under node-redis's names, which become the above. What is refused \
says what to do instead; more in [the page on migrating](migrating.md).`,
    'The first argument:',
    ruleTable(rules.clientRules),
    'Its `socket`:',
    ruleTable(rules.socketRules),
    'Its `commandOptions`:',
    ruleTable(rules.commandRules),
    'The second argument of `createClientPool`:',
    ruleTable(rules.poolRules),
  ]
}

function optionTable(table, types, inUrls = false) {
  const missing = Object.keys(table).filter((name) => !types.has(name))
  if (missing.length > 0) throw new Error(`no type is declared for ${missing.join(', ')}`)
  const rows = Object.entries(table).map(([name, row]) => [
    code(name),
    code(types.get(name)),
    defaultOf(row),
    row.unit ?? '',
    rangeOf(row),
    ...(inUrls ? [row.fromUrl ? 'yes' : 'no'] : []),
    inDocs(row.doc),
    row.also.map(code).join(', '),
  ])
  const head = [
    'option',
    'type',
    'default',
    'unit',
    'range',
    ...(inUrls ? ['in URLs'] : []),
    'what it does',
    'other names',
  ]
  return markdownTable(head, rows)
}

function defaultOf({ default: value }) {
  if (value === undefined) return 'none'
  return code(typeof value === 'string' ? `'${value}'` : typeof value === 'object' ? '{}' : String(value))
}

function rangeOf({ min, max, allowed, kind, expected }) {
  if (allowed !== undefined)
    return allowed.map((value) => code(typeof value === 'string' ? `'${value}'` : value)).join(', ')
  if (min !== undefined) return max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `${min} to ${max}`
  return kind === 'boolean' || /^(a string|true or false)$/.test(expected) ? '' : escapeCell(expected)
}

function ruleTable(rules) {
  const rows = Object.entries(rules).map(([name, { becomes, doc }]) => [
    code(name),
    becomes.length === 0 ? '–' : becomes.map(code).join(', '),
    inDocs(doc),
  ])
  return markdownTable(['option', 'becomes', ''], rows)
}

/** What is made by users and handed to them. */
const CLASSES = [
  ['ConnectionPool', 'pool'],
  ['Redis', 'redis'],
  ['Lease', 'lease'],
  ['Transaction', 'transaction'],
]

function classParts() {
  return [
    '## Classes',
    ...CLASSES.flatMap(([name]) => {
      const { file, declared } = surface.get(name)
      const chain = parentsOf(file, declared)
      const [{ declaration: own }] = chain
      const members = distinct(chain.flatMap(({ declaration }) => membersOf(declaration)))
      return [`### \`${name}\``, textOf(docOf(own)), ...members.map(memberPart)].filter((part) => part !== '')
    }),
    '## Functions',
    ...functionParts(surface),
  ]
}

function functionParts(exported) {
  return [...exported].flatMap(([name, { file, declared }]) => {
    const nodes = declarationsOf(file, declared).filter(({ parameters }) => parameters !== undefined)
    if (nodes.length === 0) return []
    const signatures = nodes.map((node) =>
      node
        .getText()
        .replace(/\s+/g, ' ')
        .replace(/^export declare /, '')
        .replace(/;$/, ''),
    )
    const doc = nodes.map(docOf).find(({ doc: text }) => text !== '') ?? { doc: '', tags: [] }
    return [memberPart({ name, signatures, ...doc })]
  })
}

/** What else can be imported: `respool/…`. */
function moduleParts() {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return Object.entries(exports).flatMap(([path, { types }]) => {
    if (path === '.' || types === undefined) return []
    const exported = exportsOf(join(ROOT, types))
    return [`## ${code(`respool${path.slice(1)}`)}`, ...functionParts(exported), ...shapeParts(exported)]
  })
}

/** The class, and those it inherits from as far as they are ours. */
function parentsOf(file, name) {
  const declaration = declarationsOf(file, name).find(
    (each) => each.heritageClauses !== undefined || each.members?.length > 0,
  )
  const own = declarationsOf(file, name).find((each) => isClass(each)) ?? declaration
  const parent = parentOf(own)
  const source = parent === undefined ? undefined : importedFrom(own, parent)
  return [{ declaration: own }, ...(source === undefined ? [] : parentsOf(source, parent))]
}

const isClass = (node) => node.members?.some((member) => member.name?.getText?.() === '#private') === true

function importedFrom(node, name) {
  const source = node.getSourceFile()
  for (const statement of source.statements) {
    const bindings = statement.importClause?.namedBindings?.elements ?? []
    if (!bindings.some((each) => each.name.text === name)) continue
    const path = statement.moduleSpecifier.text
    return path.startsWith('.') ? join(source.fileName, '..', path.replace(/\.js$/, '.d.ts')) : undefined
  }
  return undefined
}

/** Those of the class itself come before what it inherits under the same name. */
function distinct(members) {
  return [...new Map(members.toReversed().map((member) => [member.name, member])).values()]
    .toReversed()
    .filter(({ name, doc, tags }) => name !== 'constructor' || doc !== '' || tags.length > 0)
}

function memberPart({ signatures, doc, tags }) {
  return [`\`\`\`ts\n${signatures.join('\n')}\n\`\`\``, textOf({ doc, tags })]
    .filter((part) => part !== '')
    .join('\n\n')
}

function textOf({ doc, tags }) {
  const words = { throws: 'Throws', deprecated: 'Deprecated:', param: '', returns: 'Returns' }
  const lines = tags.map(
    ({ tag, text }) => `- ${[words[tag] ?? tag, inDocs(text)].filter((part) => part !== '').join(' ')}`,
  )
  return [inDocs(doc), lines.join('\n')].filter((part) => part !== '').join('\n\n')
}

function eventParts() {
  const tables = [
    ['ConnectionPoolEvents', join(DIST, 'client/connection-pool.d.ts'), 'Of a pool, and of its handles:'],
    ['AvailabilityEvents', join(DIST, 'client/availability.d.ts'), 'Of handles alone:'],
  ]
  return [
    '## Events',
    ...tables.flatMap(([name, file, words]) => [
      words,
      markdownTable(
        ['event', 'listeners are given', 'when'],
        membersOf(one(file, name)).map((member) => [
          code(member.name),
          eventArguments(member.node.type.getText()),
          inDocs(member.doc),
        ]),
      ),
    ]),
  ]
}

function eventArguments(tuple) {
  const inner = tuple.replace(/^\[(.*)\]$/s, '$1').trim()
  return inner === '' ? 'nothing' : code(inner)
}

async function errorParts() {
  const { RespoolError, ...exported } = await load('index.js')
  const names = Object.keys(exported).filter((name) => exported[name]?.prototype instanceof RespoolError)
  const codes = new Map(
    names.flatMap((name) => {
      const { file, declared } = surface.get(name)
      const value = initialValues(file.replace(/\.d\.ts$/, '.js'), 'code').get(declared)
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const lost = names.filter((name) => !codes.has(name))
  if (lost.length > 0) throw new Error(`no code is known of ${lost.join(', ')}`)
  const rows = names.map((name) => {
    const { file, declared } = surface.get(name)
    const declaration = one(file, declared)
    const fields = membersOf(declaration).filter(({ kind, name: field }) => kind === 'property' && field !== 'code')
    return [
      code(name),
      code(codes.get(name)),
      inDocs(docOf(declaration).doc),
      fields.map((field) => code(field.name)).join(', '),
    ]
  })
  return [
    '## Errors',
    `All are a \`RespoolError\`, with \`code\`, and where a command was involved with \`command\` and \`outcome\`: \
[what they mean](../README.md#errors).`,
    markdownTable(['error', 'code', 'when', 'also has'], rows),
  ]
}

/** Every interface that is exported and has fields of its own: snapshots, what listeners are given, options as types. */
function shapeParts(exported) {
  const told = new Set([...CLASSES.map(([name]) => name), 'ConnectionPoolEvents', 'HandleEvents'])
  const parts = []
  for (const [name, { file, declared }] of [...exported].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (told.has(name)) continue
    const [declaration, ...more] = declarationsOf(file, declared)
    // Classes are told of above, and aliases of types have no fields.
    if (declaration === undefined || more.length > 0 || declaration.members === undefined || isError(name)) continue
    const fields = fieldsOf(declaration)
    if (fields.length === 0) continue
    parts.push(
      `### \`${name}\``,
      ...[textOf(docOf(declaration))].filter((part) => part !== ''),
      markdownTable(
        ['field', 'type', ''],
        fields.map((field) => [code(field.name), code(field.type), inDocs(field.doc)]),
      ),
    )
  }
  return parts
}

/** Aliases that say something by themselves; the others are for the compiler. */
function aliasTable() {
  const rows = [...surface].flatMap(([name, { file, declared }]) => {
    const [declaration] = declarationsOf(file, declared)
    const alias = aliasOf(declaration)
    if (alias === undefined || !/^(?:\| )?'|^[^{]*=> /.test(alias)) return []
    return [[code(name), code(alias.replace(/^\| /, '')), inDocs(docOf(declaration).doc)]]
  })
  return markdownTable(['type', 'is', ''], rows.toSorted())
}

const isError = (name) => /(?:Error|ErrorReply)$/.test(name)

function one(file, name) {
  const found = declarationsOf(file, name)
  const declaration = found.find((each) => each.members?.length > 0) ?? found[0]
  if (declaration === undefined) throw new Error(`${file} declares no ${name}`)
  return declaration
}

function markdownTable(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** A cell ends at a bar, inside code too. */
const escapeCell = (text) => String(text).replaceAll('|', '\\|')

const code = (text) => `\`${escapeCell(text)}\``

/** Docstrings are written for the README, which lies one folder up. */
const inDocs = (text) => escapeCell(text).replaceAll('](#', '](../README.md#').replaceAll('](docs/', '](')

const page = await writePage()
if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, page)
} else if (!existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== page) {
  const old = existsSync(PAGE) ? readFileSync(PAGE, 'utf8').split('\n') : []
  const line = page.split('\n').findIndex((text, index) => text !== old[index])
  console.error(`docs/api.md is not what the code says; run \`npm run generate\`. Line ${line + 1} should be:`)
  console.error(page.split('\n')[line] ?? '(the end)')
  process.exit(1)
}
