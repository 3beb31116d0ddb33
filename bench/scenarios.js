// Owns the comparisons that a closed loop cannot show: blocked consumers, arrivals at a fixed rate, start-up, memory.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { assertBuilt, contender } from './contenders.js'
import { fill, median, spread, startWorker, turned } from './engine.js'
import { readOptions } from './options.js'
import { allPeersIn, environment, failures, order, percent, print, progress, verdict, whole } from './report.js'
import { serverInfo, startServer } from './server.js'

/**
 * @typedef {import('./server.js').Server} Server
 * @typedef {import('./options.js').Options} Options
 * @typedef {import('./report.js').Table} Table
 * @typedef {import('./report.js').Ratio} Ratio
 * @typedef {{ contender: string, samples: any[] }} Row
 * @typedef {{ table: Table, rows: Row[], ratios: Ratio[] }} Outcome
 */

const RATE = 20_000
const CONSUMERS = 5
const QUEUE = 'bench:queue'
const IDLE_CONNECTIONS = 500
const WAITING_CALLERS = 10_000
const OBSERVED = {
  metrics: 'OpenTelemetry and Prometheus read each second',
  channels: 'listeners on all channels',
  spans: 'a span for each call',
}
const POOLS = ['respool', 'node-redis-pool', 'generic-pool']

/** @type {Record<string, (server: Server, options: Options) => Promise<Outcome[]>>} */
const scenarios = {
  'blocked-consumers': blockedConsumers,
  'open-loop': openLoop,
  'first-reply': firstReply,
  memory: memoryUse,
  observability,
}

/** GETs of 100 callers with and without five consumers that sit in BLPOP, for those that have more than one connection. */
async function blockedConsumers(/** @type {Server} */ server, /** @type {Options} */ options) {
  const rows = await inRounds(server, options, POOLS, async (worker) => {
    const load = { op: 'get', callers: 100, seconds: options.seconds, warmup: options.warmup }
    await worker.ask('closedLoop', load)
    const without = await worker.ask('closedLoop', load)
    await worker.ask('startConsumers', { key: QUEUE, count: CONSUMERS })
    await until(async () => (await serverInfo(server, 'blocked_clients')) === CONSUMERS)
    const among = await worker.ask('closedLoop', load)
    await server.ask('RPUSH', QUEUE, ...Array(CONSUMERS).fill('x'))
    await worker.ask('endConsumers')
    const { errors, firstError } = [among, without].find((sample) => sample.errors > 0) ?? without
    return {
      without: without.perSecond,
      among: among.perSecond,
      kept: among.perSecond / without.perSecond,
      errors,
      firstError,
    }
  })
  const table = {
    title: `GET, 100 callers, while ${CONSUMERS} consumers sit in BLPOP`,
    head: ['', 'ops/s without', 'ops/s with', 'kept', '±'],
    rows: rows.map(({ contender: id, samples }) => [
      contender(id).title,
      whole(middle(samples, 'without')),
      whole(middle(samples, 'among')),
      middle(samples, 'kept').toFixed(2),
      percent(spread(samples.map((sample) => sample.kept))),
    ]),
    notes: failures(rows),
  }
  const ours = rows.find((row) => row.contender === 'respool')
  const line = `respool: GETs while ${CONSUMERS} consumers sit in BLPOP`
  const reached = ours ? [middle(ours.samples, 'kept')] : []
  return [{ table, rows, ratios: [ratio(line, 'GETs without them', '≥ 0.95', reached)] }]
}

/** GETs that arrive at a fixed mean rate, timed from when they were meant to be sent. */
async function openLoop(/** @type {Server} */ server, /** @type {Options} */ options) {
  const ids = options.contenders.filter((each) => each.role !== 'floor').map((each) => each.id)
  const seconds = options.seconds * 2
  const rows = await inRounds(server, options, ids, async (worker, round) => {
    await worker.ask('closedLoop', { op: 'get', callers: 100, seconds: options.warmup, warmup: options.warmup })
    return await worker.ask('openLoop', { rate: RATE, seconds, warmup: options.warmup * 2, seed: round })
  })
  const behind = rows.filter(({ samples }) => middle(samples, 'perSecond') < RATE * 0.97)
  const table = {
    title: `GET, open loop, ${whole(RATE)} arrivals per second`,
    head: ['', 'answered/s', 'p50 ms', 'p99 ms', '±', 'sent late, p99 ms'],
    rows: rows.map(({ contender: id, samples }) => [
      contender(id).title,
      whole(middle(samples, 'perSecond')),
      middle(samples, 'p50').toFixed(3),
      middle(samples, 'p99').toFixed(3),
      percent(spread(samples.map((sample) => sample.p99))),
      middle(samples, 'lagP99').toFixed(3),
    ]),
    notes: [
      ...failures(rows),
      ...behind.map(({ contender: id }) => `${contender(id).title}: SATURATED, it did not keep up with the arrivals`),
    ],
  }
  const line = 'respool: p99 from the intended send time'
  return [{ table, rows, ratios: [againstBest(options, rows, 'p99', line, '≤ 0.5')] }]
}

/** A new process per run: from before the import to the first reply. */
async function firstReply(/** @type {Server} */ server, /** @type {Options} */ options) {
  const chosen = options.contenders.filter((each) => each.role !== 'floor' && each.id !== 'respool-classic')
  const program = fileURLToPath(new URL('./first-reply.js', import.meta.url))
  /** @type {Row[]} */
  const rows = chosen.map(({ id }) => ({ contender: id, samples: [] }))
  for (let run = -1; run < options.rounds * 3; run++) {
    progress(`first-reply: run ${run + 1} of ${options.rounds * 3}`)
    for (const row of turned(rows, Math.max(0, run))) {
      const { stdout } = await promisify(execFile)(process.execPath, [program, row.contender, server.url])
      if (run >= 0) row.samples.push({ ...JSON.parse(stdout), errors: 0, firstError: '' })
    }
  }
  const table = {
    title: 'Import to first reply, a new process each time',
    head: ['', 'import to first GET, ms', 'fastest', '±', 'process start to first GET, ms'],
    rows: rows.map(({ contender: id, samples }) => [
      contender(id).title,
      middle(samples, 'imported').toFixed(1),
      Math.min(...samples.map((sample) => sample.imported)).toFixed(1),
      percent(spread(samples.map((sample) => sample.imported))),
      middle(samples, 'started').toFixed(1),
    ]),
  }
  return [{ table, rows, ratios: [againstBest(options, rows, 'imported', 'respool: import to first reply', '≤ 1')] }]
}

/** Bytes per idle connection, and per caller that waits for a connection of an exhausted pool. */
async function memoryUse(/** @type {Server} */ server, /** @type {Options} */ options) {
  const few = { ...options, rounds: Math.min(3, options.rounds) }
  const idle = await inRounds(
    server,
    few,
    POOLS,
    async (worker) => {
      await worker.ask('hold', { count: 1 })
      const before = await worker.ask('release')
      const clients = await serverInfo(server, 'connected_clients')
      await worker.ask('hold', { count: IDLE_CONNECTIONS })
      const after = await worker.ask('release')
      const opened = (await serverInfo(server, 'connected_clients')) - clients
      return { ...perUnit(before, after, opened), count: opened, errors: 0, firstError: '' }
    },
    { connections: IDLE_CONNECTIONS + 1 },
  )
  const waiting = await inRounds(
    server,
    few,
    POOLS.map((id) => (id === 'respool' ? 'respool-classic' : id)),
    async (worker) => {
      const before = await worker.ask('hold', { count: 10 })
      const after = await worker.ask('queueGets', { count: WAITING_CALLERS })
      const { answered } = await worker.ask('endWaiting')
      const errors = WAITING_CALLERS - answered
      return {
        ...perUnit(before, after, WAITING_CALLERS),
        count: answered,
        errors,
        firstError: 'a GET without a reply',
      }
    },
    { connections: 10, waiting: WAITING_CALLERS },
  )
  return [
    memoryOutcome(options, 'Memory per idle connection', 'connections', idle),
    memoryOutcome(options, 'Memory per waiting caller', 'callers', waiting),
  ]
}

/** @param {Options} options @param {string} title @param {string} unit @param {Row[]} rows @returns {Outcome} */
function memoryOutcome(options, title, unit, rows) {
  const table = {
    title,
    head: ['', 'bytes', '±', 'resident bytes', unit],
    rows: rows.map(({ contender: id, samples }) => [
      contender(id).title,
      whole(middle(samples, 'bytes')),
      percent(spread(samples.map((sample) => sample.bytes))),
      whole(middle(samples, 'resident')),
      whole(middle(samples, 'count')),
    ]),
    notes: failures(rows),
  }
  return { table, rows, ratios: [againstBest(options, rows, 'bytes', `respool: ${title.toLowerCase()}`, '< 1')] }
}

/** What observing costs: GETs of 100 callers in one process, with nothing on before and after each kind of it. */
async function observability(/** @type {Server} */ server, /** @type {Options} */ options) {
  // Long enough for what happens each second; the first time it happens, code is loaded and compiled.
  const load = { op: 'get', callers: 100, seconds: Math.max(2, options.seconds * 4), warmup: 2.2 }
  const modes = Object.keys(OBSERVED)
  const rows = await inRounds(server, options, ['respool'], async (worker) => {
    const bare = async () => await worker.ask('closedLoop', load)
    await bare()
    const samples = [await bare()]
    /** @type {Record<string, any>} */
    const parts = {}
    for (const mode of modes) {
      await worker.ask('observe', { mode })
      const observed = await worker.ask('closedLoop', load)
      await worker.ask('unobserve')
      const [before, after] = [samples.at(-1), await bare()]
      samples.push(observed, after)
      const [rate, cpu] = ['perSecond', 'cpuMicros'].map((field) => (before[field] + after[field]) / 2)
      parts[mode] = {
        perSecond: observed.perSecond,
        kept: observed.perSecond / (rate ?? NaN),
        cpu: observed.cpuMicros / (cpu ?? NaN),
      }
    }
    const { errors, firstError } = samples.find((sample) => sample.errors > 0) ?? samples[0]
    return { parts, perSecond: samples[0].perSecond, errors, firstError }
  })
  const samples = rows[0]?.samples ?? []
  const of = (/** @type {string} */ mode, /** @type {string} */ field) => samples.map(({ parts }) => parts[mode][field])
  const table = {
    title: 'GET, 100 callers, while the pool is observed',
    head: ['', 'ops/s', 'of those with nothing on', '±', 'CPU per command'],
    rows:
      samples.length === 0
        ? []
        : [
            ['nothing on', whole(middle(samples, 'perSecond')), '', '', ''],
            ...Object.entries(OBSERVED).map(([mode, title]) => [
              title,
              whole(median(of(mode, 'perSecond'))),
              median(of(mode, 'kept')).toFixed(2),
              percent(spread(of(mode, 'kept'))),
              `× ${median(of(mode, 'cpu')).toFixed(2)}`,
            ]),
          ],
    notes: failures(rows),
  }
  const reached = samples.length > 0 ? [median(of('metrics', 'kept'))] : []
  return [{ table, rows, ratios: [ratio('respool: GETs with all metrics on', 'nothing on', '≥ 0.95', reached)] }]
}

/** @typedef {{ used: number, rss: number }} Memory */
/** @param {Memory} before @param {Memory} after @param {number} count */
const perUnit = (before, after, count) => ({
  bytes: (after.used - before.used) / count,
  resident: (after.rss - before.rss) / count,
})

/**
 * Measures one contender after another in each round, each time in a new process.
 * @param {Server} server @param {Options} options @param {string[]} ids
 * @param {(worker: Awaited<ReturnType<typeof startWorker>>, round: number) => Promise<any>} measure
 * @param {object} [connectOptions] @returns {Promise<Row[]>}
 */
async function inRounds(server, options, ids, measure, connectOptions) {
  /** @type {Row[]} */
  const rows = ids
    .filter((id) => options.contenders.some((each) => each.id === id))
    .map((id) => ({ contender: id, samples: [] }))
  for (let round = 0; round < options.rounds; round++) {
    for (const row of turned(rows, round)) {
      progress(`round ${round + 1} of ${options.rounds}: ${contender(row.contender).title}`)
      const worker = await startWorker(row.contender, server.url, connectOptions)
      row.samples.push(await measure(worker, round))
      worker.stop()
      await until(async () => (await serverInfo(server, 'connected_clients')) === 1)
    }
  }
  return rows.sort((a, b) => order(a.contender) - order(b.contender))
}

/**
 * respool against the peer with the least `field`.
 * @param {Options} options @param {Row[]} rows @param {string} field @param {string} line @param {string} target
 */
function againstBest(options, rows, field, line, target) {
  const ours =
    rows.find((row) => row.contender === 'respool') ?? rows.find((row) => row.contender === 'respool-classic')
  const peers = rows.filter((row) => contender(row.contender).role === 'peer')
  const [best] = peers.sort((a, b) => middle(a.samples, field) - middle(b.samples, field))
  if (!ours || !best || !allPeersIn(options.contenders)) return ratio(line, 'the best peer', target, [])
  const reached = median(ours.samples.map((sample, i) => sample[field] / best.samples[i][field]))
  return ratio(line, `the best peer (${contender(best.contender).title})`, target, [reached])
}

/** @param {string} line @param {string} against @param {string} target @param {number[]} values @returns {Ratio} */
function ratio(line, against, target, values) {
  const [value] = values
  return {
    line,
    against,
    target,
    reached: value === undefined ? {} : { reached: value },
    verdict: verdict(values, target),
  }
}

/** @param {any[]} samples @param {string} field @returns {number} */
const middle = (samples, field) => median(samples.map((sample) => sample[field]))

/** @param {() => Promise<boolean>} condition */
async function until(condition) {
  for (const deadline = Date.now() + 5_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error('the server did not reach the state that the scenario needs')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

try {
  const options = readOptions('scenarios.js', Object.keys(scenarios))
  assertBuilt(options.contenders)
  const server = await startServer()
  await fill(server)
  /** @type {Record<string, Outcome[]>} */
  const outcomes = {}
  for (const name of options.scenarios) {
    progress(`${name}:`)
    outcomes[name] = await /** @type {typeof memoryUse} */ (scenarios[name])(server, options)
  }
  progress('')
  const all = Object.values(outcomes).flat()
  print(options.format, {
    environment: environment(server, options),
    tables: all.map((outcome) => outcome.table),
    ratios: options.contenders.some((each) => each.role === 'respool') ? all.flatMap((outcome) => outcome.ratios) : [],
    data: {
      scenarios: Object.fromEntries(
        Object.entries(outcomes).map(([name, list]) => [
          name,
          list.map((o) => ({ title: o.table.title, rows: o.rows })),
        ]),
      ),
    },
  })
  process.exit(all.some((outcome) => failures(outcome.rows).length > 0) ? 1 : 0)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
