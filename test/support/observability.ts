// What the pages on observability say, read apart: the table of metrics, and the metrics and labels in expressions of
// PromQL. Judges nothing.

import { parser } from '@prometheus-io/lezer-promql'
import {
  HISTOGRAMS,
  type HistogramMetric,
  OPERATIONS,
  SCALARS,
  type ScalarMetric,
} from '../../src/tools/metric-table.js'
import { familyOf } from '../../src/tools/prometheus-names.js'
import type { Family } from './prometheus-parser.js'

const KINDS = { counter: 'counter', upDown: 'up-down counter', gauge: 'gauge', histogram: 'histogram' } as const

/** All metrics as Markdown. */
export function metricsTable(): string {
  const rows = [...SCALARS, ...HISTOGRAMS].map((metric) => {
    const { name, kind, unit, description } = metric
    const attribute = attributeOf(metric)
    const by = attribute === undefined ? '' : `\`${attribute}\``
    return `| \`${name}\`<br>\`${familyOf(metric).name}\` | ${KINDS[kind]}, \`${unit}\` | ${by} | ${description} |`
  })
  return ['| metric | kind, unit | by | what it is |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function attributeOf(metric: ScalarMetric | HistogramMetric): string | undefined {
  if (metric.kind === 'histogram') return metric === OPERATIONS ? 'db.operation.name' : undefined
  return metric.attribute
}

/** Which series a scrape has: labels by name of the sample. */
export function seriesOf(families: ReadonlyMap<string, Family>): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>()
  for (const { samples } of families.values()) {
    for (const { name, labels } of samples) {
      const known = series.get(name) ?? new Set()
      for (const label of Object.keys(labels)) known.add(label)
      series.set(name, known)
    }
  }
  return series
}

/** What a label belongs to: a selector, an aggregation, or both sides of an operation. */
const OWNERS = ['VectorSelector', 'AggregateExpr', 'BinaryExpr']

interface Span {
  readonly text: string
  readonly from: number
  readonly to: number
}

/** What is wrong with an expression of PromQL, where a scrape has these series. */
export function faultsOf(expression: string, series: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const faults: string[] = []
  const metrics: Span[] = []
  const labels: Span[] = []
  parser.parse(expression).iterate({
    enter: ({ type, from, to, name, node }) => {
      if (type.isError) faults.push(`does not parse at ${expression.slice(from)}`)
      if (name === 'Identifier') metrics.push({ text: expression.slice(from, to), from, to })
      if (name !== 'LabelName') return
      let owner = node
      while (!OWNERS.includes(owner.name) && owner.parent !== null) owner = owner.parent
      labels.push({ text: expression.slice(from, to), from: owner.from, to: owner.to })
    },
  })
  if (metrics.length === 0) faults.push('names no metric')
  for (const { text } of metrics) if (!series.has(text)) faults.push(`${text} is not in a scrape`)
  for (const label of labels) {
    const owned = metrics.filter(({ from, to }) => from >= label.from && to <= label.to)
    const has = owned.every(({ text }) => series.get(text)?.has(label.text) ?? true)
    if (!has) faults.push(`${label.text} is no label there`)
  }
  return faults
}
