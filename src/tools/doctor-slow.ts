// Owns which commands keep the server from all others: SLOWLOG and the times of commands. Names of commands and figures
// only, never an argument. Pure: facts in, findings out.

import type { ServerFacts, SlowEntry } from './doctor-facts.js'
import { type Finding, found, notAsked } from './doctor-finding.js'
import { counted, percent, span } from './figures.js'
import type { CommandTimes } from './server-info.js'

/** A command that runs for longer keeps everybody waiting, in ms. */
const HELD_UP = 100
/** On average, in ms. */
const SLOW_SCRIPT = 10
const SLOW_COMMAND = 5
const SHOWN = 3
/** What was longer ago is history, in ms. */
const RECENT = 24 * 60 * 60 * 1_000

const SCRIPTS = /^(eval|evalsha|fcall)(_ro)?$/i
/** What is meant to take its time, or is asked by people. */
const EXCUSED =
  /^(debug|save|bgsave|bgrewriteaof|shutdown|flushall|flushdb|psync|sync|replicaof|slaveof|config|info|client|slowlog|cluster|acl|latency|memory|module|script|function|command|migrate|restore|failover|swapdb|wait|waitaof|monitor)(\||$)/i

export function slowFindings(facts: ServerFacts): Finding[] {
  return [...scriptFindings(facts), ...slowlogFindings(facts)]
}

function scriptFindings({ commands }: ServerFacts): Finding[] {
  if (commands.refused !== undefined) {
    return [notAsked('commands', commands.refused, 'how long commands take on the server is unknown')]
  }
  const slowest = commands.value
    .filter(({ name, calls }) => calls > 0 && !EXCUSED.test(name))
    .sort((a, b) => b.microsecondsPerCall - a.microsecondsPerCall)
  const scripts = slowest.filter((each) => SCRIPTS.test(each.name) && perCall(each) >= SLOW_SCRIPT)
  const others = slowest.filter((each) => !SCRIPTS.test(each.name) && perCall(each) >= SLOW_COMMAND)
  const findings: Finding[] = []
  if (scripts.length > 0) {
    findings.push(
      found('scripts', 'warning', `slow scripts: ${listed(scripts)}`, {
        means: 'slow-server: while a script runs the server does nothing else, and all its clients wait',
        remedy: 'let the script do less at once, or in parts; SLOWLOG GET shows which one it is',
      }),
    )
  }
  if (others.length > 0) {
    findings.push(
      found('commands', 'warning', `slow commands: ${listed(others)}`, {
        means: 'slow-server: while one of them runs the server does nothing else',
        remedy: 'bound what they touch: SCAN for KEYS, HSCAN, SSCAN and ranges for whole collections, UNLINK for DEL',
      }),
    )
  }
  const keys = slowest.find(({ name }) => name.toLowerCase() === 'keys')
  if (keys !== undefined && !others.includes(keys)) {
    const means = 'it walks over all keys at once, and takes longer with each that is added'
    findings.push(
      found('keys', 'note', `KEYS was called ${counted(keys.calls, 'time')}`, { means, remedy: 'use SCAN' }),
    )
  }
  return findings.length > 0 ? findings : [found('commands', 'ok', 'no command takes long on average')]
}

const perCall = ({ microsecondsPerCall }: CommandTimes): number => microsecondsPerCall / 1_000

function listed(commands: readonly CommandTimes[]): string {
  const names = commands
    .slice(0, SHOWN)
    .map((each) => `${each.name.toUpperCase()} ${span(perCall(each))} on average over ${counted(each.calls, 'call')}`)
  const more = commands.length - SHOWN
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function slowlogFindings({ slowlog, settings, at }: ServerFacts): Finding[] {
  if (slowlog.refused !== undefined) return [notAsked('slowlog', slowlog.refused, 'single slow commands are unknown')]
  const threshold = Number(settings['slowlog-log-slower-than'].value ?? Number.NaN)
  if (threshold < 0) {
    const remedy = 'CONFIG SET slowlog-log-slower-than 10000'
    return [found('slowlog', 'note', 'SLOWLOG is off', { means: 'single slow commands leave no trace', remedy })]
  }
  const entries = slowlog.value
  if (entries.length === 0) return [found('slowlog', 'ok', 'SLOWLOG is empty')]
  const worst = entries.reduce((a, b) => (b.microseconds > a.microseconds ? b : a))
  const newest = entries.reduce((a, b) => (b.at > a.at ? b : a))
  const seen = `SLOWLOG has ${counted(entries.length, 'entry', 'entries')}, ${shares(entries)}; the slowest, ${worst.command}, took ${span(worst.microseconds / 1_000)}, the last was ${span(Math.max(0, at - newest.at))} ago`
  if (worst.microseconds / 1_000 < HELD_UP) return [found('slowlog', 'ok', seen)]
  return [
    found('slowlog', at - worst.at < RECENT ? 'warning' : 'note', seen, {
      means: 'slow-server: for so long the server answered nobody',
      remedy: 'SLOWLOG GET on the server shows the arguments, which are not shown here',
    }),
  ]
}

function shares(entries: readonly SlowEntry[]): string {
  const counts = new Map<string, number>()
  for (const { command } of entries) counts.set(command, (counts.get(command) ?? 0) + 1)
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([name, count]) => `${name} ${percent(count / entries.length)}`)
    .join(', ')
}
