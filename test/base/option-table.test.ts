// Proves how a table reads an untrusted object: defaults, refusals, the words of the errors, and what never shows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { MAX_DURATION, parseDuration } from '../../src/base/duration.js'
import { OptionError } from '../../src/base/errors.js'
import {
  boolean,
  custom,
  duration,
  integer,
  type OptionTable,
  oneOf,
  readOptions,
  readText,
  Secret,
  text,
} from '../../src/base/option-table.js'

interface Sample {
  readonly size: number
  readonly acquireTimeout: number
  readonly eager: boolean
  readonly label: string | undefined
  readonly version: 2 | 3
  readonly password: string | undefined
}

const table: OptionTable<Sample> = {
  size: integer({ default: 10, min: 1, max: 100, also: ['maximum'], doc: 'Size.' }),
  acquireTimeout: duration({ default: 5_000, doc: 'Wait.' }),
  eager: boolean({ default: false, doc: 'Eager.' }),
  label: text({ default: undefined, doc: 'Label.' }),
  version: oneOf([2, 3], { default: 3, doc: 'Version.' }),
  password: custom<string | undefined>({
    kind: 'secret',
    default: undefined,
    expected: 'a string',
    accepts: (value): value is string => typeof value === 'string',
    doc: 'Password.',
  }),
}

const read = (input: unknown) => readOptions(table, input, 'the test')

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof OptionError, `expected an OptionError, got ${inspect(error)}`)
    assert.equal(error.code, 'ERR_OPTION')
    return error.message
  }
  assert.fail('nothing was refused')
}

describe('an option table', () => {
  it('gives every default for no input, an empty object, and undefined values', () => {
    const defaults = {
      size: 10,
      acquireTimeout: 5_000,
      eager: false,
      label: undefined,
      version: 3,
      password: undefined,
    }
    assert.deepEqual(read(undefined), defaults)
    assert.deepEqual(read({}), defaults)
    assert.deepEqual(read({ size: undefined, label: undefined }), defaults)
  })

  it('gives a frozen object of its own', () => {
    const input = { size: 3 }
    const settings = read(input)
    input.size = 4
    assert.equal(settings.size, 3)
    assert.ok(Object.isFrozen(settings))
  })

  it('says what was expected and what came', () => {
    const limit = 'a whole number of milliseconds from 0 to 2147483647'
    assert.equal(
      refusal(() => read({ acquireTimeout: '5s' })),
      `acquireTimeout: expected ${limit}, got the string '5s'`,
    )
    assert.equal(
      refusal(() => read({ acquireTimeout: -1 })),
      `acquireTimeout: expected ${limit}, got -1`,
    )
    assert.equal(
      refusal(() => read({ eager: 1 })),
      'eager: expected true or false, got 1',
    )
    assert.equal(
      refusal(() => read({ version: 4 })),
      'version: expected 2 or 3, got 4',
    )
    assert.equal(
      refusal(() => read({ label: ['a'] })),
      'label: expected a string, got an array',
    )
  })

  it('refuses numbers that are not whole, not finite or out of range, instead of correcting them', () => {
    for (const value of [0, 101, 1.5, -0.1, Number.NaN, Infinity, -Infinity, 5n, '5', new Number(5), null, true]) {
      assert.match(
        refusal(() => read({ size: value })),
        /^size: expected a whole number from 1 to 100, got /,
      )
    }
    assert.equal(read({ size: 1 }).size, 1)
    assert.equal(read({ size: 100 }).size, 100)
    assert.equal(read({ acquireTimeout: MAX_DURATION }).acquireTimeout, MAX_DURATION)
    refusal(() => read({ acquireTimeout: MAX_DURATION + 1 }))
  })

  it('names the nearest option for an unknown one', () => {
    const near: [string, string][] = [
      ['acquireTimeOut', 'acquireTimeout'],
      ['acquire_timeout', 'acquireTimeout'],
      ['aquireTimeot', 'acquireTimeout'],
      ['acquire', 'acquireTimeout'],
      ['labels', 'label'],
      ['maximum', 'size'],
      ['passwrod', 'password'],
    ]
    for (const [wrong, right] of near) {
      assert.equal(
        refusal(() => read({ [wrong]: 1 })),
        `${wrong} is not an option in the test; did you mean ${right}?`,
      )
    }
  })

  it('suggests nothing when nothing is near', () => {
    for (const name of ['x', 'zebra', 'tls', 'constructor', 'toString', 'hasOwnProperty']) {
      assert.equal(
        refusal(() => read({ [name]: 1 })),
        `${name} is not an option in the test`,
      )
    }
    const polluting: unknown = JSON.parse('{"__proto__": {"size": 3}}')
    assert.equal(
      refusal(() => read(polluting)),
      '__proto__ is not an option in the test',
    )
  })

  it('refuses an unknown option even when its value is undefined', () => {
    refusal(() => read({ sizes: undefined }))
  })

  it('suggests every name for any change of one letter in it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(table)),
        fc.nat(30),
        fc.constantFrom('x', 'q', ''),
        (name, at, put) => {
          const index = at % name.length
          const wrong = name.slice(0, index) + put + name.slice(index + 1)
          if (Object.hasOwn(table, wrong)) return
          assert.match(
            refusal(() => read({ [wrong]: 1 })),
            new RegExp(`did you mean ${name}\\?$`),
          )
        },
      ),
    )
  })

  it('refuses what could be mistaken for options', () => {
    class Config {
      size = 3
    }
    for (const input of [
      null,
      5,
      'redis://:hunter2@host',
      true,
      [],
      new Map(),
      new Config(),
      Promise.resolve(),
      () => 1,
    ]) {
      const message = refusal(() => read(input))
      assert.match(message, /^the test: expected a plain object, got /)
      assert.doesNotMatch(message, /hunter2/)
    }
  })

  it('accepts plain objects without a prototype or of another realm', () => {
    assert.equal(read(Object.assign(Object.create(null), { size: 3 })).size, 3)
    assert.equal(read(runInNewContext('({ size: 4 })')).size, 4)
  })

  it('reads no value from a polluted Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'size', { value: 77, configurable: true, writable: true })
    try {
      assert.equal(read({}).size, 10)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'size')
    }
  })

  it('never shows the value of a secret, nor a string that could be one', () => {
    assert.equal(
      refusal(() => read({ password: 12345 })),
      'password: expected a string, got a number',
    )
    assert.equal(
      refusal(() => read({ size: 'redis://:hunter2@host' })),
      'size: expected a whole number from 1 to 100, got a string of 21 characters',
    )
    assert.equal(
      refusal(() => read({ 'redis://:hunter2@host': 1 })),
      'A name is not an option in the test',
    )
  })

  it('reads values from text as a query has them', () => {
    assert.equal(readText('acquireTimeout', table.acquireTimeout, '2m', 'the URL'), 120_000)
    assert.equal(readText('size', table.size, '7', 'the URL'), 7)
    assert.equal(readText('eager', table.eager, 'true', 'the URL'), true)
    assert.equal(readText('version', table.version, '2', 'the URL'), 2)
    for (const raw of ['', '0', '101', '1.5', '-1', '1e1', '0x5', ' 5', '５']) {
      refusal(() => readText('size', table.size, raw, 'the URL'))
    }
    for (const raw of ['1', '0', 'yes', 'TRUE', '']) refusal(() => readText('eager', table.eager, raw, 'the URL'))
    assert.equal(
      refusal(() => readText('acquireTimeout', table.acquireTimeout, '5x', 'the URL')),
      'acquireTimeout in the URL: expected a whole number of milliseconds from 0 to 2147483647, ' +
        "or a duration such as 500ms, 5s or 2m, got the string '5x'",
    )
  })
})

describe('a duration as text', () => {
  it('is milliseconds, seconds, minutes or hours', () => {
    assert.equal(parseDuration('0'), 0)
    assert.equal(parseDuration('250'), 250)
    assert.equal(parseDuration('500ms'), 500)
    assert.equal(parseDuration('5s'), 5_000)
    assert.equal(parseDuration('2m'), 120_000)
    assert.equal(parseDuration('1h'), 3_600_000)
  })

  it('is nothing else', () => {
    for (const text of ['', 's', '5 s', '5S', '-5s', '+5', '1.5s', '5d', '5sec', '1e3', '99999999999', '5s5s']) {
      assert.equal(parseDuration(text), undefined, text)
    }
  })
})

describe('a secret', () => {
  it('shows nothing of itself', () => {
    const secret = new Secret({ passphrase: 'hunter2' })
    const shown = [
      inspect(secret, { depth: 9, showHidden: true }),
      inspect({ secret }),
      JSON.stringify({ secret }),
      `${secret}`,
      JSON.stringify(Object.entries(secret)),
      JSON.stringify(structuredClone({ ...secret })),
    ]
    for (const each of shown) assert.doesNotMatch(each, /hunter2|passphrase/)
    assert.equal(secret.reveal().passphrase, 'hunter2')
  })
})
