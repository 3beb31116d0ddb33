// Owns how measurements are run: processes, rounds, turns, medians. Knows nothing of what is printed.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keys, values } from './workload.js'

/**
 * @typedef {import('./contenders.js').Contender} Contender
 * @typedef {{ perSecond: number, p50: number, p99: number, cpuMicros: number, elu: number, errors: number, firstError: string }} Sample
 * @typedef {{ contender: string, op: 'get' | 'set', callers: number, samples: Sample[] }} Cell
 * @typedef {{ callers: number[], rounds: number, seconds: number, warmup: number }} ClosedLoopPlan
 */

const OPS = /** @type {const} */ (['get', 'set'])
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))
const ANSWER_WITHIN = 60_000
const PREPARE = 0.2

/**
 * With few callers the figure hangs on where the scheduler happens to put two processes that wake each other, so such
 * a cell takes several short turns in each round instead of one long one.
 */
const FEW = { callers: 10, turns: 3, part: 0.4 }

/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143))
}

/** A process that has one contender connected. @param {string} id @param {string} url @param {object} [options] */
export async function startWorker(id, url, options) {
  const child = fork(WORKER, { execArgv: ['--expose-gc'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  alive.add(child)
  /** @type {Promise<unknown>} */
  let queue = Promise.resolve()

  /** @param {string} action @param {object} [args] @returns {Promise<any>} */
  const askNow = (action, args = {}) =>
    new Promise((resolve, reject) => {
      const settle = (/** @type {() => void} */ how) => {
        clearTimeout(timer)
        child.off('message', onMessage).off('exit', onExit)
        how()
      }
      const fail = (/** @type {string} */ why) => settle(() => reject(new Error(`${id}: ${action}: ${why}`)))
      const onExit = () => fail('its process ended')
      const onMessage = (/** @type {any} */ { result, error }) => (error ? fail(error) : settle(() => resolve(result)))
      const timer = setTimeout(() => fail(`no answer within ${ANSWER_WITHIN / 1_000} s`), ANSWER_WITHIN)
      child.on('message', onMessage).on('exit', onExit)
      child.send({ action, args })
    })
  /** @param {string} action @param {object} [args] @returns {Promise<any>} */
  const ask = (action, args) => {
    const answer = queue.then(() => askNow(action, args))
    queue = answer.catch(() => {})
    return answer
  }
  const stop = () => {
    alive.delete(child)
    child.kill('SIGKILL')
  }
  await ask('connect', { id, url, options })
  return { ask, stop }
}

/** Gives each key its value. @param {import('./server.js').Server} server */
export async function fill(server) {
  await server.ask('MSET', ...keys.flatMap((key, i) => [key, values[i] ?? '']))
}

/**
 * Rounds in which each cell (callers, operation) is measured for one contender after another, in an order that turns
 * with the round. Processes are new in each round, so that what one process happened to compile or lay out counts once.
 * @param {import('./server.js').Server} server @param {Contender[]} contenders @param {ClosedLoopPlan} plan
 * @param {(text: string) => void} progress @returns {Promise<Cell[]>}
 */
export async function closedLoop(server, contenders, plan, progress) {
  /** @type {Map<string, Cell>} */
  const cells = new Map()
  for (let round = 0; round < plan.rounds; round++) {
    const turns = turned(contenders, round)
    const workers = await Promise.all(turns.map(({ id }) => startWorker(id, server.url)))
    for (const worker of workers) {
      for (const op of OPS)
        await worker.ask('closedLoop', { op, callers: 100, seconds: PREPARE / 2, warmup: PREPARE / 2 })
    }
    for (const { callers, op, seconds, warmup } of turnsOf(plan)) {
      progress(`round ${round + 1} of ${plan.rounds}: ${op.toUpperCase()}, callers: ${callers}`)
      for (const [i, { id }] of turns.entries()) {
        const sample = await workers[i]?.ask('closedLoop', { op, callers, seconds, warmup })
        const key = `${callers} ${op} ${id}`
        const cell = cells.get(key) ?? { contender: id, op, callers, samples: [] }
        cell.samples.push(sample)
        cells.set(key, cell)
      }
    }
    for (const worker of workers) worker.stop()
  }
  return [...cells.values()]
}

/** What one round does, in order. @param {ClosedLoopPlan} plan */
function turnsOf({ callers: list, seconds, warmup }) {
  return list.flatMap((callers) => {
    const { turns, part } = callers <= FEW.callers ? FEW : { turns: 1, part: 1 }
    const once = OPS.map((op) => ({ callers, op, seconds: seconds * part, warmup: warmup * part }))
    return Array.from({ length: turns }, () => once).flat()
  })
}

/**
 * The list from another start, and backwards every second time.
 * @template T @param {T[]} list @param {number} round @returns {T[]}
 */
export function turned(list, round) {
  const start = Math.floor((round * list.length) / 3) % list.length
  const rotated = [...list.slice(start), ...list.slice(0, start)]
  return round % 2 ? rotated.reverse() : rotated
}

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}

/** Half the distance between the extremes, as a part of the median. @param {number[]} numbers */
export const spread = (numbers) => (Math.max(...numbers) - Math.min(...numbers)) / 2 / median(numbers)
