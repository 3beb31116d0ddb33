// The process behind paced-line.ts: it ends with whoever started it.

import { FaultProxy } from './fault-proxy.js'

/** What a network holds of one connection before its sender has to wait. */
const BUFFER = 16 * 1_024

const { port, seed }: { port: number; seed: number } = JSON.parse(process.argv[2] ?? '{}')
const proxy = await FaultProxy.start({ port, seed, buffer: BUFFER })
process.on('message', (rate) => proxy.rate(Number(rate), 'up'))
process.on('disconnect', () => process.exit(0))
process.send?.(proxy.port)
