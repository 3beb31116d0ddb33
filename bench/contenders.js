// Owns how each client under test is made and called. Knows nothing about measuring.
// Nothing is imported until `connect` runs, so that a process loads the one client it measures.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { connectFloor } from './floor.js'

/**
 * What a measurement may ask of a connected client.
 * @typedef {object} Session
 * @property {(key: string) => Promise<string | null>} get
 * @property {(key: string, value: string) => Promise<unknown>} set
 * @property {(key: string) => Promise<unknown>} [blpop]  waits for ever, on a connection of its own
 * @property {(count: number) => Promise<() => Promise<void>>} [hold]  takes `count` connections; the result gives them back
 * @property {(mode: import('./observed.js').Mode) => Promise<() => Promise<void>>} [observe]  switches it on; the result, off
 * @property {() => Promise<unknown> | unknown} close
 *
 * @typedef {object} Contender
 * @property {string} id
 * @property {string} title
 * @property {'respool' | 'peer' | 'floor'} role
 * @property {string[]} packages  whose versions are reported
 * @property {(url: string, options?: { connections?: number, waiting?: number }) => Promise<Session | import('./floor.js').Floor>} connect
 */

const LONG = 120_000
const respoolEntry = new URL('../dist/index.js', import.meta.url)

/** @param {string} url @param {Record<string, unknown>} options @returns {Promise<Session>} */
async function connectRespool(url, options) {
  const { Redis } = await import(respoolEntry.href)
  const redis = new Redis(url, options)
  return {
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    blpop: (key) => redis.blPop(key, 0),
    hold: async (count) => {
      const leases = await Promise.all(Array.from({ length: count }, () => redis.lease()))
      return async () => {
        await Promise.all(leases.map((lease) => lease.release()))
      }
    },
    observe: async (mode) => (await import('./observed.js')).observe(redis.pool, mode),
    close: () => redis.close(),
  }
}

/** @param {string} url @param {Record<string, unknown>} options @returns {Promise<Session>} */
async function connectIoredis(url, options) {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, options)
  return { get: (key) => redis.get(key), set: (key, value) => redis.set(key, value), close: () => redis.disconnect() }
}

/**
 * Holds connections of a pool whose only way to lend one is for the length of a task.
 * @param {number} count @param {(task: () => Promise<void>) => Promise<unknown>} run
 */
async function holdByTasks(count, run) {
  /** @type {Array<() => void>} */
  const ends = []
  /** @type {Promise<unknown>[]} */
  const tasks = []
  await new Promise((resolve) => {
    for (let i = 0; i < count; i++) {
      const task = run(
        () =>
          new Promise((end) => {
            if (ends.push(end) === count) resolve(undefined)
          }),
      )
      tasks.push(task)
    }
  })
  return async () => {
    for (const end of ends) end()
    await Promise.all(tasks)
  }
}

/** @param {string} url @param {{ connections?: number, waiting?: number }} options @returns {Promise<Session>} */
async function connectNodeRedisPool(url, { connections = 10, waiting }) {
  const { createClientPool } = await import('redis')
  const pool = createClientPool(
    { url },
    { maximum: connections, cleanupDelay: LONG, ...(waiting && { acquireTimeout: LONG }) },
  )
  pool.on('error', rethrow)
  await pool.connect()
  return {
    get: (key) => pool.get(key),
    set: (key, value) => pool.set(key, value),
    blpop: (key) => pool.execute((client) => client.blPop(key, 0)),
    hold: (count) => holdByTasks(count, (task) => pool.execute(task)),
    close: () => pool.destroy(),
  }
}

/** @param {string} url @param {{ connections?: number, waiting?: number }} options @returns {Promise<Session>} */
async function connectGenericPool(url, { connections = 10, waiting }) {
  const [{ Redis }, genericPool] = await Promise.all([import('ioredis'), import('generic-pool')])
  const pool = genericPool.default.createPool(
    { create: async () => new Redis(url), destroy: async (client) => client.disconnect() },
    { max: connections, ...(waiting && { acquireTimeoutMillis: LONG }) },
  )
  return {
    get: (key) => pool.use((client) => client.get(key)),
    set: (key, value) => pool.use((client) => client.set(key, value)),
    blpop: (key) => pool.use((client) => client.blpop(key, 0)),
    hold: (count) =>
      holdByTasks(count, (task) =>
        pool.use(async (client) => {
          await client.ping()
          await task()
        }),
      ),
    close: async () => {
      await pool.drain()
      await pool.clear()
    },
  }
}

/** @type {Contender[]} */
export const contenders = [
  {
    id: 'respool',
    title: 'respool',
    role: 'respool',
    packages: [],
    connect: (url, { connections = 10, waiting } = {}) =>
      connectRespool(url, {
        maxConnections: connections,
        // A deadline for every command, as a service would have it; it is off by default.
        commandTimeout: LONG,
        ...(waiting && { maxWaiting: waiting, acquireTimeout: LONG }),
      }),
  },
  {
    id: 'respool-classic',
    title: 'respool, pipelining 1, 10 connections',
    role: 'respool',
    packages: [],
    connect: (url, { connections = 10, waiting } = {}) =>
      connectRespool(url, {
        maxConnections: connections,
        pipelining: 1,
        // A deadline for every command, as a service would have it; it is off by default.
        commandTimeout: LONG,
        ...(waiting && { maxWaiting: waiting, acquireTimeout: LONG }),
      }),
  },
  {
    id: 'ioredis',
    title: 'ioredis',
    role: 'peer',
    packages: ['ioredis'],
    connect: (url) => connectIoredis(url, {}),
  },
  {
    id: 'ioredis-auto',
    title: 'ioredis, enableAutoPipelining',
    role: 'peer',
    packages: ['ioredis'],
    connect: (url) => connectIoredis(url, { enableAutoPipelining: true }),
  },
  {
    id: 'node-redis',
    title: 'node-redis client',
    role: 'peer',
    packages: ['redis'],
    connect: async (url) => {
      const { createClient } = await import('redis')
      const client = createClient({ url })
      client.on('error', rethrow)
      await client.connect()
      return {
        get: (key) => client.get(key),
        set: (key, value) => client.set(key, value),
        close: () => client.destroy(),
      }
    },
  },
  {
    id: 'node-redis-pool',
    title: 'node-redis pool, 10 connections',
    role: 'peer',
    packages: ['redis'],
    connect: (url, options = {}) => connectNodeRedisPool(url, options),
  },
  {
    id: 'generic-pool',
    title: 'generic-pool + ioredis, 10 connections',
    role: 'peer',
    packages: ['generic-pool', 'ioredis'],
    connect: (url, options = {}) => connectGenericPool(url, options),
  },
  {
    id: 'glide',
    title: 'GLIDE',
    role: 'peer',
    packages: ['@valkey/valkey-glide'],
    connect: async (url) => {
      const { GlideClient } = await import('@valkey/valkey-glide')
      const { hostname, port } = new URL(url)
      const client = await GlideClient.createClient({
        addresses: [{ host: hostname, port: Number(port) }],
        inflightRequestsLimit: 20_000,
        requestTimeout: 30_000,
      })
      return {
        get: (key) => /** @type {Promise<string | null>} */ (client.get(key)),
        set: (key, value) => client.set(key, value),
        close: () => client.close(),
      }
    },
  },
  {
    id: 'floor',
    title: 'raw floor: two sockets, no promises',
    role: 'floor',
    packages: [],
    connect: (url) => connectFloor(url),
  },
]

/** @param {string} id @returns {Contender} */
export function contender(id) {
  const found = contenders.find((each) => each.id === id)
  if (!found) throw new Error(`no contender '${id}'; there are ${contenders.map((each) => each.id).join(', ')}`)
  return found
}

/** Fails before anything is measured when respool itself has not been built. @param {Contender[]} chosen */
export function assertBuilt(chosen) {
  if (chosen.some((each) => each.role === 'respool') && !existsSync(respoolEntry)) {
    throw new Error(`${fileURLToPath(respoolEntry)} is missing: run \`npm run build\` in the repository's root first`)
  }
}

/** Versions of the packages that the chosen contenders stand on. @param {Contender[]} chosen */
export function versions(chosen) {
  const require = createRequire(import.meta.url)
  /** @type {Record<string, string>} */
  const found = {}
  for (const { role, packages } of chosen) {
    if (role === 'respool') found.respool = versionIn(fileURLToPath(new URL('../package.json', import.meta.url)))
    for (const name of packages) {
      const folder = (require.resolve.paths(name) ?? []).find((path) => existsSync(`${path}/${name}/package.json`))
      found[name] = folder ? versionIn(`${folder}/${name}/package.json`) : 'not installed'
    }
  }
  return found
}

/** @param {string} file @returns {string} */
const versionIn = (file) => JSON.parse(readFileSync(file, 'utf8')).version

/** @param {Error} error @returns {never} */
function rethrow(error) {
  throw error
}
