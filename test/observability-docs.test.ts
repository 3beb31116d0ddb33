// Keeps the page on observability, its alert rules and its dashboard true: their metrics and labels are those of a real
// scrape, and their expressions are PromQL.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { Redis } from '../src/index.js'
import { prometheusText } from '../src/tools/prometheus.js'
import { faultsOf, metricsTable, seriesOf } from './support/observability.js'
import { parsePrometheus } from './support/prometheus-parser.js'
import { liveSkip, RedisProcess } from './support/redis-process.js'

const ROOT = findRoot(import.meta.dirname)
// As Grafana writes a variable.
const DATASOURCE = ['$', '{datasource}'].join('')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Values by name, of what was read from a file. */
const fieldsOf = (value: unknown): Record<string, unknown> => Object.fromEntries(Object.entries(value ?? {}))
const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(fieldsOf) : [])
const texts = (value: unknown): string[] => Object.values(fieldsOf(value)).map(String)

describe('docs/observability.md', () => {
  it('has the metrics as the code has them', () => {
    const [, after = ''] = read('docs/observability.md').split('<!-- metrics -->\n\n')
    const [table = ''] = after.split('\n\n')
    assert.equal(table, metricsTable())
  })
})

describe('the alert rules and the dashboard', { skip: liveSkip }, () => {
  let series: Map<string, Set<string>>
  before(async () => {
    await using server = await RedisProcess.start()
    const redis = new Redis(server.url, { clientSideCache: {} })
    await redis.get('x')
    await redis.lPush('list', 'a')
    await assert.rejects(redis.get('list'))
    await redis.close()
    series = seriesOf(parsePrometheus(prometheusText(redis.pool)))
  })

  const rules = (): Record<string, unknown>[] =>
    listOf(fieldsOf(parse(read('docs/alerts.yml'))).groups).flatMap((group) => listOf(group.rules))
  const dashboard = (): Record<string, unknown> => fieldsOf(JSON.parse(read('docs/grafana.json')))
  const panels = (): Record<string, unknown>[] => listOf(dashboard().panels)

  it('alert by expressions that parse, on metrics and labels that a scrape has', () => {
    const found = rules().flatMap(({ alert, expr }) =>
      faultsOf(String(expr), series).map((fault) => `${alert}: ${fault}`),
    )
    assert.deepEqual(found, [])
    assert.ok(rules().length >= 8)
  })

  it('have rules as Prometheus loads them, each with a severity, a summary and labels that it has', () => {
    const names = rules().map(({ alert }) => String(alert))
    assert.equal(new Set(names).size, names.length)
    for (const rule of rules()) {
      assert.match(String(rule.alert), /^[A-Z]\w+$/)
      for (const key of Object.keys(rule))
        assert.ok(['alert', 'expr', 'for', 'labels', 'annotations'].includes(key), key)
      if (rule.for !== undefined) assert.match(String(rule.for), /^\d+[smh]$/)
      assert.match(String(fieldsOf(rule.labels).severity), /^(?:warning|critical)$/)
      assert.ok(fieldsOf(rule.annotations).summary)
      const [, kept = ''] = /^\s*(?:[\w(.,\s]*?\b)?by \(([^)]*)\)/.exec(String(rule.expr)) ?? []
      const labels = kept.split(',').map((label) => label.trim())
      for (const text of texts(rule.annotations))
        for (const [, label = ''] of text.matchAll(/\$labels\.(\w+)/g))
          assert.ok(labels.includes(label), `${rule.alert}: ${label}`)
    }
  })

  it('name causes by the words of ConnectionPoolTimeoutError', () => {
    const causes = rules().flatMap(({ labels }) => fieldsOf(labels).cause ?? [])
    assert.deepEqual([...new Set(causes)].sort(), ['blocked-loop', 'failing-dials', 'leak', 'slow-server', 'too-small'])
  })

  it('show panels of expressions that parse, on metrics and labels that a scrape has', () => {
    const found = panels().flatMap(({ title, targets }) =>
      listOf(targets).flatMap(({ expr, legendFormat }) => {
        const faults = faultsOf(String(expr).replaceAll('$__rate_interval', '5m'), series)
        for (const [, label = ''] of String(legendFormat).matchAll(/\{\{(\w+)\}\}/g))
          if (!new RegExp(`by \\([^)]*\\b${label}\\b`).test(String(expr))) faults.push(`${label} is not kept`)
        return faults.map((fault) => `${title}: ${fault}`)
      }),
    )
    assert.deepEqual(found, [])
  })

  it('make a dashboard that can be imported: a data source to choose, panels side by side, nothing of a machine', () => {
    const variables = listOf(fieldsOf(dashboard().templating).list)
    assert.deepEqual(
      variables.map(({ name, type }) => [name, type]),
      [
        ['datasource', 'datasource'],
        ['pool', 'query'],
      ],
    )
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(String(variables[1]?.definition)) ?? []
    assert.ok(series.get(metric)?.has(label), `${metric} ${label}`)
    assert.equal(dashboard().id, undefined)
    const used = panels().filter(({ type }) => type !== 'row')
    for (const panel of used) {
      const sources = [panel, ...listOf(panel.targets)].map(({ datasource }) => fieldsOf(datasource).uid)
      assert.deepEqual([...new Set(sources)], [DATASOURCE], String(panel.title))
    }
    const ids = panels().map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
    const cells = new Set<string>()
    for (const { gridPos, title } of panels()) {
      const { x, y, w, h } = fieldsOf(gridPos)
      assert.ok(Number(x) + Number(w) <= 24, String(title))
      for (let column = Number(x); column < Number(x) + Number(w); column++) {
        for (let line = Number(y); line < Number(y) + Number(h); line++) {
          assert.ok(!cells.has(`${column}.${line}`), `${title} lies on another`)
          cells.add(`${column}.${line}`)
        }
      }
    }
  })

  it('would not pass with a metric, a label or a bracket that is wrong', () => {
    assert.match(faultsOf('rate(db_client_connection_max[5m])', series).join(), /db_client_connection_max is not/)
    assert.match(faultsOf('sum by (pool) (db_client_connection_limit)', series).join(), /pool is no label there/)
    assert.match(faultsOf('db_client_connection_limit{respool_connection_place="idle"}', series).join(), /no label/)
    assert.match(faultsOf('sum(rate(db_client_connection_limit[5m])', series).join(), /does not parse/)
    assert.deepEqual(faultsOf('sum(rate(db_client_connection_timeouts_total[5m]))', series), [])
  })
})

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
