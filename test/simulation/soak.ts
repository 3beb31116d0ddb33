// Many runs one after the other, for as long as asked: `npm run simulate:soak`. Progress goes to stderr, the first
// failing seed to stdout.

import { parseArgs } from 'node:util'
import { describeFailure, STEPS, simulate } from './simulation.js'

const PROGRESS_EVERY = 5_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string' },
    seed: { type: 'string' },
    steps: { type: 'string', default: String(STEPS) },
  },
})
const from = Number(values.from ?? values.seed ?? 1)
const seeds = values.seed === undefined ? Number(values.seeds) : 1
const steps = Number(values.steps)
// Thousands of errors are made in a run, and where matters only to who looks at one run.
Error.stackTraceLimit = seeds === 1 ? 30 : 0
const started = performance.now()
let shown = started

for (let seed = from; seed < from + seeds; seed++) {
  const result = await simulate(seed, { steps })
  if (result.violation !== undefined) {
    console.log(describeFailure(result))
    process.exit(1)
  }
  if (performance.now() - shown < PROGRESS_EVERY) continue
  shown = performance.now()
  console.error(`${seed - from + 1} of ${seeds} seeds, ${Math.round((shown - started) / 1_000)} s`)
}
console.error(`${seeds} seeds in ${((performance.now() - started) / 1_000).toFixed(1)} s: no law was broken`)
