// Owns the raw floor: what two sockets can do when nobody encodes, parses or awaits. Not a client: replies are counted,
// not read, so a client that hands out values can approach these figures and never reach them.
import { createConnection } from 'node:net'
import { keys, nextKey, values } from './workload.js'

/**
 * @typedef {object} Floor
 * @property {(op: 'get' | 'set', callers: number, replied: (count: number) => void, latency: (ms: number) => void) => () => Promise<void>} saturate
 * @property {() => void} close
 */

const COMMANDS = 4_096
const REPLY_BYTES = { get: '$64\r\n'.length + 64 + 2, set: '+OK\r\n'.length }

/** @param {string[]} args */
const encode = (args) => `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`

/** @param {'get' | 'set'} op */
function encodeMany(op) {
  const commands = Array.from({ length: COMMANDS }, () => {
    const k = nextKey()
    return encode(op === 'get' ? ['GET', keys[k] ?? ''] : ['SET', keys[k] ?? '', values[k] ?? ''])
  })
  return Buffer.from(commands.join(''))
}

/** @param {string} url @returns {Promise<Floor>} */
export async function connectFloor(url) {
  const encoded = { get: encodeMany('get'), set: encodeMany('set') }
  const lanes = await Promise.all([openLane(url), openLane(url)])
  return {
    saturate(op, callers, replied, latency) {
      const active = callers === 1 ? lanes.slice(0, 1) : lanes
      const stops = active.map((lane) =>
        lane.run(encoded[op], REPLY_BYTES[op], callers / active.length, replied, latency),
      )
      return async () => {
        await Promise.all(stops.map((stop) => stop()))
      }
    },
    close() {
      for (const lane of lanes) lane.close()
    },
  }
}

/** @param {string} url */
async function openLane(url) {
  /** @type {(bytes: number) => void} */
  let received = () => {}
  const { hostname, port } = new URL(url)
  const socket = createConnection({
    host: hostname,
    port: Number(port),
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(65_536),
      callback: (bytes) => {
        received(bytes)
        return true
      },
    },
  })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))

  /**
   * Keeps `depth` commands in flight: each reply is answered with a new command.
   * @param {Buffer} commands @param {number} replyBytes @param {number} depth
   * @param {(count: number) => void} replied @param {(ms: number) => void} latency
   */
  const run = (commands, replyBytes, depth, replied, latency) => {
    const commandBytes = commands.length / COMMANDS
    let offset = 0
    let inFlight = 0
    let partial = 0
    let running = true
    let timedFrom = 0
    let timedLeft = 0
    /** @type {() => void} */
    let drained = () => {}
    /** @param {number} count */
    const write = (count) => {
      if (timedLeft === 0) {
        timedFrom = performance.now()
        timedLeft = inFlight + count
      }
      inFlight += count
      for (let left = count; left > 0; ) {
        const n = Math.min(left, COMMANDS - offset)
        socket.write(commands.subarray(offset * commandBytes, (offset + n) * commandBytes))
        offset = (offset + n) % COMMANDS
        left -= n
      }
    }
    received = (bytes) => {
      partial += bytes
      const count = Math.floor(partial / replyBytes)
      partial -= count * replyBytes
      inFlight -= count
      replied(count)
      if (timedLeft > 0) {
        timedLeft = Math.max(0, timedLeft - count)
        if (timedLeft === 0) latency(performance.now() - timedFrom)
      }
      if (running) write(count)
      else if (inFlight === 0) drained()
    }
    write(depth)
    return () => {
      running = false
      return /** @type {Promise<void>} */ (new Promise((resolve) => (drained = () => resolve())))
    }
  }
  return { run, close: () => socket.destroy() }
}
