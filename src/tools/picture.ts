// Owns the writing of a picture to the file that was named. Knows no picture.

import { writeFileSync } from 'node:fs'
import { OptionError } from '../index.js'

export function writePicture(path: string, svg: string): void {
  try {
    writeFileSync(path, svg)
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    throw new OptionError(`--svg: cannot write the file${typeof code === 'string' ? ` (${code})` : ''}`)
  }
}
