// Owns the corpus of RESP frames, good and hostile, and the ways to feed them to a decoder. Knows no server.
import { ProtocolError, ReplyError } from '../../src/base/errors.js'
import { Decoder, type DecoderLimits } from '../../src/resp/decoder.js'
import { RESP_TYPES, type Reply, type ReplyMapping, VerbatimString } from '../../src/resp/types.js'

export type DecodedEvent =
  | { kind: 'reply'; value: Reply }
  | { kind: 'error'; error: ReplyError }
  | { kind: 'push'; items: Reply[] }

export interface Fixture {
  name: string
  bytes: Buffer
  mapping?: ReplyMapping
  expected: DecodedEvent[]
  /** Why node-redis's decoder makes something else of it. */
  differs?: string
}

export interface HostileFixture {
  name: string
  bytes: Buffer
  limits?: Partial<DecoderLimits>
}

export interface Decoded {
  events: DecodedEvent[]
  failure: ProtocolError | undefined
  idle: boolean
}

/** Feeds the parts through one reused read buffer that is overwritten after each write, as a socket's is. */
export function decode(parts: readonly Uint8Array[], mapping?: ReplyMapping, limits?: Partial<DecoderLimits>): Decoded {
  const events: DecodedEvent[] = []
  const decoder = new Decoder(
    {
      onReply: (value) => events.push({ kind: 'reply', value }),
      onErrorReply: (error) => events.push({ kind: 'error', error }),
      onPush: (items) => events.push({ kind: 'push', items }),
      replyMapping: () => mapping,
    },
    limits,
  )
  const readBuffer = Buffer.alloc(parts.reduce((most, part) => Math.max(most, part.length), 0) + 8, 0x58)
  let failure: ProtocolError | undefined
  for (const part of parts) {
    readBuffer.set(part)
    try {
      decoder.write(readBuffer, part.length)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      failure = error
      break
    } finally {
      readBuffer.fill(0x58)
    }
  }
  return { events, failure, idle: decoder.idle }
}

export function inTwo(bytes: Buffer, cut: number): Buffer[] {
  return [bytes.subarray(0, cut), bytes.subarray(cut)]
}

export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
}

/** An object without a prototype, as maps are decoded. */
export function dictionary(entries: readonly (readonly [string, Reply])[]): { [key: string]: Reply } {
  const object: { [key: string]: Reply } = Object.create(null)
  for (const [key, value] of entries) object[key] = value
  return object
}

export function bulk(text: string | Buffer): string {
  const bytes = Buffer.from(text)
  return `$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`
}

const raw = (text: string): Buffer => Buffer.from(text, 'latin1')

function reply(name: string, frame: string | Buffer, value: Reply, mapping?: ReplyMapping, differs?: string): Fixture {
  const bytes = typeof frame === 'string' ? raw(frame) : frame
  const fixture: Fixture = { name, bytes, expected: [{ kind: 'reply', value }] }
  if (mapping !== undefined) fixture.mapping = mapping
  if (differs !== undefined) fixture.differs = differs
  return fixture
}

function failure(name: string, frame: string, message: string, differs?: string): Fixture {
  const fixture: Fixture = { name, bytes: raw(frame), expected: [{ kind: 'error', error: new ReplyError(message) }] }
  if (differs !== undefined) fixture.differs = differs
  return fixture
}

function push(name: string, frame: string, items: Reply[]): Fixture {
  return { name, bytes: raw(frame), expected: [{ kind: 'push', items }] }
}

const { NUMBER, BIG_NUMBER, DOUBLE, SIMPLE_STRING, BLOB_STRING, VERBATIM_STRING, SET, MAP } = RESP_TYPES
const ESCAPED = 'control characters of errors are made harmless here'
const ROUNDING = 'it adds the code of the last digit before it takes off that of zero, and gets 9007199254740992'
const ATTRIBUTES = 'it does not know attributes'
const NO_PROTOTYPE = 'it sets the prototype of the object instead of a field'
const ALL_BUFFERS: ReplyMapping = { [SIMPLE_STRING]: Buffer, [BLOB_STRING]: Buffer, [VERBATIM_STRING]: Buffer }
const EMOJI = 'a😀é€\r\n𐍈z'
const nest = (depth: number, header: string, leaf: string): string => header.repeat(depth) + leaf
const nested = (depth: number): Reply => {
  let value: Reply = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

const SCALARS: Fixture[] = [
  reply('the simple string OK', '+OK\r\n', 'OK'),
  reply('the simple string PONG', '+PONG\r\n', 'PONG'),
  reply('the simple string QUEUED', '+QUEUED\r\n', 'QUEUED'),
  reply('a simple string that begins like OK', '+OKAY\r\n', 'OKAY'),
  reply('a simple string of four letters', '+PING\r\n', 'PING'),
  reply('a simple string of six letters', '+QUEUER\r\n', 'QUEUER'),
  reply('an empty simple string', '+\r\n', ''),
  reply('a simple string of UTF-8', raw(`+${raw('x').toString()}${Buffer.from('ü😀').toString('latin1')}\r\n`), 'xü😀'),
  reply('a simple string of 200 letters', `+${'s'.repeat(200)}\r\n`, 's'.repeat(200)),
  reply('the simple string OK as Buffer', '+OK\r\n', Buffer.from('OK'), ALL_BUFFERS),
  reply('a null', '_\r\n', null),
  reply('a null bulk string', '$-1\r\n', null),
  reply('a null array', '*-1\r\n', null),
  reply('true', '#t\r\n', true),
  reply('false', '#f\r\n', false),
  reply('zero', ':0\r\n', 0),
  reply('minus zero', ':-0\r\n', 0, undefined, 'it makes the double -0 of an integer'),
  reply('a small integer', ':42\r\n', 42),
  reply('a negative integer', ':-42\r\n', -42),
  reply('an integer with a plus sign', ':+42\r\n', 42),
  reply('an integer with leading zeros', ':0042\r\n', 42),
  reply('the largest safe integer', ':9007199254740991\r\n', Number.MAX_SAFE_INTEGER, undefined, ROUNDING),
  reply('the largest integer', ':9223372036854775807\r\n', 2 ** 63),
  reply('the smallest integer', ':-9223372036854775808\r\n', -(2 ** 63)),
  reply('the largest integer as String', ':9223372036854775807\r\n', '9223372036854775807', { [NUMBER]: String }),
  reply('a negative integer as String', ':-7\r\n', '-7', { [NUMBER]: String }),
  reply(
    'a big number',
    '(3492890328409238509324850943850943825024385\r\n',
    3492890328409238509324850943850943825024385n,
  ),
  reply('a negative big number', '(-12\r\n', -12n),
  reply('a big number with a plus sign', '(+12\r\n', 12n),
  reply('a big number as String', '(-123456789012345678901\r\n', '-123456789012345678901', { [BIG_NUMBER]: String }),
  reply('a big number as Number', '(1024\r\n', 1024, { [BIG_NUMBER]: Number }, 'it does not do what its types promise'),
  reply('a double', ',3.25\r\n', 3.25),
  reply('a double that needs rounding once', ',0.1\r\n', 0.1),
  reply('a double of 17 digits', ',0.30000000000000004\r\n', 0.30000000000000004),
  reply('a double without a fraction', ',10\r\n', 10),
  reply('a negative double', ',-1.5\r\n', -1.5),
  reply('minus zero as a double', ',-0\r\n', -0),
  reply('a double with an exponent', ',1.5e+300\r\n', 1.5e300),
  reply('a double with a capital exponent', ',2E-7\r\n', 2e-7),
  reply('infinity', ',inf\r\n', Number.POSITIVE_INFINITY),
  reply('minus infinity', ',-inf\r\n', Number.NEGATIVE_INFINITY),
  reply('not a number', ',nan\r\n', Number.NaN),
  reply('not a number with a sign', ',-nan\r\n', Number.NaN),
  reply('a double as String', ',1.50\r\n', '1.50', { [DOUBLE]: String }),
  reply('an empty bulk string', '$0\r\n\r\n', ''),
  reply('a bulk string', '$5\r\nhello\r\n', 'hello'),
  reply('a bulk string that holds CRLF', '$4\r\n\r\n\r\n\r\n', '\r\n\r\n'),
  reply('a bulk string that looks like a frame', bulk('$3\r\nabc\r\n'), '$3\r\nabc\r\n'),
  reply('a bulk string that holds NUL', bulk('a\0b'), 'a\0b'),
  reply('a bulk string with characters of 1 to 4 bytes', bulk(EMOJI), EMOJI),
  reply('a bulk string with a byte order mark', bulk('\ufeffx'), '\ufeffx'),
  reply('a bulk string that is not UTF-8', '$3\r\n\xff\xc3\xed\r\n', '\ufffd\ufffd\ufffd'),
  reply('a bulk string with a length that has leading zeros', '$0003\r\nabc\r\n', 'abc'),
  reply('a bulk string as Buffer', '$4\r\n\x00\xff\r\n\r\n', Buffer.from([0, 255, 13, 10]), ALL_BUFFERS),
  reply('an empty bulk string as Buffer', '$0\r\n\r\n', Buffer.alloc(0), ALL_BUFFERS),
  reply('a null bulk string where Buffers are wanted', '$-1\r\n', null, ALL_BUFFERS),
  reply('a bulk string of 300 bytes', bulk('0123456789'.repeat(30)), '0123456789'.repeat(30)),
  reply('a verbatim string', '=9\r\ntxt:hello\r\n', 'hello'),
  reply('an empty verbatim string', '=4\r\nmkd:\r\n', ''),
  reply('a verbatim string as Buffer', '=6\r\ntxt:\xff\xfe\r\n', Buffer.from([255, 254]), ALL_BUFFERS),
  reply('a verbatim string with its format', '=7\r\nmkd:# x\r\n', new VerbatimString('mkd', '# x'), {
    [VERBATIM_STRING]: VerbatimString,
  }),
]

const ERRORS: Fixture[] = [
  failure('an error', '-ERR unknown command\r\n', 'ERR unknown command'),
  failure('an error with a code', '-WRONGTYPE Operation against a key\r\n', 'WRONGTYPE Operation against a key'),
  failure('an empty error', '-\r\n', ''),
  failure('a bulk error', '!21\r\nSYNTAX invalid syntax\r\n', 'SYNTAX invalid syntax'),
  failure('a bulk error of two lines', '!7\r\nERR\r\nab\r\n', 'ERR\\r\\nab', ESCAPED),
  failure(
    'an error with an escape sequence',
    '-ERR \x1b[31m\x07\tx\x7f\r\n',
    'ERR \\u001b[31m\\u0007\\tx\\u007f',
    ESCAPED,
  ),
  failure('an error with C1 controls', '-ERR \xc2\x9b31m\r\n', 'ERR \\u009b31m', ESCAPED),
  failure('an error with a bidirectional override', '-ERR \xe2\x80\xaex\r\n', 'ERR \\u202ex', ESCAPED),
  failure('an error with a bidirectional mark', '-ERR \xd8\x9c\xe2\x80\x8fx\r\n', 'ERR \\u061c\\u200fx', ESCAPED),
]

const AGGREGATES: Fixture[] = [
  reply('an empty array', '*0\r\n', []),
  reply('an array of one', '*1\r\n:1\r\n', [1]),
  reply(
    'an array of every scalar',
    '*10\r\n+OK\r\n:-5\r\n$3\r\nabc\r\n$-1\r\n_\r\n#t\r\n,2.5\r\n(99\r\n=5\r\ntxt:x\r\n*-1\r\n',
    ['OK', -5, 'abc', null, null, true, 2.5, 99n, 'x', null],
  ),
  reply('an array of ten bulk strings', `*10\r\n${bulk('ab').repeat(10)}`, Array<Reply>(10).fill('ab')),
  reply('an array that ends with a nested empty array', '*2\r\n*1\r\n:1\r\n*0\r\n', [[1], []]),
  reply('an array that holds errors', '*3\r\n+OK\r\n-ERR no\r\n!5\r\nERR x\r\n', [
    'OK',
    new ReplyError('ERR no'),
    new ReplyError('ERR x'),
  ]),
  reply('arrays eight deep', nest(8, '*1\r\n', ':1\r\n'), nested(8)),
  reply('arrays as deep as allowed', nest(128, '*1\r\n', ':1\r\n'), nested(128)),
  reply('an array with several branches', '*2\r\n*2\r\n*1\r\n:1\r\n:2\r\n*2\r\n:3\r\n*1\r\n:4\r\n', [
    [[1], 2],
    [3, [4]],
  ]),
  reply(
    'an array of Buffers',
    `*3\r\n+ab\r\n${bulk('cd')}=6\r\ntxt:ef\r\n`,
    ['ab', 'cd', 'ef'].map(toBytes),
    ALL_BUFFERS,
  ),
  reply('an array of UTF-8', `*2\r\n${bulk(EMOJI)}${bulk('😀')}`, [EMOJI, '😀']),
  reply('an array of text numbers', '*2\r\n:1\r\n*1\r\n:2\r\n', ['1', ['2']], { [NUMBER]: String }),
  reply('an empty set', '~0\r\n', []),
  reply('a set', '~3\r\n:1\r\n+a\r\n:1\r\n', [1, 'a', 1]),
  reply('a set as Set', '~3\r\n:1\r\n+a\r\n:1\r\n', new Set<Reply>([1, 'a']), { [SET]: Set }),
  reply('an empty set as Set', '~0\r\n', new Set<Reply>(), { [SET]: Set }),
  reply('an empty map', '%0\r\n', dictionary([])),
  reply('an empty map as Map', '%0\r\n', new Map<Reply, Reply>(), { [MAP]: Map }),
  reply('an empty map as Array', '%0\r\n', [], { [MAP]: Array }),
  reply(
    'a map',
    '%2\r\n+a\r\n:1\r\n$1\r\nb\r\n$1\r\nx\r\n',
    dictionary([
      ['a', 1],
      ['b', 'x'],
    ]),
  ),
  reply('a map with a field twice', '%2\r\n+a\r\n:1\r\n+a\r\n:2\r\n', dictionary([['a', 2]])),
  reply(
    'a map with keys of other types',
    '%6\r\n:1\r\n+a\r\n_\r\n+b\r\n#t\r\n+c\r\n,1.5\r\n+d\r\n(7\r\n+e\r\n*2\r\n:1\r\n_\r\n+f\r\n',
    dictionary([
      ['1', 'a'],
      ['7', 'e'],
      ['null', 'b'],
      ['true', 'c'],
      ['1.5', 'd'],
      ['1,', 'f'],
    ]),
  ),
  reply(
    'a map with maps and errors as keys',
    '%3\r\n%0\r\n:1\r\n*1\r\n%0\r\n:2\r\n-ERR k\r\n:3\r\n',
    dictionary([
      ['[object Object]', 2],
      ['ReplyError: ERR k', 3],
    ]),
    undefined,
    'its errors have another name',
  ),
  reply(
    'a map with the field __proto__',
    `%3\r\n${bulk('__proto__')}%1\r\n+a\r\n:1\r\n${bulk('constructor')}:2\r\n${bulk('toString')}:3\r\n`,
    dictionary([
      ['__proto__', dictionary([['a', 1]])],
      ['constructor', 2],
      ['toString', 3],
    ]),
    undefined,
    NO_PROTOTYPE,
  ),
  reply(
    'a map of Buffers keeps its keys',
    `%1\r\n${bulk('k')}${bulk('v')}`,
    dictionary([['k', toBytes('v')]]),
    ALL_BUFFERS,
  ),
  reply(
    'a map as Map',
    `%2\r\n${bulk('k')}${bulk('v')}:1\r\n_\r\n`,
    new Map<Reply, Reply>([
      ['k', toBytes('v')],
      [1, null],
    ]),
    {
      ...ALL_BUFFERS,
      [MAP]: Map,
    },
  ),
  reply('a map as Array', `%1\r\n${bulk('k')}+v\r\n`, [toBytes('k'), toBytes('v')], { ...ALL_BUFFERS, [MAP]: Array }),
  reply('a map in a map in an array', '*2\r\n%1\r\n+a\r\n%1\r\n+b\r\n*1\r\n+c\r\n:9\r\n', [
    dictionary([['a', dictionary([['b', ['c']]])]]),
    9,
  ]),
  reply(
    'a map as Map with an array as key',
    '%1\r\n*1\r\n$1\r\na\r\n+v\r\n',
    new Map<Reply, Reply>([[[toBytes('a')], 'v']]),
    {
      [BLOB_STRING]: Buffer,
      [MAP]: Map,
    },
  ),
  push('a push', `>3\r\n${bulk('message')}${bulk('news')}${bulk('hi 😀')}`, ['message', 'news', 'hi 😀'].map(toBytes)),
  push('a push with a number and a simple string', `>3\r\n+subscribe\r\n${bulk('c')}:1\r\n`, [
    'subscribe',
    toBytes('c'),
    1,
  ]),
  push('a push with an array', `>2\r\n${bulk('invalidate')}*1\r\n${bulk('k')}`, [
    toBytes('invalidate'),
    [toBytes('k')],
  ]),
  reply('a reply after an attribute', '|1\r\n+ttl\r\n:3600\r\n+v\r\n', 'v', undefined, ATTRIBUTES),
  reply('a reply after an empty attribute', '|0\r\n+v\r\n', 'v', undefined, ATTRIBUTES),
  reply(
    'an attribute inside of an array',
    '*3\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n*1\r\n:36\r\n:3\r\n',
    [1, 2, 3],
    undefined,
    ATTRIBUTES,
  ),
  reply(
    'attributes before the key and the value of a map',
    '%1\r\n|1\r\n+a\r\n%1\r\n+b\r\n:1\r\n+k\r\n|1\r\n+c\r\n_\r\n+v\r\n',
    dictionary([['k', 'v']]),
    undefined,
    ATTRIBUTES,
  ),
  reply(
    'an attribute before a Buffer',
    '|1\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n',
    toBytes('c'),
    ALL_BUFFERS,
    ATTRIBUTES,
  ),
]

function toBytes(text: string): Buffer {
  return Buffer.from(text)
}

const PUSHED: DecodedEvent = { kind: 'push', items: [toBytes('m'), 1] }

const SEQUENCES: Fixture[] = [
  {
    name: 'pushes before, between and after replies',
    bytes: raw('>2\r\n$1\r\nm\r\n:1\r\n+a\r\n>2\r\n$1\r\nm\r\n:1\r\n$1\r\nb\r\n-ERR c\r\n>2\r\n$1\r\nm\r\n:1\r\n'),
    expected: [
      PUSHED,
      { kind: 'reply', value: 'a' },
      PUSHED,
      { kind: 'reply', value: 'b' },
      { kind: 'error', error: new ReplyError('ERR c') },
      PUSHED,
    ],
  },
  {
    name: 'a pipeline of small replies',
    bytes: raw('+OK\r\n:1\r\n$2\r\nab\r\n$-1\r\n_\r\n*1\r\n+QUEUED\r\n+OK\r\n'),
    expected: ['OK', 1, 'ab', null, null, ['QUEUED'], 'OK'].map((value) => ({ kind: 'reply', value })),
  },
]

export const FIXTURES: readonly Fixture[] = [...SCALARS, ...ERRORS, ...AGGREGATES, ...SEQUENCES]

const BAD_LINES: string[] = [
  '@\r\n',
  'HTTP/1.1 400 Bad Request\r\n',
  '\r\n',
  '\0',
  ' +OK\r\n',
  '+OK\rX',
  '+OK\n',
  '+O\rK\r\n',
  `+${'x'.repeat(40)}\rX`,
  '-ERR a\nb\r\n',
  '_x\r\n',
  '_\n',
  '#x\r\n',
  '#\r\n',
  '#tt\r\n',
  '#T\r\n',
  '#1\r\n',
  ':\r\n',
  ':-\r\n',
  ':+\r\n',
  ':1.5\r\n',
  ':1e3\r\n',
  ': 1\r\n',
  ':--1\r\n',
  ':0x10\r\n',
  ':99999999999999999999999\r\n',
  ':9223372036854775808\r\n',
  ':-9223372036854775809\r\n',
  ':00000000000000000000001\r\n',
  ',\r\n',
  ',x\r\n',
  ',1.2.3\r\n',
  ',0x10\r\n',
  ',Infinity\r\n',
  ',1e\r\n',
  ',.\r\n',
  ',1 \r\n',
  '(\r\n',
  '(-\r\n',
  '(1.5\r\n',
  '(0x1f\r\n',
  '(1n\r\n',
]

const BAD_LENGTHS: string[] = ['$', '=', '!', '*', '~', '%', '>', '|'].flatMap((type) => [
  `${type}\r\n`,
  `${type}-5\r\n`,
  `${type}-0\r\n`,
  `${type}-2\r\n`,
  `${type}-11\r\n`,
  `${type}-\r\n`,
  `${type}abc`,
  `${type}+1\r\n`,
  `${type} 1\r\n`,
  `${type}1.0\r\n`,
  `${type}1e2\r\n`,
  `${type}?\r\n`,
  `${type}3\rX`,
  `${type}3\n`,
  `${type}999999999999\r\n`,
  `${type}99999999999999999999999`,
])

const BAD_FRAMES: string[] = [
  '*4294967295\r\n',
  '*33000000\r\n'.repeat(20),
  '~33000000\r\n',
  '%33000000\r\n',
  '|33000000\r\n',
  '$536870913\r\n',
  '=-1\r\n',
  '!-1\r\n',
  '!65537\r\n',
  '*1\r\n!536870912\r\n',
  '~-1\r\n',
  '%-1\r\n',
  '>-1\r\n',
  '|-1\r\n',
  '>0\r\n',
  '$3\r\nabcXY',
  '$3\r\nabcX\n',
  '$3\r\nabc\rX',
  '$3\r\nabcd\r\n',
  '$3\r\nab\r\n+O',
  '!3\r\nERRxx',
  '=3\r\ntxt\r\n',
  '=0\r\n\r\n',
  '=1\r\na\r\n:1\r\n',
  '=5\r\ntxtxx\r\n',
  '*1\r\n>1\r\n+a\r\n',
  '%1\r\n+a\r\n>1\r\n+a\r\n',
  '>2\r\n+a\r\n>1\r\n+b\r\n',
  '|1\r\n+a\r\n>1\r\n+b\r\n',
  '*1\r\n@\r\n',
  '*1\r\n$3\r\nabcXY',
  '*2\r\n:1\r\n;4\r\n',
  '.\r\n',
  '*1\r\n'.repeat(129),
  '%1\r\n+k\r\n'.repeat(129),
  '~1\r\n'.repeat(129),
  '|1\r\n'.repeat(129),
  `*1\r\n${'|1\r\n'.repeat(128)}`,
]

export const HOSTILE_FIXTURES: readonly HostileFixture[] = [
  ...[...BAD_LINES, ...BAD_LENGTHS, ...BAD_FRAMES].map((frame) => ({
    name: JSON.stringify(frame.length > 48 ? `${frame.slice(0, 48)}…` : frame),
    bytes: raw(frame),
  })),
  { name: 'a line longer than the limit', bytes: raw(`+${'x'.repeat(65)}\r\n`), limits: { maxLineLength: 64 } },
  { name: 'a line one byte too long to end', bytes: raw(`+${'x'.repeat(66)}`), limits: { maxLineLength: 64 } },
  { name: 'a line without end', bytes: raw(`-${'x'.repeat(80)}`), limits: { maxLineLength: 64 } },
  { name: 'a bulk string longer than the limit', bytes: raw('$65\r\n'), limits: { maxReplySize: 64 } },
  { name: 'more elements than the limit', bytes: raw('*9\r\n'), limits: { maxElements: 8 } },
]
