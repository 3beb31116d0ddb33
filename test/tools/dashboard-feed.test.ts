// What the dashboard knows of a pool over time: since when something is wrong, and what was wrong before.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionPool } from '../../src/index.js'
import { PoolFeed } from '../../src/tools/dashboard-feed.js'
import { COLUMNS, type PageEvent, type PointRow } from '../../src/tools/dashboard-messages.js'

describe('what is wrong', () => {
  it('is told with its beginning, which a good second between does not change, and as an event each time', async () => {
    const pool = new ConnectionPool('redis://127.0.0.1:1')
    // A recording keeps no process alive.
    const awake = setInterval(() => {}, 1_000)
    let loopDelay = 0
    const feed = new PoolFeed(0, pool, () => loopDelay)
    const events: PageEvent[] = []
    const heard: ((row: PointRow) => void)[] = []
    const unfollow = feed.follow({ point: (row) => heard.shift()?.(row), event: (event) => events.push(event) })
    const after = async (delay: number) => {
      loopDelay = delay
      const row = await new Promise<PointRow>((resolve) => heard.push(resolve))
      assert.equal(row.length, COLUMNS.length)
      const { finding, last } = feed.news([feed.summary])
      return { cause: finding.cause, since: finding.since, last }
    }
    const first = await after(300)
    assert.equal(first.cause, 'blocked-loop')
    assert.equal(feed.summary.cause, 'blocked-loop')
    const calm = await after(0)
    assert.deepEqual([calm.cause, calm.last?.cause, calm.last?.since], ['healthy', 'blocked-loop', first.since])
    const again = await after(300)
    assert.deepEqual([again.cause, again.since], ['blocked-loop', first.since])
    assert.deepEqual(
      events.map((event) => (event.kind === 'finding' ? event.cause : event.kind)),
      ['blocked-loop', 'healthy', 'blocked-loop'],
    )
    assert.deepEqual(feed.events(), events)
    assert.equal(feed.rows().length, 3)
    clearInterval(awake)
    unfollow()
    feed.stop()
    await pool.close()
  })
})
