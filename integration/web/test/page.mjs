// The page in a real browser, and what can be done in its panes.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after } from 'node:test'
import { chromium } from 'playwright-core'

const control = process.env.SHAPEGATE_WEB_CONTROL
if (!control) throw new Error('these scripts are run by: go test ./integration/web')

/** How long anything may take, in milliseconds: ample for a busy machine. */
const timeout = 30_000

const browser = await chromium.launch({
  executablePath: process.env.SHAPEGATE_WEB_BROWSER,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [], // Chromium has none as root
})
after(() => browser.close())

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** The id of the demo's n-th document. */
export const doc = (n) => `d0c00000-0000-4000-8000-${String(n).padStart(12, '0')}`

async function call(path, body) {
  const response = await fetch(control + path, { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(timeout) })
  const text = await response.text()
  assert.ok(response.ok, `${path}: ${text}`)
  return JSON.parse(text)
}

/**
 * Opens the page of a world of its own. At the end of the test, the browser must have
 * complained of nothing but the failed requests that allow says: patterns of the browser's
 * own lines.
 */
export async function open(t, { tokenLife = 0, allow = [], ...options } = {}) {
  const { url } = await call('/worlds', { tokenLife })
  const context = await browser.newContext({ viewport: { width: 1320, height: 880 }, ...options })
  context.setDefaultTimeout(timeout)
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => {
    const text = message.text()
    const lost = text.startsWith('Failed to load resource: ') && allow.some((pattern) => pattern.test(text))
    if (message.type() === 'error' && !lost) complaints.push(`${text} ${message.location().url}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  t.after(async () => {
    await context.close()
    await call('/do', { world: url, what: 'end' })
    assert.deepEqual(complaints, [], 'the browser complains')
  })
  await page.goto(url)
  return new Page(url, page, context)
}

class Page {
  constructor(url, page, context) {
    Object.assign(this, { url, page, context })
    this.left = new Pane(page, 'left')
    this.right = new Pane(page, 'right')
  }

  /** Does what no browser could: see world_test.go. */
  do = (what, ...args) => call('/do', { world: this.url, what, args })

  /** Carol, who administers, on the left, and bob on the right. */
  async bothSignIn() {
    await this.left.signIn('Carol')
    await this.right.signIn('Bob')
    await this.left.has('Comet pitch')
    await this.right.has('Borealis plan')
  }

  /** What axe-core finds wrong. */
  async accessible() {
    await this.page.evaluate(axe)
    const { violations } = await this.page.evaluate(() => globalThis.axe.run())
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`), [])
  }

  /**
   * Milliseconds from a click until a pane's list has, or lacks, an element with a text: as
   * the page itself sees it. Without a selector it is a row with this title.
   */
  async timed(click, pane, text, there, selector = '.title > span:first-child') {
    const took = this.page.evaluate(
      ([side, text, there, selector]) =>
        new Promise((resolve) => {
          let start
          document.addEventListener('click', () => (start = performance.now()), { capture: true, once: true })
          const list = document.querySelector(`[data-side=${side}] .rows`)
          new MutationObserver((_, observer) => {
            const has = [...list.querySelectorAll(selector)].some((e) => e.textContent === text)
            if (start !== undefined && has === there) {
              observer.disconnect()
              resolve(performance.now() - start)
            }
          }).observe(list, { childList: true, subtree: true, characterData: true })
        }),
      [pane.side, text, there, selector],
    )
    await click()
    return took
  }
}

class Pane {
  constructor(page, side) {
    this.side = side
    this.root = page.locator(`[data-side=${side}]`)
  }

  async signIn(person, way = 'JWT') {
    await this.root.getByRole('radio', { name: new RegExp(`^${person}`) }).check()
    await this.root.getByRole('radio', { name: new RegExp(`^${way}`) }).check()
    await this.root.getByRole('button', { name: `Sign in as ${person}` }).click()
    await this.root.getByRole('heading', { name: person }).waitFor()
  }

  signOut = () => this.root.getByRole('button', { name: 'Sign out' }).click()

  row = (title) => this.root.locator('.row', { has: this.root.page().locator('.title > span:first-child').getByText(title, { exact: true }) })
  has = (title) => this.row(title).waitFor()
  hasNot = (title) => this.row(title).waitFor({ state: 'detached' })

  titles = () => this.root.locator('.row .title > span:first-child').allTextContents()

  /** Waits until the list is exactly this. */
  async shows(...titles) {
    const deadline = Date.now() + timeout
    for (;;) {
      const now = await this.titles()
      if (JSON.stringify(now) === JSON.stringify(titles)) return
      if (Date.now() > deadline) assert.deepEqual(now, titles)
      await this.changed()
    }
  }

  /** Waits for the next frame: nothing shows before it. */
  changed = () => this.root.page().evaluate(() => new Promise(requestAnimationFrame))

  open = (title) => this.row(title).locator('.title').click()

  async flip(name) {
    await this.root.getByRole('switch', { name }).click()
  }

  /** Waits until a switch is on, or off. */
  isOn = (name, on) => this.root.locator(`[role=switch][aria-label="${name}"]${on ? ':checked' : ':not(:checked)'}`).waitFor()

  notice = (health) => this.root.locator(`[data-health=${health}]`).waitFor()
}
