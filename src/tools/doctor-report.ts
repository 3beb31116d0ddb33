// Owns how findings read: on a screen of any width, and as a JSON document. Texts of servers are made printable here.

import { type Finding, SEVERITIES, type Severity } from './doctor-finding.js'
import { counted } from './figures.js'
import { paint, printable, type Screen, type Style, wrap } from './terminal.js'

const STYLES: Readonly<Record<Severity, readonly Style[]>> = {
  critical: ['bold', 'red'],
  warning: ['bold', 'yellow'],
  note: ['cyan'],
  ok: ['green'],
}

const INDENT = '  '
/** A client's name, for example, has no bound of its own. */
const LONGEST = 600

export function headLines(places: readonly string[], screen: Screen): string[] {
  return wrap(`respool doctor: ${places.map(printable).join(', ')}`, screen.columns, INDENT)
}

/** The worst first, each with what it means and what to do. */
export function findingLines(findings: readonly Finding[], screen: Screen): string[] {
  return SEVERITIES.flatMap((severity) => {
    const those = findings.filter((finding) => finding.severity === severity)
    if (severity !== 'ok') return those.flatMap((finding) => ['', ...longLines(finding, screen)])
    return those.length === 0 ? [] : ['', ...those.flatMap((finding) => briefLines(finding, screen))]
  })
}

function longLines({ severity, subject, topic, seen, means, remedy }: Finding, screen: Screen): string[] {
  const width = screen.columns - INDENT.length
  const say = (label: string, text: string | undefined): string[] =>
    text ? wrap(label + shown(text), width, INDENT).map((line) => INDENT + line) : []
  const [first = '', ...more] = wrap(`${severity}  ${shown(subject)}: ${topic}`, screen.columns, INDENT)
  return [
    paint(screen, STYLES[severity], first),
    ...more,
    ...say('Seen: ', seen),
    ...say('Means: ', means),
    ...say('Do: ', remedy),
  ]
}

function briefLines({ severity, subject, topic, seen }: Finding, screen: Screen): string[] {
  const [first = '', ...more] = wrap(`ok  ${shown(subject)}: ${topic}: ${shown(seen)}`, screen.columns, INDENT)
  return [paint(screen, STYLES[severity], first.slice(0, 2)) + first.slice(2), ...more]
}

export function summaryLine(findings: readonly Finding[], screen: Screen): string {
  const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length
  const counts = [
    `${count('critical')} critical`,
    counted(count('warning'), 'warning'),
    counted(count('note'), 'note'),
    `${count('ok')} ok`,
  ]
  return wrap(counts.join(', '), screen.columns, INDENT).join('\n')
}

function shown(text: string): string {
  const safe = printable(text)
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST)}…` : safe
}
