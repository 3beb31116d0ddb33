// The encoder against a naive one, at every size where it takes another way.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ArgumentError } from '../../src/base/errors.js'
import { Decoder } from '../../src/resp/decoder.js'
import { type Argument, Encoder } from '../../src/resp/encoder.js'
import type { Reply } from '../../src/resp/types.js'
import { RESP_TYPES } from '../../src/resp/types.js'

const KIB = 1024

function naive(args: readonly Argument[]): Buffer {
  const parts = args.flatMap((arg) => [`$${Buffer.byteLength(arg)}\r\n`, arg, '\r\n'])
  return Buffer.concat([`*${args.length}\r\n`, ...parts].map((part) => Buffer.from(part)))
}

/** What goes out in one flush, copied as the kernel would. */
function flushed(encoder: Encoder): Buffer {
  const out: Buffer[] = []
  encoder.flush((chunk) => {
    out.push(Buffer.from(chunk))
    return true
  })
  return Buffer.concat(out)
}

function encoded(...commands: (readonly Argument[])[]): Buffer {
  const encoder = new Encoder()
  for (const command of commands) encoder.encode(command)
  return flushed(encoder)
}

/** `assert.deepEqual` on buffers prints megabytes. */
function assertSame(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  assert.fail(`${what}: differs at byte ${at} (${actual.length} bytes against ${expected.length})`)
}

const around = (size: number): number[] => [size - 2, size - 1, size, size + 1, size + 2].filter((each) => each >= 0)
const SIZES = [0, 1, 2, ...[10, 24, 100, 1_000].flatMap(around)]
// 16 KiB: large arguments go alone; a third of it and of 64 KiB: what a string may need at most; 64 KiB: a chunk.
const LARGE_SIZES = [16 * KIB, Math.floor((16 * KIB) / 3) - 6, Math.floor((64 * KIB) / 3) - 8, 64 * KIB].flatMap(around)

describe('the encoder', () => {
  it('writes strings and Buffers of every size as a naive one does', () => {
    for (const size of [...SIZES, ...LARGE_SIZES, 200 * KIB]) {
      const text = 'x'.repeat(size)
      for (const arg of [text, Buffer.from(text)]) {
        const command = ['SET', 'key', arg, 'EX', '60']
        assertSame(encoded(command), naive(command), `${typeof arg} of ${size}`)
      }
    }
  })

  it('counts bytes, not characters, with multi-byte text at every size', () => {
    for (const character of ['é', '€', '😀', '\ud800', '\udc00x']) {
      for (const size of [...SIZES, ...LARGE_SIZES]) {
        const text = character.repeat(Math.ceil(size / character.length))
        assertSame(encoded(['ECHO', text]), naive(['ECHO', text]), `${size} of ${JSON.stringify(character)}`)
      }
      for (let lead = 0; lead < 30; lead++) {
        const text = `${'a'.repeat(lead)}${character}${'b'.repeat(30 - lead)}`
        assertSame(encoded(['ECHO', text]), naive(['ECHO', text]), `${JSON.stringify(character)} after ${lead}`)
      }
    }
  })

  it('replaces lone surrogates, as the runtime does, and keeps pairs', () => {
    const command = ['SET', '\udc00', 'a\ud83d', '\ud83d\ude00', '\ude00\ud83d']
    assertSame(encoded(command), naive(command), 'surrogates')
    assert.ok(encoded(['ECHO', '\ud800']).includes('\ufffd'))
  })

  it('writes commands of 1 to 100 000 arguments', () => {
    for (const count of [1, 9, 10, 11, 99, 100, 101, 9_999, 100_000]) {
      const command = Array.from({ length: count }, (_, index) => `a${index}`)
      assertSame(encoded(command), naive(command), `${count} arguments`)
    }
  })

  it('keeps CR, LF and NUL inside their argument', () => {
    const command = ['SET', 'a\r\n$3\r\nfoo', Buffer.from([13, 10, 0, 255]), '']
    assertSame(encoded(command), naive(command), 'control characters')
  })

  it('keeps commands whole and in order while chunks fill up', () => {
    const command = (index: number): Argument[] => [
      'SET',
      `key:${index}`,
      index % 7 === 0 ? Buffer.alloc((index * 331) % (40 * KIB), index) : 'é'.repeat((index * 17) % 3_000),
    ]
    const commands = Array.from({ length: 400 }, (_, index) => command(index))
    assertSame(encoded(...commands), Buffer.concat(commands.map(naive)), '400 commands')
  })

  it('does not copy a large Buffer', () => {
    const large = Buffer.alloc(16 * KIB, 'v')
    const encoder = new Encoder()
    encoder.encode(['SET', 'key', large])
    const out: Buffer[] = []
    encoder.flush((chunk) => {
      out.push(chunk)
      return false
    })
    assert.ok(out.includes(large))
    assertSame(Buffer.concat(out), naive(['SET', 'key', large]), 'around a large Buffer')
  })

  it('uses its memory again only once a write says that it is done with it', () => {
    const encoder = new Encoder()
    const out: Buffer[] = []
    const flush = (done: boolean): void => {
      encoder.flush((chunk) => {
        out.push(chunk)
        return done
      })
    }
    encoder.encode(['ECHO', 'first'])
    flush(false)
    encoder.encode(['ECHO', 'other'])
    assertSame(out[0] ?? Buffer.alloc(0), naive(['ECHO', 'first']), 'a chunk that is still being written')
    flush(true)
    encoder.encode(['ECHO', 'third'])
    flush(true)
    const [first, second, third] = out
    assert.notEqual(first?.buffer, second?.buffer)
    assert.equal(second?.buffer, third?.buffer, 'a chunk that is written is used again')
    assertSame(out[0] ?? Buffer.alloc(0), naive(['ECHO', 'first']), 'the first chunk, later')
  })

  it('never writes again into a chunk that went out full', () => {
    const encoder = new Encoder()
    const commands = Array.from({ length: 40 }, (_, index) => ['SET', `k${index}`, 'v'.repeat(5_000)])
    const out: Buffer[] = []
    const flush = (): void => {
      encoder.flush((chunk) => {
        out.push(chunk)
        return false
      })
    }
    for (const [index, command] of commands.entries()) {
      encoder.encode(command)
      if (index % 20 === 19) flush()
    }
    assertSame(Buffer.concat(out), Buffer.concat(commands.map(naive)), 'kept by a slow socket')
  })

  it('counts what is pending, and forgets it when told to', () => {
    const encoder = new Encoder()
    const commands = [['PING'], ['SET', 'k', Buffer.alloc(70 * KIB)], ['SET', 'k', 'é'.repeat(30_000)]]
    let bytes = 0
    for (const command of commands) {
      encoder.encode(command)
      bytes += naive(command).length
      assert.equal(encoder.pending, bytes)
    }
    encoder.clear()
    assert.equal(encoder.pending, 0)
    assert.equal(flushed(encoder).length, 0)
    encoder.encode(['PING'])
    assertSame(flushed(encoder), naive(['PING']), 'after clear')
    assert.equal(encoder.pending, 0)
  })

  it('refuses what is neither string nor Buffer before a byte of the command is encoded', () => {
    for (const bad of [undefined, null, 1, Number.NaN, true, {}, ['a'], 1n, Symbol('s'), () => {}, new Date()]) {
      for (const size of [1, 20 * KIB, 70 * KIB]) {
        const encoder = new Encoder()
        encoder.encode(['PING'])
        const command: unknown[] = ['SET', 'x'.repeat(size), bad]
        const encode: (args: never) => void = encoder.encode.bind(encoder)
        const untyped = (args: unknown): void => Reflect.apply(encode, undefined, [args])
        assert.throws(
          () => untyped(command),
          (error) => {
            assert.ok(error instanceof ArgumentError)
            assert.equal(error.outcome, 'not-sent')
            assert.ok(!error.message.includes('xx'), 'the error shows an argument')
            return true
          },
        )
        assert.equal(encoder.pending, naive(['PING']).length)
        encoder.encode(['ECHO', 'next'])
        assertSame(flushed(encoder), Buffer.concat([naive(['PING']), naive(['ECHO', 'next'])]), 'what stands around it')
      }
    }
  })

  it('is understood by the decoder, whatever the arguments', () => {
    const argument = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(15, 16, 17, 63, 64, 65).map((kib) => Buffer.alloc(kib * KIB, kib)),
      fc.constantFrom(5_400, 5_500, 21_800, 22_000).map((size) => 'ä'.repeat(size)),
    )
    const command = fc.array(argument, { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 6 }), (commands) => {
        const bytes = encoded(...commands)
        assertSame(bytes, Buffer.concat(commands.map(naive)), 'random commands')
        const seen: Reply[] = []
        const decoder = new Decoder({
          onReply: (value) => seen.push(value),
          onErrorReply: (error) => assert.fail(error),
          onPush: () => assert.fail('a push'),
          replyMapping: () => ({ [RESP_TYPES.BLOB_STRING]: Buffer }),
        })
        decoder.write(bytes, bytes.length)
        assert.deepEqual(
          seen,
          commands.map((args) => args.map((arg) => Buffer.from(arg))),
        )
      }),
      { numRuns: 200 },
    )
  })
})

describe('a Buffer that is detached', () => {
  const own = (size: number): Buffer<ArrayBuffer> => Buffer.from(new ArrayBuffer(size))
  const transfer = ({ buffer }: Buffer<ArrayBuffer>): void => void structuredClone(buffer, { transfer: [buffer] })

  it('before it is encoded is refused, and the encoder stays as it was', () => {
    const gone = own(10)
    transfer(gone)
    const encoder = new Encoder()
    encoder.encode(['GET', 'a'])
    for (const command of [
      ['SET', 'k', gone],
      ['SET', Buffer.alloc(20 * KIB), gone],
    ]) {
      assert.throws(() => encoder.encode(command), ArgumentError)
    }
    encoder.encode(['SET', 'k', Buffer.alloc(0)])
    assertSame(flushed(encoder), Buffer.concat([naive(['GET', 'a']), naive(['SET', 'k', ''])]), 'the others')
  })

  it('between encode and flush is noticed when it goes out without a copy, and does not matter else', () => {
    const large = own(20 * KIB)
    const small = own(10)
    const encoder = new Encoder()
    encoder.encode(['SET', 'k', small])
    transfer(small)
    assert.equal(encoder.isIntact, true)
    encoder.encode(['SET', 'k', large])
    assert.equal(encoder.isIntact, true)
    transfer(large)
    assert.equal(encoder.isIntact, false)
    encoder.clear()
    assert.equal(encoder.isIntact, true)
  })
})
