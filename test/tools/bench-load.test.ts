// One turn of a client that does not answer: it comes to an end, and what is missing is said.

import assert from 'node:assert/strict'
import { createHistogram } from 'node:perf_hooks'
import { describe, it } from 'node:test'
import { runTurn, type Sample } from '../../src/tools/bench-load.js'
import { readBenchPlan, type Scenario } from '../../src/tools/bench-plan.js'

const SILENT = {
  ...{ name: 'silent', version: '1.0.0', settings: '' },
  get: () => new Promise(() => {}),
  set: () => new Promise(() => {}),
  close: async () => {},
}

const LOOPS: readonly Scenario[] = [
  { loop: 'closed', op: 'get', callers: 3 },
  { loop: 'open', op: 'get', rate: 1_000 },
]

async function turn(scenario: Scenario, signal: AbortSignal, settlesWithin: number) {
  const plan = { ...readBenchPlan({ values: new Map() }), warmUpTime: 0, turnTime: 50 }
  const said: string[] = []
  const failed = (error: unknown) => said.push(String(error))
  const keys = { names: ['key'], values: ['value'] }
  const sample: Sample | undefined = await runTurn(
    { subject: SILENT, scenario, plan, keys, signal, latencies: createHistogram(), failed },
    settlesWithin,
  )
  return { sample, said }
}

describe('a turn of a client that never answers', { timeout: 20_000 }, () => {
  for (const scenario of LOOPS) {
    it(`ends in time in a loop that is ${scenario.loop}, and each call is an error`, async () => {
      const { sample, said } = await turn(scenario, new AbortController().signal, 100)
      assert.ok(sample !== undefined && sample.errors > 0 && sample.perSecond === 0)
      if (scenario.loop === 'closed') assert.equal(sample.errors, 3)
      assert.deepEqual(said, [`Error: ${sample.errors} calls were not answered within 0.1 s`])
    })

    it(`ends with the signal in a loop that is ${scenario.loop}, without an error`, async () => {
      const ending = new AbortController()
      setTimeout(() => ending.abort(), 80)
      const begin = performance.now()
      assert.deepEqual(await turn(scenario, ending.signal, 600_000), { sample: undefined, said: [] })
      assert.ok(performance.now() - begin < 5_000)
    })
  }
})
