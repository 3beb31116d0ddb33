// Owns the scene of BullMQ: ten thousand jobs for blocking workers while their connections are killed.
import assert from 'node:assert/strict'
import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq'

export const name = 'bullmq'
export const packages = ['bullmq']
const JOBS = 10_000
const WORKERS = 4
const KILLS = 5
// A job whose worker lost its connection is another worker's after this time.
const LOCK = { lockDuration: 5_000, stalledInterval: 1_000, maxStalledCount: KILLS + 1 }

/** @param {import('./index.js').Stage} stage */
export async function run(stage) {
  const told = await many(stage)
  await few(stage)
  return told
}

/** @param {import('./index.js').Stage} stage */
async function many({ open, defer, server }) {
  const queue = opened(new Queue('many', { connection: await open() }), defer)
  const runs = new Map()
  const workers = []
  for (let at = 0; at < WORKERS; at++) {
    const work = async (/** @type {import('bullmq').Job} */ job) => {
      runs.set(job.id, (runs.get(job.id) ?? 0) + 1)
      return job.data.n * 2
    }
    workers.push(opened(new Worker('many', work, { connection: await open(), concurrency: 50, ...LOCK }), defer))
  }
  await Promise.all(workers.map((worker) => worker.waitUntilReady()))
  // Batches are killed while they are worked on; from the middle on they are worked off, so that workers block again.
  let kills = 0
  for (let from = 0; from < JOBS; from += JOBS / KILLS) {
    const batch = Array.from({ length: JOBS / KILLS }, (_, at) => ({
      name: 'double',
      data: { n: from + at },
      opts: { jobId: `job-${from + at}`, attempts: 2 * KILLS },
    }))
    await added(() => queue.addBulk(batch))
    await until(() => runs.size > from + batch.length / 2)
    // It counts what it closed.
    kills += Number((await server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')).slice(1))
    if (from > JOBS / 2) await until(() => runs.size === from + batch.length)
  }
  assert.ok(kills >= KILLS * WORKERS, `${kills} connections killed`)
  await until(async () => (await queue.getCompletedCount()) === JOBS)
  const counts = await queue.getJobCounts()
  for (const [state, count] of Object.entries(counts)) assert.equal(count, state === 'completed' ? JOBS : 0, state)
  assert.equal(runs.size, JOBS)
  for (let from = 0; from < JOBS; from += 1_000) {
    for (const job of await queue.getCompleted(from, from + 999)) assert.equal(job.returnvalue, job.data.n * 2)
  }
  const again = [...runs.values()].filter((times) => times > 1).length
  return `${JOBS} jobs, ${WORKERS} blocking workers, ${kills} connections killed in ${KILLS} rounds: all completed, none failed or stuck, ${again} run again as stalled; delayed, retried, failed, flow, events`
}

/** @param {import('./index.js').Stage} stage */
async function few({ open, defer }) {
  const queue = opened(new Queue('few', { connection: await open() }), defer)
  const flows = opened(new FlowProducer({ connection: await open() }), defer)
  const events = opened(new QueueEvents('few', { connection: await open() }), defer)
  await events.waitUntilReady()
  const work = async (/** @type {import('bullmq').Job} */ job) => {
    if (job.name === 'late') return Date.now() - job.timestamp
    if (job.name === 'again' && job.attemptsMade < 2) throw new Error('not yet')
    if (job.name === 'never') throw new UnrecoverableError('never')
    if (job.name === 'sum') return Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0)
    return job.data.n ?? job.attemptsMade
  }
  opened(new Worker('few', work, { connection: await open(), concurrency: 5 }), defer)

  const late = await queue.add('late', {}, { delay: 500 })
  const again = await queue.add('again', {}, { attempts: 3, backoff: { type: 'fixed', delay: 50 } })
  const never = await queue.add('never', {}, { attempts: 3 })
  const children = [1, 2, 3, 4].map((n) => ({ name: 'part', queueName: 'few', data: { n } }))
  const flow = await flows.add({ name: 'sum', queueName: 'few', children })
  const within = 10_000
  const waited = await late.waitUntilFinished(events, within)
  assert.ok(waited >= 500 && waited < 3_000, `a job delayed by 500 ms ran after ${waited}`)
  assert.equal(await again.waitUntilFinished(events, within), 2)
  await assert.rejects(never.waitUntilFinished(events, within), /never/)
  assert.equal(await flow.job.waitUntilFinished(events, within), 10)
  const { completed, failed, ...rest } = await queue.getJobCounts()
  assert.deepEqual([completed, failed], [7, 1])
  assert.ok(Object.values(rest).every((count) => count === 0))
}

/**
 * @template {{ on(event: 'error', listener: () => void): unknown, close(): Promise<void> }} T
 * @param {T} part @param {(end: () => unknown) => void} defer @returns {T}
 */
function opened(part, defer) {
  part.on('error', () => {})
  defer(() => part.close())
  return part
}

/**
 * What the kill caught on its way may have been done or not: the ids of the jobs make it safe to add them again.
 * @param {() => Promise<unknown>} add
 */
async function added(add) {
  for (let left = 5; ; left--) {
    try {
      await add()
      return
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

/** @param {() => boolean | Promise<boolean>} is */
async function until(is) {
  for (const end = Date.now() + 30_000; !(await is()); ) {
    assert.ok(Date.now() < end, 'jobs are stuck: nothing came to its end within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
