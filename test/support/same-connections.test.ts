// A connection that the pool forgot, and one that it only believes to have, are both found.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { Redis } from '../../src/index.js'
import { liveSkip, RedisProcess } from './redis-process.js'
import { sameConnections } from './same-connections.js'

const saying = (total: number) => ({ stats: () => ({ connections: { total } }) })

describe('sameConnections', { skip: liveSkip }, () => {
  it('agrees with a pool while it opens and closes connections', async () => {
    await using server = await RedisProcess.start()
    const redis = new Redis(server.url, { maxConnections: 4 })
    await Promise.all([redis.lease(() => {}), redis.lease(() => {}), redis.get('key')])
    assert.ok((await sameConnections(server, redis.pool)) > 0)
    await redis.close()
    assert.equal(await sameConnections(server, redis.pool), 0)
  })

  it('finds a connection that the pool does not know, by name', async () => {
    await using server = await RedisProcess.start()
    const socket = connect(server.port, '127.0.0.1')
    socket.write('CLIENT SETNAME forgotten\r\n')
    await once(socket, 'data')
    const failure = { message: /the server sees 1 connections, the pools say 0\n.*name=forgotten/ }
    await assert.rejects(sameConnections(server, saying(0), { within: 20 }), failure)
    assert.equal(await sameConnections(server, saying(0), { only: ({ name }) => name !== 'forgotten' }), 0)
    socket.destroy()
    assert.equal(await sameConnections(server, saying(0)), 0)
  })

  it('finds that pools count one that is gone, all of them together', async () => {
    await using server = await RedisProcess.start()
    const failure = { message: 'the server sees 0 connections, the pools say 3' }
    await assert.rejects(sameConnections(server, [saying(1), saying(2)], { within: 20 }), failure)
  })
})
