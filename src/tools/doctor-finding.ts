// Owns what a finding is, and which exit code a set of them gives. Knows no server.

import { EXIT } from './command-spec.js'
import type { Refusal } from './server-questions.js'

export type Severity = 'ok' | 'note' | 'warning' | 'critical'

/** From the one to read first. */
export const SEVERITIES: readonly Severity[] = ['critical', 'warning', 'note', 'ok']

/** What was found about one topic. Texts of servers in it are as they came: whoever shows it makes them printable. */
export interface Finding {
  /** The same in every run, in words with dashes: for whoever reads the JSON. */
  readonly topic: string
  readonly severity: Severity
  /** `server`, or `pool` and its name. */
  readonly subject: string
  readonly seen: string
  readonly means?: string
  readonly remedy?: string
  /** The cause in the words of `ConnectionPoolTimeoutError`, of a pool that is ill. */
  readonly cause?: string
}

export type Told = Pick<Finding, 'means' | 'remedy'>

export const SERVER = 'server'

export function found(topic: string, severity: Severity, seen: string, told: Told = {}): Finding {
  return { topic, severity, subject: SERVER, seen, ...told }
}

/** A question that was refused is a finding too. */
export function notAsked(topic: string, { question, because, remedy }: Refusal, lost: string): Finding {
  return found(topic, 'note', `${question} could not be asked, because ${because}`, { means: lost, remedy })
}

/** Null where nothing was found out. */
export function worstOf(findings: readonly Finding[]): Severity | null {
  return SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity)) ?? null
}

export function exitCodeOf(findings: readonly Finding[], examined: boolean): number {
  if (!examined) return EXIT.unavailable
  switch (worstOf(findings)) {
    case 'critical':
      return EXIT.critical
    case 'warning':
      return EXIT.failed
    default:
      return EXIT.done
  }
}
