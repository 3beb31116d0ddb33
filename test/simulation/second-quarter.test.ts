// The second quarter of the seeds of every test run, in a file of its own so that two run side by side.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breakNoLaw } from './many.js'

describe('a simulated pool', () => {
  it('breaks no law in the second five hundred runs', async () => {
    let steps = 0
    await breakNoLaw(501, 500, (result) => {
      steps += result.steps
    })
    assert.ok(steps > 200_000, `these were ${steps} steps only`)
  })
})
