// Owns one measured process: one contender, told by messages what to do. Knows nothing of other contenders or of reports.
import { createHistogram } from 'node:perf_hooks'
import { contender } from './contenders.js'
import { keys, nextKey, randomFrom, values } from './workload.js'

/** From this many callers on, one call in eight is timed, so that timing does not dominate. */
const SAMPLE_FROM = 100
const SAMPLE_MASK = 7

/** @type {import('./contenders.js').Session & import('./floor.js').Floor} */
let session
let errors = 0
let firstError = ''

/** @param {unknown} error */
function failed(error) {
  errors++
  firstError ||= String(error)
}

/** @param {{ id: string, url: string, options?: object }} args */
async function connect({ id, url, options }) {
  session = /** @type {typeof session} */ (await contender(id).connect(url, options))
}

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * `callers` callers, each with one command at a time, for `warmup` and then `seconds`; only the latter is counted.
 * @param {{ op: 'get' | 'set', callers: number, seconds: number, warmup: number }} args
 */
async function closedLoop({ op, callers, seconds, warmup }) {
  const latency = createHistogram({ figures: 3 })
  let count = 0
  let running = true
  const mask = callers >= SAMPLE_FROM ? SAMPLE_MASK : 0

  /** @param {number} i */
  const caller = async (i) => {
    for (let n = i; running; n++) {
      const k = nextKey()
      const key = /** @type {string} */ (keys[k])
      const value = /** @type {string} */ (values[k])
      const timed = (n & mask) === 0
      const from = timed ? performance.now() : 0
      try {
        const reply = op === 'get' ? await session.get(key) : await session.set(key, value)
        if (timed) {
          record(latency, performance.now() - from)
          if (reply !== (op === 'get' ? value : 'OK')) failed(new Error(`${op} ${key} was answered with another value`))
        }
      } catch (error) {
        failed(error)
      }
      count++
    }
  }

  errors = 0
  firstError = ''
  const ended = session.saturate
    ? session.saturate(
        op,
        callers,
        (n) => (count += n),
        (ms) => record(latency, ms),
      )
    : Promise.all(Array.from({ length: callers }, (_, i) => caller(i)))
  await sleep(warmup * 1_000)
  count = 0
  latency.reset()
  const [cpu, elu, from] = [process.cpuUsage(), performance.eventLoopUtilization(), performance.now()]
  await sleep(seconds * 1_000)
  const [took, used, loop] = [performance.now() - from, process.cpuUsage(cpu), performance.eventLoopUtilization(elu)]
  const result = {
    perSecond: (count / took) * 1_000,
    p50: latency.percentile(50) / 1e6,
    p99: latency.percentile(99) / 1e6,
    cpuMicros: (used.user + used.system) / count,
    elu: loop.utilization,
  }
  running = false
  await (typeof ended === 'function' ? ended() : ended)
  return { ...result, errors, firstError }
}

/**
 * GETs that arrive at random (Poisson) at `rate`, whatever becomes of those before them. `response` counts from the
 * moment a call was meant to be sent, so time spent late in sending is not left out; `lag` is that lateness alone.
 * @param {{ rate: number, seconds: number, warmup: number, seed: number }} args
 */
async function openLoop({ rate, seconds, warmup, seed }) {
  const random = randomFrom(seed)
  const [response, lag] = [createHistogram({ figures: 3 }), createHistogram({ figures: 3 })]
  errors = 0
  firstError = ''
  let [sent, settled, inTime] = [0, 0, 0]
  const start = performance.now()
  const [measuredFrom, end] = [start + warmup * 1_000, start + (warmup + seconds) * 1_000]

  /** @param {number} due @param {number} now */
  const send = async (due, now) => {
    sent++
    const k = nextKey()
    try {
      const reply = await session.get(/** @type {string} */ (keys[k]))
      if (reply !== values[k]) failed(new Error(`get ${keys[k]} was answered with another value`))
    } catch (error) {
      failed(error)
    }
    settled++
    if (due < measuredFrom) return
    const done = performance.now()
    record(lag, now - due)
    record(response, done - due)
    if (done <= end) inTime++
  }

  await new Promise((resolve) => {
    let due = start
    const turn = () => {
      const now = performance.now()
      for (; due <= now && due < end; due += (-Math.log(1 - random()) / rate) * 1_000) send(due, now)
      if (due < end) setImmediate(turn)
      else resolve(undefined)
    }
    turn()
  })
  for (const deadline = performance.now() + 10_000; settled < sent && performance.now() < deadline; ) await sleep(5)
  if (settled < sent) failed(new Error(`${sent - settled} calls were still unanswered 10 s after the last was sent`))
  return {
    perSecond: inTime / seconds,
    p50: response.percentile(50) / 1e6,
    p99: response.percentile(99) / 1e6,
    lagP99: lag.percentile(99) / 1e6,
    errors,
    firstError,
  }
}

/** @type {Promise<unknown>[]} */
let consumers = []

/** @param {{ key: string, count: number }} args */
function startConsumers({ key, count }) {
  consumers = Array.from({ length: count }, () => /** @type {any} */ (session.blpop)(key))
}

async function endConsumers() {
  await Promise.all(consumers)
  consumers = []
}

/** Bytes in use once the collector is done. */
async function memory() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await sleep(20)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { used: heapUsed + external, rss }
}

/**
 * Takes `count` connections, or gives back those it took; answers with the memory in use afterwards.
 * @type {() => Promise<void>}
 */
let giveBack

/** @param {{ count: number }} args */
async function hold({ count }) {
  giveBack = await /** @type {any} */ (session.hold)(count)
  return await memory()
}

async function release() {
  await giveBack()
  return await memory()
}

/** @type {Promise<unknown>[]} */
const waiting = []

/** @param {{ count: number }} args */
async function queueGets({ count }) {
  for (let i = 0; i < count; i++) waiting.push(session.get(/** @type {string} */ (keys[nextKey()])))
  return await memory()
}

async function endWaiting() {
  await giveBack()
  const replies = await Promise.all(waiting)
  return { answered: replies.filter((reply) => typeof reply === 'string').length }
}

/** @param {import('node:perf_hooks').RecordableHistogram} histogram @param {number} ms */
function record(histogram, ms) {
  histogram.record(Math.max(1, Math.round(ms * 1e6)))
}

/** @type {() => Promise<void>} */
let unobserve

/** @param {{ mode: string }} args */
async function observe({ mode }) {
  unobserve = await /** @type {any} */ (session.observe)(mode)
}

const close = () => session.close()

/** @type {Record<string, (args: any) => unknown>} */
const actions = {
  connect,
  closedLoop,
  openLoop,
  startConsumers,
  endConsumers,
  hold,
  release,
  queueGets,
  endWaiting,
  memory,
  observe,
  unobserve: () => unobserve(),
  close,
}

process.on('disconnect', () => process.exit())
process.on('message', async (/** @type {{ action: string, args: object }} */ { action, args }) => {
  try {
    const result = await /** @type {(args: object) => unknown} */ (actions[action])(args)
    process.send?.({ result })
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) })
  }
})
