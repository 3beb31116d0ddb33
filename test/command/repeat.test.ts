// Which commands may be sent a second time when the reply to the first was lost.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mayRepeat, RETRY_MODES, type RetryMode } from '../../src/command/repeat.js'

/** The modes in which a command may be repeated. */
function modesOf(line: string): RetryMode[] {
  return RETRY_MODES.filter((mode) => mayRepeat(line.split(' '), mode))
}

describe('a command whose reply was lost', () => {
  it('is repeated in all modes but none when it only reads', () => {
    for (const line of ['GET k', 'mget a b', 'HGETALL h', 'SCAN 0', 'PING', 'ECHO x', 'XRANGE s - +', 'EVAL_RO s 0']) {
      assert.deepEqual(modesOf(line), ['safe', 'idempotent', 'at-least-once'], line)
    }
  })

  it('is repeated where the last write wins only when asked for', () => {
    for (const line of ['SET k v', 'SET k v EX 60', 'set k v', 'DEL k', 'HSET h f v', 'SADD s m', 'ZADD z 1 m']) {
      assert.deepEqual(modesOf(line), ['idempotent', 'at-least-once'], line)
    }
  })

  it('is repeated at the risk of applying it twice only when that is asked for', () => {
    const lines = ['INCR k', 'LPUSH l a', 'APPEND k v', 'PUBLISH c m', 'LPOP l', 'GETDEL k', 'EVAL s 0', 'XADD s * f v']
    const conditional = [
      'SET k v NX',
      'SET k v xx',
      'SET k v GET',
      'ZADD z INCR 1 m',
      'ZADD z nx 1 m',
      'EXPIREAT k 1 GT',
    ]
    for (const line of [...lines, ...conditional, 'NOT.KNOWN k'])
      assert.deepEqual(modesOf(line), ['at-least-once'], line)
  })

  it('is never repeated when it blocks or concerns one connection', () => {
    for (const line of [
      'BLPOP l 0',
      'XREAD BLOCK 0 STREAMS s $',
      'WAIT 1 0',
      'SELECT 1',
      'WATCH k',
      'CLIENT REPLY OFF',
    ]) {
      assert.deepEqual(modesOf(line), [], line)
    }
  })
})
