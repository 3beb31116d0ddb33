// MONITOR in virtual time: losses, refusals and servers that do not answer.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { Monitor } from '../../src/client/monitor.js'
import { Redis } from '../../src/index.js'
import { until } from '../live/support-live.js'
import { FakeServer } from '../support/fake-server.js'
import { World, type WorldOptions } from '../support/pool-harness.js'
import { OK, type Wire } from '../support/resp.js'

class Stage {
  readonly world: World
  readonly ends: unknown[] = []
  readonly lines: string[] = []
  state: 'waiting' | 'begun' | 'failed' = 'waiting'
  error: unknown
  /** What the server answers; undefined for nothing. */
  reply: Wire | undefined = OK
  asked = 0

  constructor(options: WorldOptions = {}) {
    this.world = new World(options)
    this.world.server.listened = (_, [name]) => {
      if (name !== 'MONITOR') return undefined
      this.asked++
      return this.reply === undefined ? {} : { reply: this.reply }
    }
  }

  async start(timeout = 0, signal?: AbortSignal): Promise<void> {
    const tell = (line: Buffer): void => void this.lines.push(line.toString())
    const ended = (error: unknown): void => void this.ends.push(error)
    const monitor = new Monitor(this.world.pool, { tell, ended, timeout, signal })
    monitor.start().then(
      () => {
        this.state = 'begun'
      },
      (error: unknown) => {
        this.state = 'failed'
        this.error = error
      },
    )
    await this.world.run(20)
  }

  cut(): void {
    for (const connection of this.world.server.open) connection.cut()
  }

  async end(): Promise<void> {
    this.world.pool.destroy('destroyed')
    await this.world.assertNothingLeft()
  }
}

describe('a monitor', () => {
  it('begins again after a loss, with pauses where connections do not last', async () => {
    const stage = new Stage()
    await stage.start()
    assert.equal(stage.state, 'begun')
    for (const end = stage.world.clock.now() + 3_000; stage.world.clock.now() < end; ) {
      stage.cut()
      await stage.world.run(5)
    }
    assert.ok(stage.asked > 3 && stage.asked < 30, `asked ${stage.asked} times`)
    await stage.world.run(2_000)
    for (const connection of stage.world.server.open) connection.inject('+1.5 [0 127.0.0.1:1] "PING"\r\n')
    assert.deepEqual([stage.lines.length, stage.ends], [1, []])
    await stage.end()
  })

  it('tells when the server refuses it on the next connection, and holds none any more', async () => {
    const stage = new Stage()
    await stage.start()
    stage.reply = new Error('NOPERM no permissions to run MONITOR')
    stage.cut()
    await stage.world.run(100)
    assert.deepEqual(
      stage.ends.map((error) => /NOPERM/.test(String(error))),
      [true],
    )
    assert.equal(stage.world.stats.holders.length, 0)
    await stage.end()
  })

  it('tells when the program gives up dialing', async () => {
    const stage = new Stage({ backoff: () => false })
    await stage.start()
    stage.world.server.welcome = 'refuse'
    stage.cut()
    await stage.world.run(100)
    assert.match(String(stage.ends), /ECONNREFUSED/)
    const dials = stage.world.server.dials.length
    await stage.world.run(60_000)
    assert.deepEqual([stage.world.server.dials.length, stage.ends.length], [dials, 1])
    await stage.end()
  })

  it('that is refused at first rejects, and tells nothing else', async () => {
    const stage = new Stage()
    stage.reply = new Error('NOPERM no permissions to run MONITOR')
    await stage.start()
    assert.match(String(stage.error), /NOPERM/)
    assert.deepEqual(stage.ends, [])
    await stage.end()
  })

  it('that has no connection in time rejects with what exhausted the pool', async () => {
    const stage = new Stage({ acquireTimeout: 200 })
    stage.world.server.welcome = 'refuse'
    await stage.start()
    await stage.world.run(250)
    assert.match(String(stage.error), /ConnectionPoolTimeoutError: MONITOR waited 20\d ms/)
    assert.equal(stage.world.stats.waiting.total, 0)
    await stage.end()
  })

  it('that gets no answer rejects after commandTimeout, else after some lost connections', async () => {
    for (const timeout of [100, 0]) {
      const stage = new Stage({ socketTimeout: 1_000 })
      stage.reply = undefined
      await stage.start(timeout)
      await stage.world.run(timeout === 0 ? 10_000 : 100)
      assert.equal(Reflect.get(Object(stage.error), 'code'), timeout > 0 ? 'ERR_COMMAND_TIMEOUT' : 'ERR_CONNECTION')
      assert.equal(stage.asked, timeout > 0 ? 1 : 4)
      await stage.end()
    }
  })

  it('leaves no timer and no listener on its signal when the pool ends while it waits or pauses', async () => {
    for (const begins of [true, false]) {
      const stage = new Stage({ backoffMin: 60_000, backoffMax: 60_000 })
      const ending = new AbortController()
      if (!begins) stage.world.server.welcome = 'refuse'
      await stage.start(0, ending.signal)
      if (begins) stage.cut()
      await stage.world.run(50)
      await stage.world.pool.close(0)
      await stage.world.assertNothingLeft()
      assert.equal(getEventListeners(ending.signal, 'abort').length, 0)
      assert.equal(stage.state, begins ? 'begun' : 'failed')
      assert.deepEqual(stage.ends, [])
    }
  })
})

describe('the monitor of a handle', () => {
  it('that is refused on the next connection emits error', async () => {
    await using server = await FakeServer.start()
    server.expect('MONITOR').reply(OK)
    server.expect('MONITOR').reply(new Error('NOPERM no permissions to run MONITOR'))
    await using redis = new Redis(server.url, { protocol: 2 })
    const errors: Error[] = []
    redis.on('error', (error) => errors.push(error))
    await redis.monitor(() => {})
    for (const connection of server.open) connection.fin()
    await until('the refusal is told', () => errors.some(({ message }) => /NOPERM/.test(message)))
  })
})
