// Owns the scene of rate-limit-redis: a limiter under concurrency lets exactly its limit pass.
import assert from 'node:assert/strict'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import { RedisStore } from 'rate-limit-redis'
import { listen } from './http.js'

export const name = 'rate-limit-redis'
export const packages = ['rate-limit-redis', 'express-rate-limit']
const LIMIT = 100
const CALLS = 400

/** @param {import('./index.js').Stage} stage */
export async function run({ open, defer, server }) {
  const client = await open()
  const store = new RedisStore({ sendCommand: (...args) => client.sendCommand(args) })
  const app = express()
  app.use(rateLimit({ windowMs: 60_000, limit: LIMIT, store, validate: false, keyGenerator: (req) => req.query.who }))
  app.get('/', (_, res) => res.end('in'))
  const base = await listen(app, defer)

  assert.deepEqual(await visit(base, 'ann'), { 200: LIMIT, 429: CALLS - LIMIT })
  // The scripts are gone: the store loads them again.
  await server.ask('SCRIPT', 'FLUSH')
  assert.deepEqual(await visit(base, 'bob'), { 200: LIMIT, 429: CALLS - LIMIT })
  assert.deepEqual(await visit(base, 'ann'), { 429: CALLS })
  await store.resetKey('ann')
  assert.deepEqual(await visit(base, 'ann'), { 200: LIMIT, 429: CALLS - LIMIT })
  return `${CALLS} requests at once, 3 windows: ${LIMIT} passed in each; SCRIPT FLUSH between, resetKey`
}

/** @param {string} base @param {string} who */
async function visit(base, who) {
  /** @type {Record<number, number>} */
  const seen = {}
  const answers = await Promise.all(Array.from({ length: CALLS }, () => fetch(`${base}/?who=${who}`)))
  for (const { status } of answers) seen[status] = (seen[status] ?? 0) + 1
  return seen
}
