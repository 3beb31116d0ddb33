// A subscriber in virtual time: losses, outages and servers that do not answer, down to the millisecond.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { Subscriber, type Subscription } from '../../src/client/subscriber.js'
import type { SubscriptionGap } from '../../src/client/subscription-gap.js'
import type { TextListener } from '../../src/client/subscriptions.js'
import type { ModelConnection } from '../support/model-connection.js'
import { World, type WorldOptions } from '../support/pool-harness.js'
import type { Wire } from '../support/resp.js'

/** One call of subscribe() and what became of it. */
interface Attempt {
  state: 'waiting' | 'confirmed' | 'failed'
  error: unknown
  took: number
}

class Stage {
  readonly world: World
  readonly subscriber: Subscriber
  readonly gaps: SubscriptionGap[] = []
  /** What was told, in order: messages, and `gap`. */
  readonly told: string[] = []
  readonly listen: TextListener = (message, channel) => void this.told.push(`${channel}: ${message}`)
  /** Channels whose SUBSCRIBE the server does not answer. */
  readonly unanswered = new Set<string>()
  /** Called with each channel that the server has confirmed. */
  confirmed: (connection: ModelConnection, channel: string) => void = () => {}
  readonly sent: string[] = []

  constructor(options: WorldOptions = {}) {
    this.world = new World(options)
    this.world.server.listened = (connection, args) => this.#answer(connection, args)
    this.subscriber = new Subscriber(this.world.pool, (gap) => {
      this.gaps.push(gap)
      this.told.push('gap')
    })
  }

  /** The connection that listens. */
  get connection(): ModelConnection {
    const [connection] = this.world.server.open.filter(({ state }) => state === 'open')
    assert.ok(connection !== undefined, 'nobody listens')
    return connection
  }

  subscribe(names: string | readonly string[], options: Partial<Subscription> = {}): Attempt {
    const attempt: Attempt = { state: 'waiting', error: undefined, took: Number.NaN }
    const from = this.world.clock.now()
    const settle = (state: Attempt['state'], error?: unknown): void => {
      Object.assign(attempt, { state, error, took: this.world.clock.now() - from })
    }
    const listener = { takes: 'text', call: this.listen } as const
    const wanted = { kind: 'channel', names: [names].flat(), listener, timeout: 0, signal: undefined } as const
    this.subscriber.subscribe({ ...wanted, ...options }).then(
      () => settle('confirmed'),
      (error: unknown) => settle('failed', error),
    )
    return attempt
  }

  async subscribed(names: string | readonly string[]): Promise<void> {
    const attempt = this.subscribe(names)
    await this.world.run(20)
    assert.equal(attempt.state, 'confirmed', String(attempt.error))
  }

  /** The server is gone, and with it the connection. */
  goDown(): void {
    this.world.server.welcome = 'refuse'
    this.connection.cut()
  }

  unsubscribe(...names: string[]): Promise<void> {
    const { subscriptions } = this.subscriber
    return this.subscriber.unsubscribe(subscriptions.all().filter(({ name }) => names.includes(name)))
  }

  async end(): Promise<void> {
    this.world.pool.destroy('destroyed')
    await this.world.assertNothingLeft()
  }

  #answer(connection: ModelConnection, args: readonly string[]): { reply?: Wire } | undefined {
    const [name = '', channel = ''] = args
    if (name !== 'SUBSCRIBE' && name !== 'UNSUBSCRIBE') return undefined
    this.sent.push(`${name} ${channel}`)
    if (this.unanswered.has(channel)) return {}
    connection.push(name.toLowerCase(), channel, '1')
    if (name === 'SUBSCRIBE') this.confirmed(connection, channel)
    return {}
  }
}

function listener(told: string[], name: string): { takes: 'text'; call: TextListener } {
  return { takes: 'text', call: (message) => void told.push(`${name}: ${message}`) }
}

function assertCode(attempt: Attempt, code: string, outcome: string): void {
  assert.ok(attempt.error instanceof Error, `it is ${attempt.state}`)
  assert.deepEqual([Reflect.get(attempt.error, 'code'), Reflect.get(attempt.error, 'outcome')], [code, outcome])
}

describe('a server that confirms and then hangs up', () => {
  it('is dialed ever more rarely, and not any more once nobody listens', async () => {
    const stage = new Stage()
    const { world } = stage
    stage.confirmed = (connection) => void world.server.later(1, () => connection.cut('fin'))
    await stage.subscribed('news')
    await world.run(3_000)
    assert.ok(world.server.dials.length < 30, `${world.server.dials.length} dials in 3 s`)
    assert.ok(world.server.dials.length > 3, 'it gave up')
    void stage.unsubscribe('news')
    const dials = world.server.dials.length
    await world.run(10_000)
    assert.equal(world.server.dials.length, dials)
    await stage.end()
  })

  it('is dialed at once when the connection had lasted', async () => {
    const stage = new Stage({ idleTimeout: 0, pingInterval: 0 })
    await stage.subscribed('news')
    for (let round = 1; round <= 3; round++) {
      await stage.world.run(1_500)
      stage.connection.cut()
      await stage.world.run(10)
      assert.equal(stage.gaps.length, round)
    }
    await stage.end()
  })

  it('leaves no timer when the pool ends during a pause', async () => {
    for (const end of ['close', 'destroy'] as const) {
      const stage = new Stage({ backoffMin: 60_000, backoffMax: 60_000 })
      await stage.subscribed('news')
      stage.connection.cut()
      await stage.world.run(50)
      const late = stage.subscribe('other')
      if (end === 'close') await stage.world.pool.close(0)
      await stage.world.settle()
      if (end === 'destroy') stage.world.pool.destroy('destroyed')
      await stage.world.assertNothingLeft()
      assertCode(late, 'ERR_POOL_CLOSED', 'not-sent')
    }
  })
})

describe('a call that waits to listen', () => {
  it('fails after acquireTimeout in an outage, says why, and leaves the other channels as they are', async () => {
    const stage = new Stage({ acquireTimeout: 500 })
    await stage.subscribed('old')
    stage.goDown()
    await stage.world.run(100)
    const late = stage.subscribe(['new', 'old'])
    await stage.world.run(600)
    assertCode(late, 'ERR_POOL_TIMEOUT', 'not-sent')
    assert.ok(late.took >= 500 && late.took < 520, `it took ${late.took} ms`)
    assert.match(String(late.error), /subscriber waited 50\d ms.*failing-dials: .*ECONNREFUSED/s)
    stage.world.server.welcome = 'accept'
    await stage.world.run(2_000)
    assert.deepEqual(
      stage.gaps.map(({ channels }) => channels),
      [['old']],
    )
    assert.deepEqual(stage.subscriber.subscriptions.names('channel'), ['old'])
    stage.connection.push('message', 'old', 'again')
    assert.deepEqual(stage.told, ['gap', 'old: again'])
    await stage.end()
  })

  it('waits by its own clock, however early another gives up', async () => {
    const stage = new Stage({ acquireTimeout: 500 })
    stage.world.server.welcome = 'refuse'
    const first = stage.subscribe('c', { listener: listener(stage.told, 'first') })
    await stage.world.run(450)
    const second = stage.subscribe('c', { listener: listener(stage.told, 'second') })
    await stage.world.run(100)
    assert.deepEqual([first.state, second.state], ['failed', 'waiting'])
    stage.world.server.welcome = 'accept'
    await stage.world.run(395)
    assert.equal(second.state, 'confirmed')
    stage.connection.push('message', 'c', 'message')
    assert.deepEqual(stage.told, ['second: message'])
    await stage.end()
  })

  it('keeps the listener when another call put the same one in and still waits', async () => {
    const stage = new Stage({ acquireTimeout: 500 })
    stage.world.server.welcome = 'refuse'
    const first = stage.subscribe('c')
    await stage.world.run(450)
    const second = stage.subscribe('c')
    await stage.world.run(100)
    stage.world.server.welcome = 'accept'
    await stage.world.run(395)
    assert.deepEqual([first.state, second.state], ['failed', 'confirmed'])
    stage.connection.push('message', 'c', 'message')
    assert.deepEqual(stage.told, ['c: message'])
    await stage.end()
  })

  it('fails after commandTimeout when the server does not confirm, and takes the channel back', async () => {
    const stage = new Stage()
    await stage.subscribed('old')
    stage.unanswered.add('new')
    const attempt = stage.subscribe(['old', 'new'], { timeout: 100 })
    await stage.world.run(150)
    assertCode(attempt, 'ERR_COMMAND_TIMEOUT', 'ambiguous')
    assert.ok(attempt.took >= 100 && attempt.took < 110, `it took ${attempt.took} ms`)
    assert.deepEqual(stage.sent, ['SUBSCRIBE old', 'SUBSCRIBE new', 'UNSUBSCRIBE new'])
    assert.deepEqual(stage.subscriber.subscriptions.names('channel'), ['old'])
    await stage.end()
  })

  it('fails after commandTimeout when there is no connection, and nothing was sent', async () => {
    const stage = new Stage()
    stage.world.server.welcome = 'refuse'
    const attempt = stage.subscribe('c', { timeout: 100 })
    await stage.world.run(150)
    assertCode(attempt, 'ERR_COMMAND_TIMEOUT', 'not-sent')
    assert.equal(stage.world.stats.waiting.total, 0)
    await stage.end()
  })

  it('fails without any timeout of its own too when connections are lost under it again and again', async () => {
    const stage = new Stage({ socketTimeout: 1_000 })
    stage.unanswered.add('c')
    const attempt = stage.subscribe('c')
    await stage.world.run(10_000)
    assertCode(attempt, 'ERR_CONNECTION', 'ambiguous')
    assert.equal(stage.sent.length, 4)
    assert.ok(stage.subscriber.subscriptions.isEmpty)
    const dials = stage.world.server.dials.length
    await stage.world.run(10_000)
    assert.equal(stage.world.server.dials.length, dials)
    await stage.end()
  })

  it('fails when its signal is aborted, and leaves nothing on it', async () => {
    const stage = new Stage()
    stage.unanswered.add('new')
    await stage.subscribed('old')
    const ending = new AbortController()
    const reason = new Error('enough')
    const answered = stage.subscribe('old', { signal: ending.signal })
    const attempts = ['new', 'new'].map((name) => stage.subscribe(name, { signal: ending.signal }))
    await stage.world.run(50)
    ending.abort(reason)
    await stage.world.settle()
    assert.equal(answered.state, 'confirmed')
    assert.deepEqual(
      attempts.map(({ error }) => error),
      [reason, reason],
    )
    const late = stage.subscribe('later', { signal: ending.signal })
    await stage.world.settle()
    assert.equal(late.error, reason)
    assert.deepEqual(stage.subscriber.subscriptions.names('channel'), ['old'])
    assert.equal(getEventListeners(ending.signal, 'abort').length, 0)
    await stage.end()
  })

  it('learns at once of a login that is refused, while what was there before is tried again', async () => {
    const stage = new Stage({ backoffMax: 200 })
    await stage.subscribed('old')
    stage.world.server.helloError = 'WRONGPASS no such user'
    stage.connection.cut()
    await stage.world.run(20)
    const late = stage.subscribe('new')
    await stage.world.run(300)
    assert.match(String(late.error), /WRONGPASS/)
    stage.world.server.helloError = undefined
    await stage.world.run(500)
    assert.equal(stage.gaps.length, 1)
    await stage.end()
  })
})

describe('a wait for a connection to listen on', () => {
  it('ends, and its dials with it, when all is unsubscribed in an outage', async () => {
    const stage = new Stage()
    await stage.subscribed('news')
    stage.goDown()
    await stage.world.run(2_000)
    await stage.unsubscribe('news')
    await stage.world.settle()
    assert.equal(stage.world.stats.waiting.total, 0)
    const dials = stage.world.server.dials.length
    await stage.world.run(10_000)
    assert.ok(stage.world.server.dials.length <= dials + 1)
    await stage.end()
  })

  it('ends when the program gives up dialing: who waits is told, and a gap names what is heard no more', async () => {
    let isPatient = true
    const stage = new Stage({ backoff: () => (isPatient ? 10 : false) })
    await stage.subscribed(['a', 'b'])
    stage.goDown()
    await stage.world.run(100)
    const late = stage.subscribe(['b', 'c'])
    isPatient = false
    await stage.world.run(50)
    assertCode(late, 'ERR_CONNECTION', 'not-sent')
    const [gap] = stage.gaps
    assert.ok(gap !== undefined && stage.gaps.length === 1)
    assert.deepEqual([gap.channels, gap.refused.map(({ name }) => name)], [[], ['a', 'b']])
    assert.ok(gap.refused.every(({ error }) => /ECONNREFUSED/.test(error.message)))
    assert.ok(stage.subscriber.subscriptions.isEmpty)
    const dials = stage.world.server.dials.length
    await stage.world.run(60_000)
    assert.equal(stage.world.server.dials.length, dials)
    stage.world.server.welcome = 'accept'
    await stage.subscribed('a')
    await stage.end()
  })
})

describe('a program that gives up dialing', () => {
  it('listens no more while other connections are there, and commands go on', async () => {
    const stage = new Stage({ backoff: () => false })
    await stage.world.warm()
    let listening: ModelConnection | undefined
    stage.confirmed = (connection) => {
      listening = connection
    }
    await stage.subscribed('a')
    stage.world.server.welcome = 'refuse'
    listening?.cut()
    await stage.world.run(50)
    assert.deepEqual(
      stage.gaps.map(({ refused }) => refused.map(({ name }) => name)),
      [['a']],
    )
    const dials = stage.world.server.dials.length
    await stage.world.run(10_000)
    assert.equal(stage.world.server.dials.length, dials)
    await stage.world.warm()
    await stage.end()
  })

  it('does so too where the server accepts and hangs up', async () => {
    const stage = new Stage({ backoff: () => false })
    await stage.subscribed('a')
    await stage.world.run(2_000)
    stage.world.server.listened = (connection, [name]) => {
      if (name !== 'SUBSCRIBE') return undefined
      connection.cut('fin')
      return {}
    }
    stage.connection.cut()
    await stage.world.run(50)
    assert.deepEqual(
      stage.gaps.map(({ refused }) => refused.map(({ name }) => name)),
      [['a']],
    )
    const dials = stage.world.server.dials.length
    await stage.world.run(10_000)
    assert.equal(stage.world.server.dials.length, dials)
    await stage.end()
  })
})

describe('messages between a loss and the gap', () => {
  it('come behind the gap, in their order, over a second loss too', async () => {
    const stage = new Stage()
    await stage.subscribed(['a', 'b'])
    stage.unanswered.add('b')
    stage.confirmed = (connection) => connection.push('message', 'a', 'early')
    stage.connection.cut()
    await stage.world.run(50)
    stage.connection.push('message', 'a', 'still early')
    assert.deepEqual(stage.told, [])
    stage.unanswered.clear()
    stage.confirmed = () => {}
    stage.connection.cut()
    await stage.world.run(50)
    stage.connection.push('message', 'a', 'late')
    assert.deepEqual(stage.told, ['gap', 'a: early', 'a: still early', 'a: late'])
    await stage.end()
  })

  it('are told when what kept them back is unsubscribed, and not to who is gone', async () => {
    const stage = new Stage()
    await stage.subscribed(['a', 'b', 'c'])
    stage.unanswered.add('c')
    stage.connection.cut()
    await stage.world.run(50)
    for (const channel of ['a', 'b']) stage.connection.push('message', channel, 'early')
    void stage.unsubscribe('b')
    assert.deepEqual(stage.told, [])
    void stage.unsubscribe('c')
    assert.deepEqual(stage.told, ['gap', 'a: early'])
    await stage.end()
  })

  it('come one behind the other even where a listener makes it end once more', async () => {
    const stage = new Stage()
    await stage.subscribed(['a', 'b', 'c'])
    stage.subscribe('a', {
      listener: { takes: 'text', call: () => void stage.unsubscribe('b') },
    })
    const last = stage.subscribe('a', { listener: listener(stage.told, 'last') })
    await stage.world.settle()
    assert.equal(last.state, 'confirmed')
    stage.unanswered.add('c')
    stage.connection.cut()
    await stage.world.run(50)
    for (const message of ['1', '2']) stage.connection.push('message', 'a', message)
    void stage.unsubscribe('c')
    assert.deepEqual(stage.told, ['gap', 'a: 1', 'last: 1', 'a: 2', 'last: 2'])
    await stage.end()
  })
})
