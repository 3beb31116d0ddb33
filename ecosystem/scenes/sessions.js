// Owns the scene of connect-redis: sessions of a real http server, and what the store tells of them.
import assert from 'node:assert/strict'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { listen } from './http.js'

export const name = 'connect-redis'
export const packages = ['connect-redis', 'express-session']
const USERS = 50

/** @param {import('./index.js').Stage} stage */
export async function run({ open, defer, server }) {
  const store = new RedisStore({ client: await open(), prefix: 'sess:', ttl: 600 })
  const app = express()
  app.use(session({ store, secret: 'a secret of this run', resave: false, saveUninitialized: false }))
  app.get('/visit', (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json({ id: req.sessionID, visits: req.session.visits })
  })
  app.get('/look', (req, res) => res.json({ visits: req.session.visits ?? 0 }))
  app.get('/leave', (req, res) => req.session.destroy((error) => res.json({ error: error?.message ?? null })))
  const base = await listen(app, defer)

  const users = await Promise.all(Array.from({ length: USERS }, () => ask(`${base}/visit`)))
  for (let round = 2; round <= 5; round++) {
    const bodies = await Promise.all(users.map(({ cookie }) => ask(`${base}/visit`, cookie)))
    for (const { body } of bodies) assert.equal(body.visits, round)
  }
  const ids = users.map(({ body }) => body.id).sort()
  assert.equal(await store.length(), USERS)
  assert.deepEqual((await store.ids()).sort(), ids)
  assert.deepEqual(
    (await store.all()).map(({ id, visits }) => `${id} ${visits}`).sort(),
    ids.map((id) => `${id} 5`),
  )

  const first = users[0]
  const key = `sess:${first.body.id}`
  await server.ask('EXPIRE', key, '5')
  await ask(`${base}/look`, first.cookie)
  const ttl = Number((await server.ask('TTL', key)).slice(1))
  assert.ok(ttl > 500, `a read session is touched, its TTL is ${ttl}`)

  assert.deepEqual((await ask(`${base}/leave`, first.cookie)).body, { error: null })
  assert.equal(await server.ask('EXISTS', key), ':0\r\n')
  assert.equal((await ask(`${base}/look`, first.cookie)).body.visits, 0)
  assert.equal(await store.length(), USERS - 1)
  await server.ask('SET', 'beside', '1')
  await store.clear()
  assert.equal(await store.length(), 0)
  assert.equal(await server.ask('EXISTS', 'beside'), ':1\r\n')
  return `${USERS} sessions x 5 visits over http; touch, destroy, ids, all, length, clear`
}

/** @param {string} url @param {string} [cookie] */
async function ask(url, cookie) {
  const response = await fetch(url, { headers: cookie === undefined ? {} : { cookie } })
  assert.equal(response.status, 200)
  return { body: await response.json(), cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '' }
}
