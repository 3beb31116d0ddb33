// Node's test events → a screen that can be read: one line per file, failures and skips in full, and node's own
// closing lines (`# pass 12`). The whole run in TAP lies beside it in build/test.tap.

import { relative } from 'node:path'
import { inspect } from 'node:util'

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* report(events) {
  const closing = []
  let file = started('')
  for await (const { type, data } of events) {
    if (type === 'test:diagnostic') {
      if (data.nesting === 0 && isClosing(data)) closing.push(`# ${data.message}\n`)
      continue
    }
    if (!['test:pass', 'test:fail', 'test:stdout', 'test:stderr'].includes(type)) continue
    // Files run side by side, but node reports them one after the other.
    const name = data.file ? relative('build/test', data.file) : file.name
    if (name !== file.name) {
      yield summary(file)
      file = started(name)
    }
    if (type === 'test:pass' || type === 'test:fail') yield record(file, type, data)
    else file.output += data.message
  }
  yield summary(file)
  yield* closing
}

function started(name) {
  return { name, passed: 0, failed: 0, skipped: [], ms: 0, output: '' }
}

/** @returns {string} what is worth a line at once: a failure */
function record(file, type, data) {
  if (data.nesting === 0) file.ms += data.details.duration_ms
  if (data.details.type === 'suite') {
    if (data.skip !== undefined) file.skipped.push(reason(data))
    // A suite that fails for its subtests has nothing of its own to say.
    const own = type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed'
    if (!own) return ''
  }
  if (data.skip !== undefined || data.todo !== undefined) {
    if (data.skip !== undefined && data.details.type !== 'suite') file.skipped.push(reason(data))
    return ''
  }
  if (type === 'test:pass') {
    file.passed++
    return ''
  }
  file.failed++
  const { error } = data.details
  const where = data.file ? ` (${relative('build', data.file)}${data.line ? `:${data.line}` : ''})` : ''
  return `not ok - ${data.name}${where}\n${indent(explain(error))}\n`
}

/** @returns {string} what the test threw, or how its file's process ended */
function explain(error) {
  if (error?.signal) return `its process was ended by ${error.signal}`
  if (error?.exitCode) return `its process ended with ${error.exitCode}; what it said is below`
  const thrown = error?.cause ?? error
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 5 })
}

function summary(file) {
  if (file.name === '') return ''
  const verdict = file.failed > 0 ? 'not ok' : 'ok    '
  const counts = [`${file.passed} passed`]
  if (file.failed > 0) counts.push(`${file.failed} failed`)
  if (file.skipped.length > 0) counts.push(`${file.skipped.length} skipped`)
  const lines = [`${verdict} ${file.name.replace(/\.js$/, '')}: ${counts.join(', ')}, ${Math.round(file.ms)} ms`]
  for (const why of new Set(file.skipped)) lines.push(`       skipped: ${why}`)
  if (file.failed > 0 && file.output) lines.push(indent(file.output.trimEnd()))
  return `${lines.join('\n')}\n`
}

function reason(data) {
  return typeof data.skip === 'string' && data.skip !== '' ? data.skip : data.name
}

/** Node's closing lines, and no diagnostics of a single test. */
function isClosing(data) {
  return /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(data.message)
}

function indent(text) {
  return text.replace(/^/gm, '    ')
}
