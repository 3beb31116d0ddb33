// The second half of the seeds of every test run, in a file of its own so that both halves run side by side.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breakNoLaw } from './many.js'

describe('a simulated pool', () => {
  it('breaks no law in a thousand runs more', async () => {
    let steps = 0
    await breakNoLaw(1_001, 1_000, (result) => {
      steps += result.steps
    })
    assert.ok(steps > 400_000, `these were ${steps} steps only`)
  })
})
