// Owns which client the scenes stand on: respool as it was built, or node-redis to see what a scene asks of a client.
import { existsSync } from 'node:fs'

const built = new URL('../dist/index.js', import.meta.url)

/**
 * @typedef {'respool' | 'node-redis' | 'node-redis-pool'} ClientName
 * @typedef {(options: Record<string, unknown>) => any} Make
 */

export const CLIENTS = /** @type {const} */ (['respool', 'node-redis', 'node-redis-pool'])

/** @param {ClientName} name @returns {Promise<Make>} */
export async function clientOf(name) {
  if (name === 'respool') {
    if (!existsSync(built)) throw new Error('respool is not built: npm run build')
    return (await import(built.href)).createClient
  }
  const redis = await import('redis')
  return name === 'node-redis' ? redis.createClient : redis.createClientPool
}
