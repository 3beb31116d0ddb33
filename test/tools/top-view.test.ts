// How a moment of `respool top` is shown: whole at three widths, within any size, harmless whatever a client is called.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cut, flow, sparkline } from '../../src/tools/table.js'
import { cells } from '../../src/tools/terminal.js'
import type { ServerView, TopDocument } from '../../src/tools/top-document.js'
import { plainLines } from '../../src/tools/top-lines.js'
import { SORTS, sortGroups, type ViewState, viewLines } from '../../src/tools/top-view.js'
import { group, MOMENT, pool } from '../support/top-samples.js'

const ESCAPE = '\u001b'
const STATE: ViewState = { sort: 'count', reverse: false, paused: false, history: [1, 2, 3, 4, 5, 6, 7, 8], age: 0 }

const SNAPSHOTS: Readonly<Record<number, readonly string[]>> = {
  40: [
    'respool top  db.example:6379',
    'redis 7.0.15  12:34:56',
    'ops/s 48k  clients 143/10000  blocked 2',
    'memory 1.4 GiB/4 GiB  hits 97 %',
    'evicted/s 0',
    '',
    'POOL             USED   WAIT',
    'orders           3/10      0',
    'jobs            10/10     12',
    'jobs: leak: 9 of 9 leases are held too',
    '  long',
    '',
    'CLIENTS         COUNT  IDLE  LAST       ',
    'web                96    3s  get        ',
    'worker             40   61s  blpop      ',
    '(no name) 10.…      6    2d  client|list',
    '',
    'q quit  sort: c a i m n (count)',
    'r reverse  space pause',
  ],
  80: [
    'respool top  db.example:6379  redis 7.0.15  12:34:56',
    'ops/s 48k     ▂▃▄▅▆▇██  clients 143/10000  blocked 2  memory 1.4 GiB/4 GiB',
    'hits 97 %  evicted/s 0',
    '',
    'POOL             USED               WAIT  CALLS/S  REPLYp99  STATE        ',
    'orders           3/10  ███             0     1.2k    1.3 ms  healthy      ',
    'jobs            10/10  ██████████     12     1.2k    1.3 ms  leak         ',
    'jobs: leak: 9 of 9 leases are held too long',
    '',
    'CLIENTS          COUNT   AGE  IDLE  LAST           MEM  BLOCKED  FROM           ',
    'web                 96   90m    3s  get           2.1M        0  8 hosts        ',
    'worker              40   25h   61s  blpop         879K        2  10.0.0.7       ',
    '(no name) 10.0…      6    3d    2d  client|list    21K        0  10.0.0.7       ',
    '',
    'q quit  sort: c a i m n (count)  r reverse  space pause',
  ],
  120: [
    'respool top  db.example:6379  redis 7.0.15  12:34:56',
    'ops/s 48k     ▂▃▄▅▆▇██  clients 143/10000  blocked 2  memory 1.4 GiB/4 GiB  hits 97 %  evicted/s 0',
    '',
    'POOL             USED               WAIT  CALLS/S   WAITp99  REPLYp99  LATE  STATE        ',
    'orders           3/10  ███             0     1.2k    0.4 ms    1.3 ms     0  healthy      ',
    'jobs            10/10  ██████████     12     1.2k    312 ms    1.3 ms     0  leak         ',
    'jobs: leak: 9 of 9 leases are held too long',
    '',
    'CLIENTS             COUNT   AGE  IDLE  LAST           MEM  BLOCKED  FROM             LIBRARY             ',
    'web                    96   90m    3s  get           2.1M        0  8 hosts          respool(web)        ',
    'worker                 40   25h   61s  blpop         879K        2  10.0.0.7         respool             ',
    '(no name) 10.0.0.9      6    3d    2d  client|list    21K        0  10.0.0.7         respool             ',
    '',
    'q quit  sort: c a i m n (count)  r reverse  space pause',
  ],
}

/** Clears the screen, sets the title, colours, rings, reorders; and letters that take two cells or none. */
const ATTACK = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202etxt\u2066 漢字漢字 👩‍👧 e\u0301\u0301\u0301\n=" x=1'
const ACTS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

const HOSTILE: TopDocument = {
  ...MOMENT,
  server: {
    ...(MOMENT.server as ServerView & { state: 'there' }),
    address: ATTACK,
    groups: [group(ATTACK, { command: ATTACK, from: ATTACK, library: ATTACK })],
    refused: [ATTACK],
  },
  pools: [
    { url: 'http://x/', pools: [pool(ATTACK, { cause: 'failing-dials', because: ATTACK })] },
    { url: 'http://y/', because: ATTACK },
  ],
}

const draw = (document: TopDocument, columns: number, rows: number, state: Partial<ViewState> = {}): string[] =>
  viewLines(document, { ...STATE, ...state }, { screen: { columns, colour: false }, rows })

describe('the screen of top', () => {
  for (const [columns, lines] of Object.entries(SNAPSHOTS)) {
    it(`is whole in ${columns} columns`, () => assert.deepEqual(draw(MOMENT, Number(columns), 24), lines))
  }

  it('fits any size, whatever the texts', () => {
    const gone: TopDocument = { ...HOSTILE, server: { state: 'gone', address: 'a:1', because: ATTACK.repeat(20) } }
    for (const document of [MOMENT, HOSTILE, gone]) {
      for (let columns = 20; columns <= 130; columns += 5) {
        for (const rows of [1, 3, 8, 12, 24, 60]) {
          const lines = draw(document, columns, rows)
          assert.ok(lines.length <= rows, `${lines.length} lines in ${rows}`)
          for (const line of lines) {
            assert.ok(cells(line) <= columns, `${cells(line)} > ${columns}: ${line}`)
            assert.doesNotMatch(line, ACTS)
          }
        }
      }
    }
  })

  it('says how many groups have no room', () => {
    const many = Array.from({ length: 50 }, (_, index) => group(`service-${index}`, { count: 50 - index }))
    const server = { ...(MOMENT.server as ServerView & { state: 'there' }), groups: many }
    const lines = draw({ ...MOMENT, server, pools: [] }, 80, 14)
    assert.equal(lines.length, 14)
    assert.match(lines.at(-3) ?? '', /^… and 44 more groups$/)
  })

  it('says that the server is gone, what is refused, what is old, and that it is paused', () => {
    const gone: TopDocument = {
      ...MOMENT,
      pools: [],
      server: { state: 'gone', address: 'a:1', because: 'ECONNREFUSED' },
    }
    assert.match(draw(gone, 80, 24).join('\n'), /The server cannot be used: ECONNREFUSED. Trying again./)
    const server: ServerView = { state: 'there', address: 'a:1', head: null, groups: null, refused: ['INFO: NOPERM'] }
    assert.match(draw({ ...MOMENT, pools: [], server }, 80, 24).join('\n'), /^INFO: NOPERM$/m)
    assert.match(draw(MOMENT, 120, 24, { age: 4_000 })[0] ?? '', /no answer for 4 s$/)
    assert.match(draw(MOMENT, 120, 24, { paused: true, age: 4_000 })[0] ?? '', /paused$/)
  })

  it('is in colour only where there is colour', () => {
    assert.ok(!draw(MOMENT, 80, 24).join('').includes(ESCAPE))
    const coloured = viewLines(MOMENT, STATE, { screen: { columns: 80, colour: true }, rows: 24 })
    assert.deepEqual(
      coloured.map((line) => line.replace(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '')),
      SNAPSHOTS[80],
    )
    assert.ok(coloured.join('').includes(`${ESCAPE}[31mleak`))
  })
})

describe('groups of clients', () => {
  const groups = [
    group('b', { count: 1, age: 30, longestIdle: 5, memory: 10 }),
    group('a', { count: 3, age: 10, longestIdle: 9, memory: 20 }),
    group('c', { count: 2, age: 20, longestIdle: 7, memory: 30 }),
  ]

  it('are sorted by what was asked for, the largest first, and the other way round', () => {
    const order = (sort: (typeof SORTS)[number], reverse = false) =>
      sortGroups(groups, sort, reverse)
        .map(({ name }) => name)
        .join('')
    assert.deepEqual(
      SORTS.map((sort) => [sort, order(sort), order(sort, true)]),
      [
        ['count', 'acb', 'bca'],
        ['age', 'bca', 'acb'],
        ['idle', 'acb', 'bca'],
        ['memory', 'cab', 'bac'],
        ['name', 'abc', 'cba'],
      ],
    )
  })
})

describe('the lines of top', () => {
  it('are fields, one client group or pool a line', () => {
    const lines = plainLines(MOMENT, 'count')
    assert.equal(
      lines[0],
      '12:34:56 server address=db.example:6379 engine="redis 7.0.15" ops/s=48k clients=143/10000 blocked=2 memory=1.4G/4G hits=97% evicted/s=0',
    )
    assert.equal(
      lines[2],
      '12:34:56 clients name=worker count=40 age=25h idle=61s last=blpop memory=879K blocked=2 from=10.0.0.7 library=respool',
    )
    assert.match(lines[5] ?? '', /^12:34:56 pool name=jobs .* cause=leak because="9 of 9 leases are held too long"$/)
    assert.equal(lines.length, 6)
  })

  it('stay one line each, and whole, whatever a client is called', () => {
    for (const line of plainLines(HOSTILE, 'count')) assert.doesNotMatch(line, ACTS)
    const [, , clients = ''] = plainLines(HOSTILE, 'count')
    assert.match(clients, /name="\\u001b\[2J.*x=1" count=1 /)
  })
})

describe('text in cells', () => {
  it('is measured as a terminal shows it', () => {
    assert.deepEqual(['abc', '漢字', 'e\u0301', '👩‍👧', '█▏', ''].map(cells), [3, 4, 1, 4, 2, 0])
    assert.deepEqual([cut('abcdef', 4), cut('漢字漢', 4), cut('abc', 3), cut('abc', 0)], ['abc…', '漢…', 'abc', ''])
    assert.deepEqual(flow(['aaa', 'bb', 'cccc'], 8), ['aaa  bb', 'cccc'])
  })

  it('becomes small bars, the highest full', () => {
    assert.equal(sparkline([0, 4, 8], 10), '▁▅█')
    assert.equal(sparkline([1, 2, 3, 4], 2), '▇█')
    assert.equal(sparkline([0, 0], 4), '▁▁')
  })
})
