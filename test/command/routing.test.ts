// Where a command may run, and what it leaves behind on its connection.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  blockingTimeoutOf,
  type Route,
  refusalOf,
  routeOf,
  type SessionEffect,
  sessionEffectOf,
  staticRouteOf,
} from '../../src/command/routing.js'

const INFINITY = Number.POSITIVE_INFINITY

function split(command: string): string[] {
  return command.split(' ')
}

describe('routeOf', () => {
  const routes: Record<Route, string[]> = {
    shared: [
      'GET key',
      'SET BLPOP WATCH',
      'CLIENT ID',
      'CLIENT INFO',
      'CLIENT GETNAME',
      'CLIENT KILL ID 7',
      'CLIENT LIST',
      'CLIENT PAUSE 7',
      'CLIENT UNBLOCK 7',
      'CLIENT UNPAUSE',
      'SCRIPT LOAD code',
      'SHUTDOWN',
      'DEBUG SLEEP 0',
      'PUBLISH channel message',
      'PUBSUB CHANNELS',
      'XREAD STREAMS key 0-0',
      'XREAD COUNT 7 STREAMS BLOCK 0-0',
      'XREADGROUP GROUP BLOCK BLOCK COUNT 7 NOACK STREAMS key >',
      'XREADGROUP GROUP g c STREAMS BLOCK 7 > >',
      'NOSUCHCOMMAND BLOCK 0',
      'EVAL code 0',
    ],
    blocking: [
      'BLPOP key 0',
      'brpop key 0',
      'BRPOPLPUSH a b 0',
      'BLMOVE a b LEFT RIGHT 0',
      'BLMOVEM a b LEFT RIGHT 0',
      'BLMPOP 0 1 key LEFT',
      'BZPOPMIN key 0',
      'BZPOPMAX key 0',
      'BZMPOP 0 1 key MIN',
      'WAIT 1 0',
      'waitAof 1 1 0',
      'XREAD BLOCK 0 STREAMS key $',
      'xread count 7 block 0 streams key $',
      'XREADGROUP GROUP STREAMS STREAMS BLOCK 7 STREAMS key >',
      'XREADGROUP GROUP g c CLAIM 7 NOACK BLOCK 7 STREAMS key >',
      'XREAD MAXCOUNT 7 MAXSIZE 8 BLOCK 9 STREAMS key $',
    ],
    session: [
      'SELECT 1',
      'watch key',
      'UNWATCH',
      'MULTI',
      'EXEC',
      'DISCARD',
      'SUBSCRIBE c',
      'PSUBSCRIBE c',
      'SSUBSCRIBE c',
      'UNSUBSCRIBE',
      'PUNSUBSCRIBE',
      'SUNSUBSCRIBE',
      'MONITOR',
      'AUTH secret',
      'HELLO 3',
      'RESET',
      'QUIT',
      'ASKING',
      'READONLY',
      'READWRITE',
      'CLIENT REPLY OFF',
      'client tracking on',
      'CLIENT CACHING YES',
      'CLIENT SETNAME x',
      'CLIENT NO-EVICT ON',
      'CLIENT NO-TOUCH ON',
      'CLIENT SETINFO LIB-NAME x',
      'SCRIPT DEBUG YES',
      'PSYNC ? -1',
      'SYNC',
      'REPLCONF x y',
      'HIMPORT PREPARE x a b',
    ],
  }

  for (const [route, commands] of Object.entries(routes)) {
    it(`calls these ${route}`, () => {
      for (const command of commands) {
        assert.equal(routeOf(split(command)), route, command)
        const bytes = split(command).map((word) => Buffer.from(word))
        assert.equal(routeOf(bytes), route, `${command}, as Buffers`)
      }
    })
  }

  it('survives what is no command', () => {
    assert.equal(routeOf([]), 'shared')
    assert.equal(routeOf(['CLIENT']), 'shared')
    assert.equal(routeOf(['XREAD']), 'shared')
    assert.equal(routeOf(['XREADGROUP', 'GROUP']), 'shared')
    assert.equal(routeOf(['__proto__']), 'shared')
  })
})

describe('staticRouteOf', () => {
  it('leaves to the arguments only what depends on them', () => {
    assert.equal(staticRouteOf('XREAD'), 'by-arguments')
    assert.equal(staticRouteOf('XREADGROUP'), 'by-arguments')
    assert.equal(staticRouteOf('GET'), 'shared')
    assert.equal(staticRouteOf('BLPOP'), 'blocking')
    assert.equal(staticRouteOf('CLIENT TRACKING'), 'session')
  })
})

describe('blockingTimeoutOf', () => {
  it('finds the timeout where each command has it, in milliseconds', () => {
    const timeouts: [string, number | undefined][] = [
      ['BLPOP a b 1.5', 1500],
      ['BRPOP a 2', 2000],
      ['BRPOPLPUSH a b 2', 2000],
      ['BLMOVE a b LEFT RIGHT 2', 2000],
      ['BLMOVEM a b LEFT RIGHT 2 COUNT 7 OBO', 2000],
      ['BLMPOP 2 1 key LEFT COUNT 7', 2000],
      ['BZMPOP 2 1 key MIN', 2000],
      ['BZPOPMIN a b 2', 2000],
      ['BZPOPMAX a 2', 2000],
      ['WAIT 1 200', 200],
      ['WAITAOF 1 1 200', 200],
      ['XREAD BLOCK 200 STREAMS key $', 200],
      ['XREADGROUP GROUP BLOCK 7 BLOCK 200 STREAMS key >', 200],
      ['XREAD STREAMS BLOCK 200', undefined],
      ['GET key', undefined],
      ['WATCH key', undefined],
    ]
    for (const [command, timeout] of timeouts) assert.equal(blockingTimeoutOf(split(command)), timeout, command)
  })

  it('takes zero for no timeout, and sets none of its own for what the server will refuse', () => {
    for (const command of ['BLPOP a 0', 'WAIT 1 0', 'XREAD BLOCK 0 STREAMS a $', 'BLPOP a x', 'BLPOP a -1', 'WAIT']) {
      assert.equal(blockingTimeoutOf(split(command)), INFINITY, command)
    }
  })

  it('reads a Buffer too', () => {
    assert.equal(blockingTimeoutOf([Buffer.from('blpop'), Buffer.from('a'), Buffer.from('0.25')]), 250)
  })
})

describe('sessionEffectOf', () => {
  it('says how the connection can be cleaned', () => {
    const effects: [string, SessionEffect][] = [
      ['GET key', 'none'],
      ['BLPOP key 0', 'none'],
      ['CLIENT ID', 'none'],
      ['WATCH key', 'watch'],
      ['unwatch', 'unwatch'],
      ['SELECT 1', 'select'],
      ['MULTI', 'multi'],
      ['EXEC', 'exec'],
      ['DISCARD', 'discard'],
      ['HELLO 2', 'unknown'],
      ['CLIENT REPLY OFF', 'unknown'],
      ['SUBSCRIBE c', 'unknown'],
    ]
    for (const [command, effect] of effects) assert.equal(sessionEffectOf(split(command)), effect, command)
  })

  it('is none for whatever may run on a shared connection', () => {
    assert.equal(sessionEffectOf(['NOSUCHCOMMAND']), 'none')
    assert.equal(sessionEffectOf([]), 'none')
  })
})

describe('refusalOf', () => {
  it('says in one sentence what to do instead', () => {
    assert.equal(
      refusalOf(['select', '1']),
      'SELECT concerns one connection, and this handle has many: open a handle with the `database` option, or use lease()',
    )
    assert.match(refusalOf(['client', 'setname', 'x']) ?? '', /^CLIENT SETNAME .* `clientName` option/)
  })

  it('has no word of the arguments', () => {
    assert.doesNotMatch(refusalOf(['AUTH', 'user', 'hunter2']) ?? '', /hunter2|user /)
  })

  it('refuses nothing else', () => {
    assert.equal(refusalOf(['GET', 'key']), undefined)
    assert.equal(refusalOf(['BLPOP', 'key', '0']), undefined)
  })
})
