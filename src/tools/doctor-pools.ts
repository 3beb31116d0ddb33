// Owns what ails the pools that publish their figures: two looks at each, and the words of the library's own diagnosis.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Diagnosis, diagnose, type PoolStats } from '../index.js'
import { type Finding, found, type Severity, type Told } from './doctor-finding.js'
import { counted } from './figures.js'
import { type Endpoint, type EndpointAnswer, fetchPools } from './pool-endpoint.js'
import type { PublishedPool } from './published-pools.js'

/** Between the two looks, in ms. */
const BETWEEN = 1_000
/** An answer from this machine that takes longer waited for an event loop, in ms. */
const LATE_ANSWER = 500

export interface PoolExamination {
  readonly findings: readonly Finding[]
  /** Whether at least one pool could be looked at. */
  readonly reached: boolean
}

export async function examinePools(endpoints: readonly Endpoint[], signal: AbortSignal): Promise<PoolExamination> {
  const all = await Promise.all(endpoints.map((endpoint) => examineEndpoint(endpoint, signal)))
  return { findings: all.flatMap(({ findings }) => findings), reached: all.some(({ reached }) => reached) }
}

async function examineEndpoint(endpoint: Endpoint, signal: AbortSignal): Promise<PoolExamination> {
  const first = await timed(() => fetchPools(endpoint, signal))
  if (first.answer.pools === undefined) return unanswered(endpoint, first.answer)
  await sleep(BETWEEN, undefined, { signal }).catch(() => {})
  const second = await timed(() => fetchPools(endpoint, signal))
  // One that has answered once and then not is the more suspicious.
  if (second.answer.pools === undefined && !signal.aborted) return unanswered(endpoint, second.answer)
  const latest = second.answer.pools ?? first.answer.pools
  const before = first.answer.pools
  const slowest = Math.max(first.took, second.took)
  const loopDelay = isHere(endpoint) && slowest > LATE_ANSWER ? slowest : 0
  const findings = latest.flatMap((pool, index) => {
    const since = before[index]?.stats
    return poolFindings(pool, since !== undefined && isSame(since, pool.stats) ? since : undefined, loopDelay)
  })
  const none = found('pools', 'note', `no pool is published at ${endpoint.shown}`)
  return { findings: latest.length === 0 ? [none] : findings, reached: true }
}

async function timed(work: () => Promise<EndpointAnswer>): Promise<{ answer: EndpointAnswer; took: number }> {
  const start = performance.now()
  const answer = await work()
  return { answer, took: performance.now() - start }
}

const isHere = ({ url }: Endpoint): boolean => /^(127\.|localhost$|\[::1\]$)/.test(url.hostname)

const isSame = (a: PoolStats, b: PoolStats): boolean =>
  a !== b && a.name === b.name && a.address === b.address && b.age > a.age

function unanswered({ shown }: Endpoint, answer: EndpointAnswer): PoolExamination {
  const because = answer.because ?? ''
  const seen = `the pools at ${shown} could not be asked, because ${because}`
  const subject = `pools at ${shown}`
  if (answer.silent) {
    const { means, remedy } = TOLD['blocked-loop']
    const cause = 'blocked-loop' as const
    const silent = { ...found('cause', 'critical', `blocked-loop: ${seen}`, { means, remedy }), subject, cause }
    return { findings: [silent], reached: true }
  }
  const told = { means: 'what ails them is unknown', ...(answer.pools === undefined ? { remedy: answer.remedy } : {}) }
  return { findings: [{ ...found('pools', 'warning', seen, told), subject }], reached: false }
}

/** What each cause means, and what to do. */
const TOLD: Readonly<Record<Diagnosis['cause'], Required<Told>>> = {
  'blocked-loop': {
    means: 'the process does not get to read replies that are there: the server is not at fault',
    remedy: 'find the synchronous work (node --cpu-prof), and cut it up or move it to a worker',
  },
  'failing-dials': {
    means: 'the pool has fewer connections than it may have, because new ones fail',
    remedy: 'run respool doctor --url with the URL of that pool: it says why',
  },
  'slow-server': {
    means: 'replies are late: the size of the pool is not at fault, and a larger one makes it worse',
    remedy: 'look for slow commands and scripts: respool doctor --url, SLOWLOG GET',
  },
  leak: {
    means: 'leases that nobody releases take their connections out of the pool for good',
    remedy: 'borrow with lease(fn) or await using; leakThreshold reports where each was borrowed',
  },
  'too-small': {
    means: 'callers wait for a connection although server and network are fine',
    remedy: 'raise maxConnections, or hold leases for a shorter time',
  },
  healthy: { means: '', remedy: '' },
}

export function poolFindings(
  { stats, advice }: PublishedPool,
  since: PoolStats | undefined,
  loopDelay: number,
): Finding[] {
  const subject = `pool ${stats.name || stats.address}`
  const { cause, because, maxConnections } = diagnose(stats, since, { loopDelay })
  const findings: Finding[] = []
  if (cause === 'healthy') findings.push({ ...found('cause', 'ok', because), subject })
  else {
    const { means, remedy } = TOLD[cause]
    const advised = Math.max(maxConnections ?? 0, advice?.verdict === 'too-small' ? advice.maxConnections : 0)
    const size = cause === 'too-small' && advised > 0 ? `; maxConnections: ${advised} would do` : ''
    const told = { means, remedy: remedy + size }
    findings.push({ ...found('cause', severityOf(cause, stats, since), `${cause}: ${because}`, told), subject, cause })
  }
  return [...findings, ...adviceFindings(advice, cause).map((finding) => ({ ...finding, subject }))]
}

/** What keeps callers from being served at all is critical, what slows them down is not. */
function severityOf(cause: Diagnosis['cause'], stats: PoolStats, since: PoolStats | undefined): Severity {
  const inVain = stats.counters.timedOut - (since?.counters.timedOut ?? stats.counters.timedOut)
  if (cause === 'failing-dials') return 'critical'
  if (cause === 'too-small' || cause === 'blocked-loop') return inVain > 0 ? 'critical' : 'warning'
  return stats.waiting.total > 0 || inVain > 0 ? 'critical' : 'warning'
}

function adviceFindings(advice: PublishedPool['advice'], cause: Diagnosis['cause']): Finding[] {
  if (advice === undefined) return []
  const findings = advice.options.map(({ option, advised, because }) =>
    found('advice', 'note', because, { remedy: `set ${option} to ${advised}` }),
  )
  // Where something else is wrong, the size that was right for it says nothing.
  if (cause !== 'healthy') return []
  if (advice.verdict === 'too-small' || advice.verdict === 'larger-than-needed') {
    const change = `maxConnections: ${advice.maxConnections} instead of ${advice.current}`
    return [found('advice', 'note', advice.because, { remedy: change }), ...findings]
  }
  if (advice.verdict === 'right') {
    return [found('advice', 'ok', `${counted(advice.current, 'connection')} are right: ${advice.because}`), ...findings]
  }
  return findings
}
