// The dashboard's page in a real browser: what it shows is what the pool says, nothing it is given is run, and each
// planted trouble is called by its name.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { ConnectionPool, type ConnectionPoolOptions, Redis } from '../../src/index.js'
import { type DashboardServer, serveDashboard, type Watched } from '../../src/tools/dashboard.js'
import { chromiumSkip, launchChromium, openPage, type WatchedPage } from '../support/chromium.js'
import { freePort } from '../support/free-port.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const HTML = '<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>'
const WITHIN = 20_000

const textOf = async (page: Page, selector: string): Promise<string> => (await page.textContent(selector)) ?? ''

/** Whether an element comes to say this, however shortly. */
async function shows(page: Page, selector: string, text: string): Promise<void> {
  try {
    await page.locator(selector, { hasText: text }).first().waitFor({ state: 'attached', timeout: WITHIN })
  } catch (error) {
    throw new Error(`${selector} says '${await textOf(page, selector)}', not '${text}'`, { cause: error })
  }
}

describe('the page', { skip: liveSkip || chromiumSkip }, () => {
  let browser: Browser
  let server: RedisProcess
  before(async () => {
    server = await RedisProcess.start()
    browser = await launchChromium()
  })
  after(async () => {
    await browser.close()
    await server.stop()
  })

  interface Opened {
    readonly dashboard: DashboardServer
    readonly watched: WatchedPage
    readonly page: Page
  }

  async function look(
    pools: Watched | Watched[],
    options: BrowserContextOptions,
    use: (opened: Opened) => Promise<void>,
  ) {
    const dashboard = await serveDashboard({ pools })
    const watched = await openPage(browser, dashboard.url, options)
    try {
      await shows(watched.page, '#link', 'live')
      await use({ dashboard, watched, page: watched.page })
      assert.deepEqual(watched.wrong, [])
    } finally {
      await watched.close()
      await dashboard.close()
    }
  }

  it('shows what the pool says, in numbers with units', async () => {
    const pool = new ConnectionPool(server.url, { name: 'orders', maxConnections: 6 })
    const redis = new Redis({ pool })
    for (let count = 0; count < 123; count++) await redis.get(`k${count}`)
    await redis.lPush('list', 'x')
    await redis.incr('list').catch(() => {})
    const lease = await redis.lease({ label: 'check stock' })
    await look(pool, {}, async ({ page }) => {
      // A machine that is busy with the browser may have held up this process a moment ago, and the page says so.
      await shows(page, '#cause', 'healthy')
      assert.match(await page.title(), /orders · respool$/)
      await shows(page, '#commands', '123')
      const row = async (name: string) => {
        const texts = await page
          .locator('#commands tbody tr')
          .filter({ has: page.locator('th', { hasText: name }) })
          .allTextContents()
        return texts.join()
      }
      assert.match(await row('GET'), /^GET123\d+\.\d+\u202fms/)
      assert.match(await row('INCR'), /1 \(100 %\)WRONGTYPE 1$/)
      const { connections, maxConnections } = pool.stats()
      assert.match(
        await textOf(page, '#figures'),
        new RegExp(`${connections.leased + connections.shared} of ${maxConnections}`),
      )
      assert.match(String(await page.getAttribute('#slots', 'aria-label')), /of 6 connections: 1 leased, \d shared/)
      assert.equal(await page.locator('#slots .slot').count(), 6)
      assert.equal(await page.locator('#slots .leased').count(), 1)
      assert.match(await textOf(page, '#holders'), /check stocklease\d+/)
      const other = await redis.lease()
      await shows(page, '#log', 'connected connection')
      other.release()
      const { maxConnections: advised, because } = pool.advice()
      await shows(page, '#advice', `maxConnections: ${advised}`)
      assert.ok((await textOf(page, '#advice')).length > because.length)
      assert.equal(await page.locator('.chart canvas').count(), 6)
      // The same figures as the stream’s, drawn: a chart of nothing has no ink.
      const inks = 'new Set(document.querySelector("canvas").getContext("2d").getImageData(0, 0, 300, 150).data).size'
      assert.ok(Number(await page.evaluate(inks)) > 20)
    })
    lease.release()
    await pool.close()
  })

  it('has a landmark for each part, heads for each column, and says changes aloud', async () => {
    await look(new ConnectionPool(server.url), {}, async ({ page }) => {
      await shows(page, '#cause', 'healthy')
      for (const landmark of ['header', 'main', 'footer']) assert.equal(await page.locator(landmark).count(), 1)
      assert.equal(await page.locator('h1').count(), 1)
      assert.equal(await page.locator('table:not(:has(thead th[scope=col]))').count(), 0)
      assert.equal(await page.locator('table:not(:has(caption))').count(), 0)
      assert.equal(await page.locator('section:not([aria-labelledby]):not([aria-label])').count(), 0)
      assert.equal(await page.getAttribute('#spoken', 'aria-live'), 'assertive')
      await shows(page, '#spoken', 'The pool is healthy')
      assert.equal(await page.locator('select:not([id]), input:not([id])').count(), 0)
    })
  })

  it('runs nothing that it is given: names, labels and errors are text', async () => {
    const pool = new ConnectionPool(server.url, { name: HTML, maxConnections: 3, leakThreshold: 100 })
    const redis = new Redis({ pool })
    const lease = await redis.lease({ label: HTML })
    await redis.eval(`return redis.error_reply('ODD ${HTML.replaceAll("'", '')}')`, {}).catch(() => {})
    await redis.clientSetName('<b>name</b>').catch(() => {})
    await look(pool, {}, async ({ page }) => {
      await shows(page, '#holders', HTML)
      await shows(page, '#log', HTML)
      await shows(page, '#pool', HTML)
      assert.equal(await page.locator('img, script:not([src])').count(), 0)
      assert.equal(await page.evaluate('globalThis.pwned'), undefined)
    })
    lease.release()
    pool.destroy()
  })

  it('would not run a script within the page if there were one, and the test would see it', async () => {
    const pool = new ConnectionPool(server.url)
    const dashboard = await serveDashboard({ pools: pool })
    const watched = await openPage(browser, dashboard.url)
    const { page } = watched
    const plant =
      'document.body.append(Object.assign(document.createElement("script"), { text: "globalThis.pwned = 1" }))'
    await page.evaluate(`${plant}; fetch('http://127.0.0.1:1/').catch(() => {})`)
    for (let left = 50; left > 0 && watched.wrong.length < 2; left--) await sleep(100)
    assert.match(watched.wrong.join(), /violates the following Content Security Policy directive/)
    assert.match(watched.wrong.join(), /connect-src 'self'/)
    assert.equal(await page.evaluate('globalThis.pwned'), undefined)
    await watched.close()
    await dashboard.close()
    await pool.close()
  })

  it('is light or dark as the system is, and fits a phone and a wide screen', async () => {
    const pool = new ConnectionPool(server.url, { name: 'a-name-without-a-space-'.repeat(8), maxConnections: 40 })
    const redis = new Redis({ pool })
    const leases = await Promise.all(Array.from({ length: 12 }, () => redis.lease({ label: 'long-label-'.repeat(20) })))
    await Promise.allSettled([redis.sendCommand(['X'.repeat(31)]), redis.get('k')])
    const backs: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [320, 390, 820, 1_920]) {
        await look(pool, { colorScheme, viewport: { width, height: 800 } }, async ({ page }) => {
          await shows(page, '#holders', 'long-label')
          await page.waitForSelector('.chart canvas')
          const widest = Number(await page.evaluate('document.documentElement.scrollWidth'))
          assert.ok(widest <= width, `${widest} px on a screen of ${width}`)
          if (width === 390) backs.push(String(await page.evaluate('getComputedStyle(document.body).backgroundColor')))
        })
      }
    }
    assert.equal(new Set(backs).size, 2, 'light and dark look the same')
    for (const lease of leases) lease.release()
    await pool.close()
  })

  it('shows the pool that is chosen of several', async () => {
    const pools = ['first', 'second'].map(
      (name, index) => new ConnectionPool(server.url, { name, maxConnections: index + 3 }),
    )
    await look(pools, {}, async ({ page }) => {
      assert.match((await page.locator('#pool option').allTextContents()).join(), /^first[^,]*,second[^,]*$/)
      await page.selectOption('#pool', '1')
      for (let left = 100; left > 0 && !(await page.title()).endsWith('second · respool'); left--) await sleep(100)
      assert.match(await page.title(), /second · respool$/)
      await shows(page, '#slots-key', '4 not open')
    })
    for (const pool of pools) await pool.close()
  })

  it('asks for the token where it has none or a wrong one', async () => {
    const pool = new ConnectionPool(server.url, { name: 'guarded' })
    const dashboard = await serveDashboard({ pools: pool })
    const watched = await openPage(browser, dashboard.url.replace(/#.*/, '#token=wrong-wrong-wrong'), {}, /401/)
    try {
      const { page } = watched
      await shows(page, '#ask-why', 'not that of the dashboard')
      assert.equal(await page.isVisible('#content'), false)
      await page.fill('#token', dashboard.token)
      await page.click('#ask button')
      await shows(page, '#cause', 'healthy')
      assert.equal(await page.isVisible('#ask'), false)
      assert.deepEqual([await page.evaluate('document.cookie'), watched.wrong], ['', []])
    } finally {
      await watched.close()
      await dashboard.close()
      await pool.close()
    }
  })

  it('says when the server is gone, and goes on by itself when it is back', async () => {
    const pool = new ConnectionPool(server.url, { name: 'lasting' })
    const [port, token] = [await freePort(), 'a-token-of-the-test-0123456789']
    let dashboard = await serveDashboard({ pools: pool, port, token })
    const watched = await openPage(browser, dashboard.url, {}, /ERR_CONNECTION_REFUSED|503/)
    try {
      const { page } = watched
      await shows(page, '#link', 'live')
      await dashboard.close()
      await shows(page, '#link', 'trying again')
      await page.waitForSelector('body.stale')
      dashboard = await serveDashboard({ pools: pool, port, token })
      await shows(page, '#link', 'live')
      assert.equal(await page.locator('body.stale').count(), 0)
      pool.destroy()
      await shows(page, '#cause', 'closed')
      assert.deepEqual(watched.wrong, [])
    } finally {
      await watched.close()
      await dashboard.close()
    }
  })

  describe('calls each trouble by its name:', () => {
    /** Plants a trouble, and looks until the page has named it. */
    async function names(
      cause: string,
      options: ConnectionPoolOptions,
      because: RegExp,
      plant: (redis: Redis, stop: AbortSignal) => Promise<unknown>,
      url = server.url,
    ) {
      const pool = new ConnectionPool(url, { name: 'troubled', ...options })
      const redis = new Redis({ pool })
      const stop = new AbortController()
      await redis.connect().catch(() => {})
      await look(pool, {}, async ({ page }) => {
        await shows(page, '#cause', 'healthy')
        const planted = plant(redis, stop.signal)
        await shows(page, '#cause', cause)
        assert.match(await page.title(), new RegExp(cause))
        assert.match(await textOf(page, '#log'), because)
        await shows(page, '#spoken', cause)
        assert.equal(await page.locator('#verdict.wrong').count(), 1)
        stop.abort()
        await planted
      })
      pool.destroy()
    }

    /** Commands without a pause, some at once, whatever becomes of them. */
    async function load(redis: Redis, stop: AbortSignal): Promise<void> {
      for (let count = 0; !stop.aborted; count++) {
        const calls = Array.from({ length: 10 }, (_, index) => redis.get(`k${count}:${index}`))
        await Promise.race([Promise.allSettled(calls), sleep(50)])
        await sleep(20)
      }
    }

    it('leak', async () => {
      await names('leak', { leakThreshold: 200 }, /forgotten/, async (redis) => {
        await redis.lease({ label: 'forgotten' })
      })
    })

    it('slow-server', async () => {
      const busy = "local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 4 do end return 1"
      await names('slow-server', {}, /owes replies on every shared connection/, async (redis, stop) => {
        const slow = redis.eval(busy, {}).catch(() => {})
        await load(redis, stop)
        await slow
      })
    })

    it('failing-dials', async () => {
      const dying = await RedisProcess.start()
      await names(
        'failing-dials',
        { acquireTimeout: 300 },
        /connections cannot be made: .*ECONNREFUSED/,
        async (redis, stop) => {
          await dying.stop()
          await load(redis, stop)
        },
        dying.url,
      )
    })

    it('blocked-loop', async () => {
      await names('blocked-loop', {}, /did not run its event loop for \d{3,} ms/, async (_, stop) => {
        while (!stop.aborted) {
          const end = performance.now() + 250
          while (performance.now() < end);
          await sleep(100)
        }
      })
    })

    it('too-small', async () => {
      await names(
        'too-small',
        { maxConnections: 2, pipelining: 1 },
        /maxConnections: \d+ would have let/,
        async (redis, stop) => {
          const callers = Array.from({ length: 8 }, async () => {
            while (!stop.aborted) await redis.lease(() => sleep(150), { label: 'short work' }).catch(() => {})
          })
          await Promise.all(callers)
        },
      )
    })
  })
})
