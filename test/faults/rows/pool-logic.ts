// Rows F1 and F2: the logic of the pool in virtual time, played by chance and held against its laws and against a model.
// Both run in processes of their own, where no hook of the runner makes them slow.

import fc from 'fast-check'
import { poolProperty } from '../../pool/model.js'
import { HURT, withoutStacks } from '../../simulation/many.js'
import { describeFailure, type RunResult, simulate } from '../../simulation/simulation.js'
import { inChild, type WorkName } from '../in-child.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

/** One for each core of a small machine. */
const PROCESSES = 2
/** Every test run plays the seeds below. */
const FRESH = 1_000_000
/** No two processes get the same seeds, of those that fit in 32 bits. */
const APART = 100_000
const RANGES = 40_000
/** What a run of either kind does at least, on average. */
const STEPS_OF_A_RUN = 150
const DEEDS_OF_A_RUN = 3

export function simulation(context: Context): Promise<Outcome> {
  return inSeveral('simulation', context)
}

export function model(context: Context): Promise<Outcome> {
  return inSeveral('model', context)
}

async function inSeveral(work: WorkName, context: Context): Promise<Outcome> {
  const parts = Array.from({ length: PROCESSES }, (_, index) =>
    inChild(work, { ...context, seed: context.seed * PROCESSES + index }),
  )
  return (await Promise.all(parts)).reduce(added)
}

/** Every figure of these outcomes is a count, and every limit holds for the sum. */
function added(one: Outcome, other: Outcome): Outcome {
  return {
    ...one,
    operations: one.operations + other.operations,
    faults: one.faults + other.faults,
    examples: [...(one.examples ?? []), ...(other.examples ?? [])],
    checks: one.checks.map((check, index) => ({
      ...check,
      value: check.value + (other.checks[index]?.value ?? Number.NaN),
      limit: check.limit + (other.checks[index]?.limit ?? Number.NaN),
    })),
  }
}

export function simulatedRuns(context: Context): Promise<Outcome> {
  const runs = context.scale(20, 3_000)
  const replays = context.scale(5, 200)
  const from = FRESH + (context.seed % RANGES) * APART
  return withoutStacks(async () => {
    const sums = { steps: 0, commands: 0, hurt: 0 }
    const examples: string[] = []
    for (let seed = from; seed < from + runs; seed++) {
      const result = await simulate(seed)
      sums.steps += result.steps
      sums.commands += result.commands
      sums.hurt += hurtIn(result)
      if (result.violation !== undefined) examples.push(describeFailure(result))
      if (seed % 100 === 0) context.note(`${seed - from} of ${runs} seeds`)
    }
    const broken = examples.length
    const digests = new Set<string>()
    let different = 0
    for (let seed = from; seed < from + replays; seed++) {
      const [first, second] = [await simulate(seed, { digest: true }), await simulate(seed, { digest: true })]
      digests.add(first.trace.digest())
      const isSame = first.trace.digest() === second.trace.digest() && sameWords(first.applied, second.applied)
      if (isSame) continue
      different++
      examples.push(`seed ${seed} gave another run the second time`)
    }
    return {
      operations: sums.commands,
      faults: sums.hurt,
      verdict: CLEAN,
      examples,
      checks: [
        { what: 'seeds that no test has played', value: runs, is: 'at least', limit: runs },
        { what: 'steps', value: sums.steps, is: 'at least', limit: runs * STEPS_OF_A_RUN },
        { what: 'connections that ended against the will of the pool', value: sums.hurt, is: 'at least', limit: runs },
        { what: 'runs that broke a law', value: broken, is: 'exactly', limit: 0 },
        { what: 'seeds played twice, each a run of its own', value: digests.size, is: 'exactly', limit: replays },
        { what: 'of these not the same to the last event', value: different, is: 'exactly', limit: 0 },
      ],
    }
  })
}

function hurtIn({ counters: { closed } }: RunResult): number {
  return HURT.reduce((sum, reason) => sum + (closed[reason] ?? 0), 0)
}

function sameWords(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, index) => word === other[index])
}

export async function modelRuns(context: Context): Promise<Outcome> {
  const wanted = context.scale(500, 25_000)
  const sums = { runs: 0, deeds: 0, ended: 0 }
  const property = poolProperty(({ calls, loans, closed, connectErrors }) => {
    sums.runs++
    sums.deeds += calls.length + loans.length
    sums.ended += closed.length + connectErrors.length
    if (sums.runs % 1_000 === 0) context.note(`${sums.runs} of ${wanted} programs`)
  })
  const details = await withoutStacks(async () => fc.check(property, { numRuns: wanted, seed: context.seed }))
  return {
    operations: sums.deeds,
    faults: sums.ended,
    verdict: CLEAN,
    examples: details.failed ? [fc.defaultReportMessage(details) ?? 'no report'] : [],
    checks: [
      { what: 'generated programs', value: sums.runs, is: 'at least', limit: wanted },
      { what: 'commands and leases in them', value: sums.deeds, is: 'at least', limit: wanted * DEEDS_OF_A_RUN },
      { what: 'connections and dials that ended', value: sums.ended, is: 'at least', limit: wanted },
      { what: 'programs for which pool and model differ', value: details.failed ? 1 : 0, is: 'exactly', limit: 0 },
    ],
  }
}
