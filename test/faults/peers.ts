// Other clients as subjects, for the comparison: loaded at run time from bench/, which has them as its own
// dependencies. The types are what the comparison needs and no more.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Subject } from './subject.js'

export interface Peer {
  readonly name: string
  connect(port: number): Promise<Subject>
}

interface IoredisBatch {
  rpush(key: string, value: string): IoredisBatch
  incr(key: string): IoredisBatch
  set(key: string, value: string): IoredisBatch
  exec(): Promise<[error: Error | null, reply: unknown][] | null>
}

interface Ioredis {
  echo(nonce: string): Promise<string>
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<string>
  rpush(key: string, value: string): Promise<number>
  incr(key: string): Promise<number>
  multi(): IoredisBatch
  on(event: 'error', listener: (error: Error) => void): void
  disconnect(): void
}

interface NodeRedisBatch {
  rPush(key: string, value: string): NodeRedisBatch
  incr(key: string): NodeRedisBatch
  set(key: string, value: string): NodeRedisBatch
  exec(): Promise<unknown[]>
}

interface NodeRedis {
  connect(): Promise<unknown>
  echo(nonce: string): Promise<string>
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<string | null>
  rPush(key: string, value: string): Promise<number>
  incr(key: string): Promise<number>
  multi(): NodeRedisBatch
  on(event: 'error', listener: (error: Error) => void): void
  destroy(): void
}

/** From build/test/faults. */
const BENCH = new URL('../../../bench/', import.meta.url)

export const HOW_TO_GET_PEERS = 'npm --prefix bench ci'

/** The peers that are installed, in the versions that bench/ pins. */
export function installedPeers(): readonly Peer[] {
  const load = createRequire(new URL('package.json', BENCH))
  const peers: Peer[] = []
  const ioredis = versionOf('ioredis')
  if (ioredis !== undefined) {
    peers.push({
      name: `ioredis ${ioredis}`,
      connect: (port) => {
        const { Redis }: { Redis: new (port: number, host: string) => Ioredis } = load('ioredis')
        return connectIoredis(new Redis(port, '127.0.0.1'))
      },
    })
  }
  const nodeRedis = versionOf('redis')
  if (nodeRedis !== undefined) {
    peers.push({
      name: `node-redis ${nodeRedis}`,
      connect: (port) => {
        const { createClient }: { createClient: (options: { url: string }) => NodeRedis } = load('redis')
        return connectNodeRedis(createClient({ url: `redis://127.0.0.1:${port}` }))
      },
    })
  }
  return peers
}

function versionOf(name: string): string | undefined {
  const file = new URL(`node_modules/${name}/package.json`, BENCH)
  if (!existsSync(file)) return undefined
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'))
  return String(Reflect.get(Object(manifest), 'version'))
}

async function connectIoredis(redis: Ioredis): Promise<Subject> {
  redis.on('error', () => {})
  await redis.echo('ready')
  return {
    name: 'ioredis',
    echo: (nonce) => redis.echo(nonce),
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    rpush: (key, value) => redis.rpush(key, value),
    incr: (key) => redis.incr(key),
    transaction: async ({ list, counter, mark }, value) => {
      const replies = (await redis.multi().rpush(list, value).incr(counter).set(mark, value).exec()) ?? []
      return replies.map(([error, reply]) => {
        if (error) throw error
        return reply
      })
    },
    // Its errors do not say what became of the command.
    outcomeOf: () => undefined,
    close: async () => redis.disconnect(),
  }
}

async function connectNodeRedis(redis: NodeRedis): Promise<Subject> {
  redis.on('error', () => {})
  await redis.connect()
  return {
    name: 'node-redis',
    echo: (nonce) => redis.echo(nonce),
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    rpush: (key, value) => redis.rPush(key, value),
    incr: (key) => redis.incr(key),
    transaction: ({ list, counter, mark }, value) =>
      redis.multi().rPush(list, value).incr(counter).set(mark, value).exec(),
    // Its errors do not say what became of the command.
    outcomeOf: () => undefined,
    close: async () => redis.destroy(),
  }
}
