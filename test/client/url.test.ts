// Proves what a URL means, what is refused in one, and that no error shows any part that could be a password.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { OptionError } from '../../src/base/errors.js'
import type { AnyOptionTable } from '../../src/base/option-table.js'
import { readUrl } from '../../src/client/url.js'
import { connectionOptionTable } from '../../src/connection/options.js'
import { poolOptionTable } from '../../src/pool/options.js'

const table: AnyOptionTable = { ...connectionOptionTable, ...poolOptionTable }
const read = (url: string | URL) => readUrl(url, table)

function refusal(url: string | URL): string {
  try {
    read(url)
  } catch (error) {
    assert.ok(error instanceof OptionError, `expected an OptionError, got ${inspect(error)}`)
    assert.equal(error.cause, undefined)
    return error.message
  }
  assert.fail(`nothing was refused in ${String(url)}`)
}

describe('a URL', () => {
  it('names the server, the login and the database', () => {
    assert.deepEqual(read('redis://'), {})
    assert.deepEqual(read('redis://example.com'), { host: 'example.com' })
    assert.deepEqual(read('redis://example.com/'), { host: 'example.com' })
    assert.deepEqual(read('redis://:7000'), { port: 7000 })
    assert.deepEqual(read('REDIS://example.com:7000/3'), { host: 'example.com', port: 7000, database: 3 })
    assert.deepEqual(read('valkey://ann:pw@example.com'), { username: 'ann', password: 'pw', host: 'example.com' })
    assert.deepEqual(read('redis://:pw@example.com'), { password: 'pw', host: 'example.com' })
    assert.deepEqual(read('redis://ann@example.com'), { username: 'ann', host: 'example.com' })
    assert.deepEqual(read('redis://ann:@example.com'), { username: 'ann', password: '', host: 'example.com' })
    assert.deepEqual(read('redis://example.com?db=5'), { host: 'example.com', database: 5 })
    assert.deepEqual(read('redis://example.com?database=5'), { host: 'example.com', database: 5 })
  })

  it('switches TLS on by its scheme', () => {
    assert.deepEqual(read('rediss://example.com'), { host: 'example.com', tls: true })
    assert.deepEqual(read('valkeys://example.com'), { host: 'example.com', tls: true })
  })

  it('names a unix socket', () => {
    for (const scheme of ['unix', 'redis+unix', 'redis+socket', 'redis-socket']) {
      assert.deepEqual(read(`${scheme}:///run/redis.sock?db=2`), { path: '/run/redis.sock', database: 2 })
    }
    assert.deepEqual(read('unix:/run/redis.sock'), { path: '/run/redis.sock' })
    assert.deepEqual(read('unix:///run/my%20redis.sock'), { path: '/run/my redis.sock' })
    assert.deepEqual(read('unix://ann:pw@/run/redis.sock'), {
      username: 'ann',
      password: 'pw',
      path: '/run/redis.sock',
    })
    assert.match(refusal('unix://run/redis.sock'), /third slash/)
    assert.match(refusal('unix://'), /path of a unix socket/)
  })

  it('writes an IPv6 address in brackets', () => {
    assert.deepEqual(read('redis://[::1]:7000'), { host: '::1', port: 7000 })
    assert.deepEqual(read('redis://[fe80::1%25eth0]'), { host: 'fe80::1%eth0' })
    assert.deepEqual(read('redis://ann:pw@[2001:db8::1]/1'), {
      username: 'ann',
      password: 'pw',
      host: '2001:db8::1',
      database: 1,
    })
    for (const url of ['redis://::1', 'redis://[example.com]', 'redis://[::1', 'redis://[::zz]', 'redis://[::1]x']) {
      refusal(url)
    }
  })

  it('decodes user and password, and reads the last @ as the end of the login', () => {
    assert.deepEqual(read('redis://a%3Ab:p%40s%2Fs%3F%23%25+:x@h'), {
      username: 'a:b',
      password: 'p@s/s?#%+:x',
      host: 'h',
    })
    assert.deepEqual(read('redis://ann:p@ss@h'), { username: 'ann', password: 'p@ss', host: 'h' })
  })

  it('sets options by name in its query', () => {
    assert.deepEqual(
      read('redis://h?maxConnections=20&acquireTimeout=500ms&idleTimeout=2m&unref=true&protocol=2&name=my+pool%21&'),
      {
        host: 'h',
        maxConnections: 20,
        acquireTimeout: 500,
        idleTimeout: 120_000,
        unref: true,
        protocol: 2,
        name: 'my pool!',
      },
    )
  })

  it('sets every option that its row lets it, and no other', () => {
    const samples = { integer: '1', duration: '1s', boolean: 'false', string: 'x', union: '', object: 'true' }
    for (const [name, row] of Object.entries(table)) {
      if (row.fromUrl) {
        assert.ok(row.kind in samples)
        const sample = row.allowed?.at(-1) ?? Object.entries(samples).find(([kind]) => kind === row.kind)?.[1]
        assert.ok(row.accepts(read(`redis://h?${name}=${sample}`)[name]), name)
        assert.match(refusal(`redis://h?${name}=${sample}&${name}=${sample}`), new RegExp(`^${name} is given twice`))
      } else {
        assert.equal(refusal(`redis://h?${name}=true`), `${name} cannot be set in the query of a URL`)
      }
    }
  })

  it('never switches the check of certificates off', () => {
    const switches = [
      'tls=false',
      'rejectUnauthorized=false',
      'ssl_cert_reqs=none',
      'skip_verify=true',
      'verifyPeer=NONE',
    ]
    for (const each of switches) refusal(`rediss://h?${each}`)
  })

  it('is refused for an unknown or repeated option, or a value out of range', () => {
    assert.equal(
      refusal('redis://h?maxConection=5'),
      'maxConection is not an option in the URL; did you mean maxConnections?',
    )
    assert.equal(refusal('redis://h?pasword=5'), 'pasword is not an option in the URL')
    assert.equal(refusal('redis://h?DB=5'), 'DB is not an option in the URL; did you mean database?')
    assert.match(refusal('redis://h/1?db=1'), /^database is given twice/)
    assert.match(refusal('redis://h?db=1&database=1'), /^database is given twice/)
    assert.match(refusal('redis://h?maxConnections=0'), /^maxConnections in the URL: expected a whole number from 1 to/)
    assert.match(refusal('redis://h?maxConnections='), /^maxConnections in the URL: expected/)
    assert.match(refusal('redis://h?maxConnections'), /expected name=value/)
    assert.match(refusal('redis://h?acquireTimeout=5x'), /or a duration such as 500ms, 5s or 2m, got the string '5x'$/)
    assert.match(refusal('redis://h?constructor=1'), /^constructor is not an option/)
  })

  it('is refused when it is no URL of a server', () => {
    const wrong = ['', 'localhost', 'localhost:6379', '//localhost', 'http://h', 'redis-sentinel://h', 'redis://a,b']
    for (const url of [
      ...wrong,
      'redis:h',
      'redis://h:',
      'redis://h:0',
      'redis://h:65536',
      'redis://h:7o',
      'redis://h#x',
    ]) {
      refusal(url)
    }
    for (const url of ['redis://h/x', 'redis://h/-1', 'redis://h/0/1', 'redis://h/0/', 'redis://h ', 'redis://h\n']) {
      refusal(url)
    }
  })

  it('is refused for broken percent-encoding, in any part', () => {
    for (const bad of ['%', '%zz', '%C3%28', '50%off']) {
      for (const url of [
        `redis://${bad}:p@h`,
        `redis://u:${bad}@h`,
        `redis://${bad}`,
        `unix:///${bad}`,
        `redis://h?name=${bad}`,
      ]) {
        assert.match(refusal(url), /not percent-encoded UTF-8/)
      }
    }
  })

  it('shows nothing of a password that was not percent-encoded, wherever it lands', () => {
    const password = 'Zq8c4nary'
    for (const mark of [
      '/',
      '?',
      '#',
      '@',
      ':',
      '%',
      '%zz',
      ' ',
      '[',
      ']',
      '\\',
      '?a=',
      '&',
      '=',
      '?x&',
      '/?db=',
      '\n',
    ]) {
      for (const secret of [
        `${password}${mark}${password}`,
        `${mark}${password}`,
        `12${mark}${password}`,
        `${password}${mark}`,
      ]) {
        for (const url of [
          `redis://ann:${secret}@host/0`,
          `redis://:${secret}@host`,
          `redis://:${secret}`,
          `unix://:${secret}@/x`,
        ]) {
          try {
            read(url)
          } catch (error) {
            assert.ok(error instanceof OptionError)
            assert.ok(!/Zq8|c4nary/.test(inspect(error)), `a secret shows: ${error.message}`)
          }
        }
      }
    }
  })

  it('is refused, not misread, when the password was not percent-encoded', () => {
    for (const password of ['12/3', '12?db=3', '12?', '12#', '/', 'a/b', '12/?db=1', '1 2']) {
      assert.match(refusal(`redis://ann:${password}@host/0`), /%40, %2F, %3F and %23|holds a space/)
    }
  })

  it('comes back as it was written', () => {
    const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    const parts = fc.record(
      {
        username: anyText,
        password: fc.string({ unit: 'grapheme', maxLength: 20 }),
        host: fc.oneof(fc.constantFrom('localhost', 'redis_1'), fc.domain(), fc.ipV4(), fc.ipV6()),
        port: fc.integer({ min: 1, max: 65_535 }),
        database: fc.nat(1_000),
        maxConnections: fc.integer({ min: 1, max: 1_000 }),
        acquireTimeout: fc.nat(2_147_483_647),
        name: anyText,
        unref: fc.boolean(),
      },
      { requiredKeys: ['username', 'password', 'host'] },
    )
    fc.assert(
      fc.property(
        parts,
        fc.boolean(),
        fc.boolean(),
        ({ username, password, host, port, database, ...query }, tls, asObject) => {
          const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
          const address = `${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
          const search = new URLSearchParams(
            Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)])),
          )
          const url = `redis${tls ? 's' : ''}://${login}@${address}${database === undefined ? '' : `/${database}`}?${search}`
          const expected = { username, password, host, port, database, ...query, ...(tls ? { tls } : {}) }
          const isGiven = ([, value]: [string, unknown]) => value !== undefined
          const given = Object.fromEntries(Object.entries(expected).filter(isGiven))
          // The URL class drops the colon before an empty password and rewrites IPv6 addresses.
          if (asObject && password !== '' && !host.includes(':')) assert.deepEqual(read(new URL(url)), given)
          else assert.deepEqual(read(url), given)
        },
      ),
    )
  })

  it('never fails with anything but an option error, whatever the text', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom('redis:', 'unix:', '//', '/', '@', ':', '?', '&', '=', '#', '[', ']', '%', 'db', '::1', '6379'),
        fc.string(),
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(pieces, (each) => {
        try {
          read(each.join(''))
        } catch (error) {
          assert.ok(error instanceof OptionError, inspect(error))
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
