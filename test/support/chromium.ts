// Starts the Chromium that the tests of the dashboard's page look through, and pages that keep what went wrong in them.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_BIN
  if (named) return named
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/bin', '/usr/local/bin']
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a suite with a browser passes as `skip`. */
export const chromiumSkip: false | string = findChromium() ? false : 'no Chromium (CHROMIUM_BIN, PATH)'

export function launchChromium(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('there is no Chromium')
  // The sandbox of Chromium does not run as root.
  return chromium.launch({ executablePath, args: ['--disable-dev-shm-usage', ...(isRoot ? ['--no-sandbox'] : [])] })
}

export interface WatchedPage {
  readonly page: Page
  /** Errors, complaints on the console, violations of the policy, and requests to elsewhere. */
  readonly wrong: readonly string[]
  close(): Promise<void>
}

/** @param expected what is no news on the console, such as a server that is gone on purpose */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  expected?: RegExp,
): Promise<WatchedPage> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const wrong: string[] = []
  const note = (text: string): void => {
    if (!expected?.test(text)) wrong.push(text)
  }
  page.on('pageerror', (error) => note(`error: ${error.message}`))
  page.on('console', (message) => note(`console: ${message.type()}: ${message.text()}`))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) note(`request to ${request.url()}`)
  })
  await page.goto(url)
  return { page, wrong, close: () => context.close() }
}
