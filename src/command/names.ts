// Finds a command's name in its arguments, and what the name alone tells. It knows no connections.

import { type Access, CATALOG, CONTAINERS, OTHER_READS } from './catalog.js'
import type { RedisArgument } from './definitions.js'

/** A token as the server compares names: text in upper case. */
export function wordOf(argument: RedisArgument | undefined): string {
  if (argument === undefined) return ''
  return (typeof argument === 'string' ? argument : argument.toString('latin1')).toUpperCase()
}

/** What the server calls the command, with its subcommand where it has one: `GET`, `CLIENT KILL`. No argument. */
export function wireNameOf(args: readonly RedisArgument[]): string {
  const name = wordOf(args[0])
  return args.length > 1 && CONTAINERS.has(name) ? `${name} ${wordOf(args[1])}` : name
}

/** What a name looks like; what does not is nobody's business to show. */
const NAME = /^[A-Z][A-Z0-9._|-]{0,31}$/

/** Shown in place of what does not look like a name. */
export const OTHER = 'other'

/** The first argument of a command as it may be shown: anybody can send anything as a name. */
export function shownName(word: unknown): string {
  const spelled = String(word).toUpperCase()
  return NAME.test(spelled) ? spelled : OTHER
}

let reads: Set<string> | undefined

/** Whether the command may be sent twice: `write` whenever that is not certain. */
export function accessOf(args: readonly RedisArgument[]): Access {
  reads ??= readNames()
  return reads.has(wireNameOf(args)) ? 'read' : 'write'
}

function readNames(): Set<string> {
  const names = new Set(OTHER_READS)
  for (const { access, wire } of CATALOG) if (access === 'read') names.add(wire)
  // One name can be several entries (ACL LOG, ACL LOG RESET): raw, only the name is known.
  for (const { access, wire } of CATALOG) if (access === 'write') names.delete(wire)
  return names
}
