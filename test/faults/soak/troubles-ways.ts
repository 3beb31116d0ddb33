// Owns the faults of a soak that happen on the way between a client and its server: ends, silence, slowness, bytes.

import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultProxy } from '../../support/fault-proxy.js'
import { between, pick, type Random } from '../../support/random.js'
import type { Hit, Run, Trouble } from './trouble.js'

type Link = FaultProxy['links'][number]

/** Bytes of replies that a handshake stays below. */
const HANDSHAKE = 1_000

export const WAY_TROUBLES: readonly Trouble[] = [
  { name: 'A: connections are reset', run: endings('rst') },
  { name: 'A: connections end in good order', run: endings('fin') },
  { name: 'A: cuts inside replies', run: onLinks((link) => link.cutAfter({ insideReply: 1 }, 'rst')) },
  { name: 'A: replies are lost', run: onLinks((link) => link.dropReplyThenRst()) },
  { name: 'A: handshakes are cut', run: cutHandshakes },
  { name: 'B: black hole', run: (hit) => hold(hit) },
  { name: 'B: one way only', run: (hit) => hold(hit, pick(hit.random, ['up', 'down'])) },
  { name: 'B: late replies', run: late },
  {
    name: 'B: a few bytes at a time',
    run: lasting(
      300,
      (proxy, random) => proxy.slice(between(random, 1, 7)),
      (proxy) => proxy.slice(0),
    ),
  },
  {
    name: 'B: slow line',
    run: lasting(
      600,
      (proxy, random) => proxy.rate(between(random, 20_000, 200_000)),
      (proxy) => proxy.rate(0),
    ),
  },
  { name: 'B: the event loop is blocked', run: async ({ random }) => block(between(random, 50, 150)) },
  { name: 'D: dials are refused', run: unreachable((proxy) => proxy.refuse()) },
  { name: 'D: dials meet silence', run: unreachable((proxy) => proxy.acceptSilent()) },
  {
    name: 'E: pushes',
    run: lasting(
      400,
      (proxy) => proxy.tamper.injectAfterEach('>2\r\n+soak\r\n+push\r\n'),
      (proxy) => proxy.tamper.injectAfterEach(undefined),
    ),
  },
  { name: 'E: bytes that are no RESP', run: onLinks(({ tamper }) => tamper.inject('?no reply\r\n')) },
  { name: 'E: replies that nobody asked for', proven: true, run: onLinks(({ tamper }) => tamper.inject('+OK\r\n')) },
  { name: 'E: replies are eaten', proven: true, run: onLinks(({ tamper }) => tamper.eatReply()) },
  { name: 'E: replies are repeated', proven: true, run: onLinks(({ tamper }) => tamper.dupReply()) },
  { name: 'E: replies change places', proven: true, run: onLinks(({ tamper }) => tamper.swapReplies()) },
]

function endings(ending: 'rst' | 'fin'): Run {
  return async ({ proxy, random }) => {
    for (let left = between(random, 3, 20); left > 0; left--) {
      const links = serving(proxy)
      if (links.length > 0) pick(random, links).kill(ending)
      await sleep(between(random, 5, 30))
    }
  }
}

/** A fault that waits for a reply: when none came, its connection ends all the same. */
function onLinks(hurt: (link: Link) => void): Run {
  return async ({ proxy, random }) => {
    for (let left = between(random, 1, 4); left > 0; left--) {
      const links = serving(proxy)
      const link = links.length > 0 ? pick(random, links) : undefined
      if (link) hurt(link)
      await sleep(between(random, 10, 60))
      link?.kill()
    }
  }
}

async function cutHandshakes({ proxy, random }: Hit): Promise<void> {
  proxy.stallHandshake(between(random, 0, 5))
  proxy.killAll()
  await sleep(between(random, 50, 400))
  proxy.stallHandshake(undefined)
  proxy.killAll()
}

async function hold({ proxy, random }: Hit, direction?: 'up' | 'down'): Promise<void> {
  proxy.hold(direction)
  await sleep(between(random, 100, 1_400))
  if (random() < 0.5) proxy.killAll()
  proxy.release(direction)
}

/** Up to beyond the deadline of the calls. */
async function late({ proxy, random }: Hit): Promise<void> {
  const latency = between(random, 10, 900)
  const jitter = between(random, 0, 300)
  proxy.latency(latency, jitter)
  await sleep(between(random, 400, 1_200))
  proxy.latency(0)
  // What set out before is late all the same.
  await sleep(latency + jitter)
}

function lasting(
  most: number,
  begin: (proxy: FaultProxy, random: Random) => void,
  end: (proxy: FaultProxy) => void,
): Run {
  return async ({ proxy, random }) => {
    begin(proxy, random)
    await sleep(between(random, Math.ceil(most / 3), most))
    end(proxy)
  }
}

function unreachable(begin: (proxy: FaultProxy) => void): Run {
  return async ({ proxy, random }) => {
    begin(proxy)
    proxy.killAll()
    await sleep(between(random, 100, 800))
    await proxy.accept()
    proxy.killAll()
  }
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Those that are past their handshake. */
function serving(proxy: FaultProxy): readonly Link[] {
  return proxy.links.filter((link) => link.bytes('down') > HANDSHAKE)
}
