// Starts the program that measures what a reply costs, with as much memory as it may have.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Cost } from './memory-child.js'

const CHILD = fileURLToPath(new URL('./memory-child.js', import.meta.url))

export interface CostOptions {
  readonly url: string
  /** Each with `text` or `buffer` before it: what its strings become. */
  readonly commands: readonly string[]
  /** Megabytes of heap. */
  readonly heap?: number
  readonly redis?: object
}

/** The cost of each command, in order. Rejects when the process did not live to tell. */
export async function costsOf({ url, commands, heap, redis = {} }: CostOptions): Promise<Cost[]> {
  const limit = heap === undefined ? [] : [`--max-old-space-size=${heap}`]
  const child = spawn(process.execPath, ['--expose-gc', ...limit, CHILD, url, JSON.stringify(redis), ...commands])
  let [told, complained] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text
  })
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`the process ended with ${code ?? signal}: ${complained.slice(0, 2_000)}`)
  const costs: Cost[] = JSON.parse(told)
  return costs
}
