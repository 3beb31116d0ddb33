// Row F5: what the holder of a lease did to its session is never seen by the next one.

import { isDeepStrictEqual } from 'node:util'
import { Redis } from '../../../src/index.js'
import { Witness } from '../../live/support-live.js'
import {
  SESSION_POOLS,
  SESSION_USERS,
  type Succession,
  succeed,
  untouched,
  WATCHED,
  whereabouts,
} from '../../live/support-sessions.js'
import { seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

/** Enough to see what is wrong. */
const EXAMPLES = 12

export async function dirtySessions(context: Context): Promise<Outcome> {
  const { seed } = context
  const sequences = Math.ceil(context.scale(1_000, 10_000) / SESSION_POOLS.length)
  await using server = await RedisProcess.start({ acl: SESSION_USERS })
  await using witness = await Witness.connect(server.port)
  const tally = { dirty: 0, undone: 0, same: 0, seen: 0, wrong: 0, kept: 0, kinds: new Set<string>() }
  const examples: string[] = []
  for (const [index, { options, database }] of SESSION_POOLS.entries()) {
    const random = seeded(seed + index)
    await using redis = new Redis(server.url, { ...options, database })
    await redis.set('where', whereabouts(database))
    await redis.set(WATCHED, 'value')
    for (let left = sequences; left > 0; left--) {
      const found = await succeed(redis, witness, database, random)
      const { trace, names } = found.left
      for (const name of names) tally.kinds.add(name)
      if (trace === 'lost') tally.dirty++
      if (trace === 'undone') tally.undone++
      if (found.isSame) tally.same++
      if (trace === 'lost' && found.isSame) tally.kept++
      const isClean = isDeepStrictEqual(found.session, untouched(database))
      if (!isClean) tally.seen++
      const isRight = readsRight(found, database)
      if (!isRight) tally.wrong++
      if (!(isClean && isRight)) examples.push(`behind ${names.join(', ')}: ${JSON.stringify(found)}`)
    }
  }
  const { dirty, undone, same, seen, wrong, kept, kinds } = tally
  const all = sequences * SESSION_POOLS.length
  return {
    operations: all * 5,
    faults: dirty + undone,
    verdict: { ...CLEAN, crossed: wrong },
    examples: examples.slice(0, EXAMPLES),
    checks: [
      { what: 'holders that did what they liked', value: all, is: 'at least', limit: 1_000 },
      { what: 'things that they did', value: kinds.size, is: 'at least', limit: 25 },
      { what: 'sessions that only a new connection could clean', value: dirty, is: 'at least', limit: all / 5 },
      { what: 'sessions that could be put right', value: undone, is: 'at least', limit: all / 10 },
      { what: 'next holders on the same connection', value: same, is: 'at least', limit: all / 10 },
      { what: 'next holders who found something', value: seen, is: 'exactly', limit: 0 },
      { what: 'next holders on a connection that had to go', value: kept, is: 'exactly', limit: 0 },
    ],
  }
}

function readsRight({ shared, inTransaction }: Succession, database: number): boolean {
  return shared === whereabouts(database) && isDeepStrictEqual(inTransaction, [whereabouts(database)])
}
