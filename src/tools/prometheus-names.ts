// Owns what metrics are called in Prometheus: it follows from their names in OpenTelemetry, as the two have agreed. Pure.
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/

import type { HistogramMetric, ScalarMetric } from './metric-table.js'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
}

const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }

export function familyOf({ name, unit, description, kind }: ScalarMetric | HistogramMetric): Family {
  const base = promName(name) + (UNITS[unit] ?? '')
  if (kind === 'counter') return { name: `${base}_total`, help: description, type: 'counter' }
  return { name: base, help: description, type: kind === 'histogram' ? 'histogram' : 'gauge' }
}

/** The same for names of attributes, which become labels. */
export const promName = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_')
