// Owns what may be given beside the commands of a server: modules, functions and scripts. Knows no handle.

import { OptionError } from '../base/errors.js'

export interface Extensions<M, F, S> {
  readonly modules?: M
  readonly functions?: F
  readonly scripts?: S
}

/** None are served yet. */
export function rejectExtensions(extensions: Extensions<unknown, unknown, unknown>): void {
  for (const name of ['modules', 'functions', 'scripts'] as const) {
    const given = extensions[name]
    if (typeof given === 'object' && given !== null && Object.keys(given).length > 0) {
      throw new OptionError(`${name}: are not supported yet; use eval, fCall and sendCommand`)
    }
  }
}
