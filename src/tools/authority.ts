// Owns the option that names an authority to trust. Reads the file, and knows nothing of what is in it.

import { readFileSync } from 'node:fs'
import { OptionError } from '../index.js'
import type { OptionSpec } from './command-spec.js'

export const AUTHORITY_OPTION: Readonly<Record<'ca', OptionSpec>> = {
  ca: { value: 'FILE', doc: 'Trust this authority, in PEM, for a server at rediss://' },
}

/** What Node.js reads by itself. */
export const AUTHORITY_VARIABLE: Readonly<Record<string, string>> = {
  NODE_EXTRA_CA_CERTS: 'A file of authorities to trust, read by Node.js',
}

export const isTls = (url: string): boolean => /^(rediss|valkeys):/i.test(url)

/** What `--ca` names, where it was given. */
export function readAuthority(values: ReadonlyMap<string, string>, url: string | undefined): string | undefined {
  const file = values.get('ca')
  if (file === undefined) return undefined
  if (url === undefined || !isTls(url)) throw new OptionError('--ca: needs a server at rediss://')
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new OptionError(`--ca: the file cannot be read (${code})`)
  }
}
