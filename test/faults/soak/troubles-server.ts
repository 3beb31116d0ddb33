// Owns the faults of a soak that happen at the server: it stops, refuses, forgets its role, or another takes its place.

import { setTimeout as sleep } from 'node:timers/promises'
import { Witness } from '../../live/support-live.js'
import { between, pick } from '../../support/random.js'
import type { Hit, Run, Trouble } from './trouble.js'

/** A port where no master listens. */
const NOBODY = ['127.0.0.1', '1'] as const

export const SERVER_TROUBLES: readonly Trouble[] = [
  {
    name: 'A: CLIENT KILL',
    run: async ({ stage }) => {
      await stage.server.cli('CLIENT', 'KILL', 'TYPE', 'normal')
    },
  },
  {
    name: 'A: the server restarts',
    run: async ({ stage, random }) => {
      await stage.server.shutDown()
      await sleep(between(random, 50, 600))
      await stage.server.restart()
    },
  },
  {
    name: 'B: the server stops in its tracks',
    run: async ({ stage: { server }, random }) => {
      await server.kill('SIGSTOP')
      await sleep(between(random, 100, 900))
      await server.kill('SIGCONT')
    },
  },
  {
    name: 'B: CLIENT PAUSE',
    run: async ({ stage, random }) => {
      const pause = between(random, 100, 800)
      await stage.server.cli('CLIENT', 'PAUSE', String(pause), pick(random, ['ALL', 'WRITE']))
      await sleep(pause)
    },
  },
  { name: 'C: a script does not end', run: endless },
  { name: 'C: too many clients', run: tooManyClients },
  { name: 'C: out of memory', run: configured('maxmemory', '1', '0') },
  { name: 'C: no replicas', run: configured('min-replicas-to-write', '1', '0') },
  { name: 'C: read only', run: demoted },
  {
    name: 'C: its master is down',
    run: async (hit) => {
      const { server } = hit.stage
      await server.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'no')
      await demoted(hit)
      await server.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'yes')
    },
  },
  { name: 'C: loading', run: loading },
  {
    name: 'C: no permission',
    run: async ({ stage: { server }, random }) => {
      await server.cli('ACL', 'SETUSER', 'default', '-incr')
      await sleep(between(random, 50, 300))
      await server.cli('ACL', 'SETUSER', 'default', '+incr')
    },
  },
  { name: 'D: another server takes over', run: ({ stage }) => stage.handOver() },
]

function configured(name: string, on: string, off: string): Run {
  return async ({ stage: { server }, random }) => {
    await server.cli('CONFIG', 'SET', name, on)
    await sleep(between(random, 50, 400))
    await server.cli('CONFIG', 'SET', name, off)
  }
}

async function endless({ stage: { server }, random }: Hit): Promise<void> {
  const script = server.cli('EVAL', 'while true do end', '0').catch(() => {})
  await sleep(between(random, 50, 300))
  await server.cli('SCRIPT', 'KILL')
  await script
}

async function demoted({ stage: { server }, random }: Hit): Promise<void> {
  await server.cli('REPLICAOF', ...NOBODY)
  await sleep(between(random, 50, 400))
  await server.cli('REPLICAOF', 'NO', 'ONE')
}

async function tooManyClients({ stage, proxy, random }: Hit): Promise<void> {
  // Once there are too many, nobody else could call it off.
  await using witness = await Witness.connect(stage.server.port)
  await witness.ask('CONFIG', 'SET', 'maxclients', String(between(random, 1, 4)))
  proxy.killAll()
  await sleep(between(random, 100, 500))
  await witness.ask('CONFIG', 'SET', 'maxclients', '10000')
}

async function loading({ stage, random }: Hit): Promise<void> {
  await using witness = await Witness.connect(stage.server.port)
  const keys = Number(await witness.ask('DBSIZE'))
  const microseconds = between(random, 50, 300) * 1_000
  await witness.ask('CONFIG', 'SET', 'key-load-delay', String(Math.round(microseconds / Math.max(1, keys))))
  await witness.ask('DEBUG', 'RELOAD')
  await witness.ask('CONFIG', 'SET', 'key-load-delay', '0')
}
