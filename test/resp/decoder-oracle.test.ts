// Owns the comparison with node-redis's decoder: the same bytes and type mapping must give the same values.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Decoder as Oracle } from '@redis/client/dist/lib/RESP/decoder.js'
import { VerbatimString as TheirVerbatimString } from '@redis/client/dist/lib/RESP/verbatim-string.js'
import fc from 'fast-check'
import { RESP_TYPES, type ReplyMapping, VerbatimString } from '../../src/resp/types.js'
import { bulk, type DecodedEvent, decode, FIXTURES } from '../support/resp-fixtures.js'

/** A form in which what differs by design is equal: prototypes of maps, classes of errors and verbatim strings. */
function neutral(value: unknown): unknown {
  if (value instanceof Error) return { error: value.message }
  if (value instanceof VerbatimString || value instanceof TheirVerbatimString) {
    return { format: value.format, text: value.toString() }
  }
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') }
  if (Array.isArray(value)) return value.map(neutral)
  if (value instanceof Set) return { set: Array.from(value, neutral) }
  if (value instanceof Map) return { map: Array.from(value, ([key, item]) => [neutral(key), neutral(item)]) }
  if (value === null || typeof value !== 'object') return value
  return { object: Object.entries(value).map(([key, item]) => [key, neutral(item)]) }
}

function theirs(bytes: Buffer, mapping: ReplyMapping | undefined): unknown[] {
  const events: unknown[] = []
  const typeMapping = {}
  Object.assign(typeMapping, mapping)
  if (mapping?.[RESP_TYPES.VERBATIM_STRING] === VerbatimString) {
    Object.assign(typeMapping, { [RESP_TYPES.VERBATIM_STRING]: TheirVerbatimString })
  }
  const oracle = new Oracle({
    onReply: (value: unknown) => events.push(['reply', neutral(value)]),
    onErrorReply: (value: unknown) => events.push(['error', neutral(value)]),
    onPush: (value: unknown) => events.push(['push', neutral(value)]),
    getTypeMapping: () => typeMapping,
  })
  oracle.write(bytes)
  return events
}

function ours(bytes: Buffer, mapping: ReplyMapping | undefined): unknown[] {
  const { events, failure } = decode([bytes], mapping)
  assert.equal(failure, undefined)
  return events.map((event) => [event.kind, neutral(payload(event))])
}

function payload(event: DecodedEvent): unknown {
  switch (event.kind) {
    case 'reply':
      return event.value
    case 'error':
      return event.error
    case 'push':
      return event.items
  }
}

type Node =
  | { kind: 'scalar'; frame: string }
  | { kind: 'aggregate'; header: '*' | '~'; items: Node[] }
  | { kind: 'map'; pairs: (readonly [Node, Node])[] }

function encode(node: Node): string {
  switch (node.kind) {
    case 'scalar':
      return node.frame
    case 'aggregate':
      return `${node.header}${node.items.length}\r\n${node.items.map(encode).join('')}`
    case 'map':
      return `%${node.pairs.length}\r\n${node.pairs.map(([key, value]) => encode(key) + encode(value)).join('')}`
  }
}

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('', 'OK', '😀', '\r\n', 'toString'))
const line = text.map((value) => value.replace(/[\r\n]/g, ' '))
const latin1 = (value: string): string => Buffer.from(value).toString('latin1')
const sized = (type: string, body: string): string => `${type}${body.length}\r\n${body}\r\n`
const printable = fc.string({ maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value).toString('latin1'))
const double = fc.double().map((value) => `${value}`.replace('Infinity', 'inf').replace('NaN', 'nan'))

// It adds a digit's code before it takes off that of zero, and so already rounds just below 2^53.
const exactInteger = fc.bigInt({ min: -(2n ** 53n) + 100n, max: 2n ** 53n - 100n })

const key = fc.oneof(
  text.map((value) => bulk(value)),
  line.map((value) => `+${latin1(value)}\r\n`),
  bytes.map((value) => sized('$', value)),
  exactInteger.map((value) => `:${value}\r\n`),
  double.map((value) => `,${value}\r\n`),
  fc.constantFrom('_\r\n', '#t\r\n', '#f\r\n', '$-1\r\n', '*0\r\n', '*2\r\n:1\r\n_\r\n', '=5\r\ntxt:a\r\n'),
)
const scalar = fc.oneof(
  key,
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }).map((value) => `(${value}\r\n`),
  text.map((value) => sized('=', `txt:${latin1(value)}`)),
  printable.map((value) => `-ERR ${value}\r\n`),
  printable.map((value) => sized('!', `ERR ${value}`)),
  fc.constantFrom('*-1\r\n', ':+7\r\n', ',+1.50\r\n', ',1e3\r\n', ',0.30000000000000004\r\n'),
)
const toScalar = (frame: string): Node => ({ kind: 'scalar', frame })
const { tree } = fc.letrec<{ tree: Node }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar.map(toScalar),
    fc.record({
      kind: fc.constant('aggregate' as const),
      header: fc.constantFrom('*' as const, '~' as const),
      items: fc.array(tie('tree'), { maxLength: 5 }),
    }),
    fc.record({
      kind: fc.constant('map' as const),
      pairs: fc.array(fc.tuple(key.map(toScalar), tie('tree')), { maxLength: 5 }),
    }),
  ),
}))

const mappings: fc.Arbitrary<ReplyMapping> = fc.record(
  {
    [RESP_TYPES.NUMBER]: fc.constant(String),
    [RESP_TYPES.BIG_NUMBER]: fc.constant(String),
    [RESP_TYPES.DOUBLE]: fc.constant(String),
    [RESP_TYPES.SIMPLE_STRING]: fc.constant(Buffer),
    [RESP_TYPES.BLOB_STRING]: fc.constant(Buffer),
    [RESP_TYPES.VERBATIM_STRING]: fc.constantFrom<unknown>(Buffer, VerbatimString),
    [RESP_TYPES.SET]: fc.constantFrom<unknown>(Set, Array),
    [RESP_TYPES.MAP]: fc.constantFrom<unknown>(Map, Array, Object),
  },
  { requiredKeys: [] },
)

describe("node-redis's decoder and ours", () => {
  it('make the same of every fixture that is not marked as different', () => {
    for (const { name, bytes, mapping, differs } of FIXTURES) {
      if (differs === undefined) assert.deepStrictEqual(ours(bytes, mapping), theirs(bytes, mapping), name)
    }
  })

  it('differ where it is said that they do', () => {
    for (const { name, bytes, mapping, differs } of FIXTURES) {
      if (differs === undefined) continue
      let same: unknown
      try {
        same = theirs(bytes, mapping)
      } catch {
        continue
      }
      assert.notDeepStrictEqual(ours(bytes, mapping), same, `${name}: ${differs}`)
    }
  })

  it('make the same of any replies under any type mapping', () => {
    const replies = fc.array(tree, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(replies, mappings, (nodes, mapping) => {
        const frames = Buffer.from(nodes.map(encode).join(''), 'latin1')
        assert.deepStrictEqual(ours(frames, mapping), theirs(frames, mapping))
      }),
      { numRuns: 4000 },
    )
  })

  it('make the same of any pushes', () => {
    const pushes = fc.array(tree, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(pushes, mappings, (nodes, mapping) => {
        const frame = Buffer.from(`>${nodes.length}\r\n${nodes.map(encode).join('')}+OK\r\n`, 'latin1')
        assert.deepStrictEqual(ours(frame, mapping), theirs(frame, mapping))
      }),
      { numRuns: 1000 },
    )
  })
})
