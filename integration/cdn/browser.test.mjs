// A browser in front of nginx, in front of shapegate. The Go test beside this runs it.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, test } from 'node:test'

const { chromium } = createRequire(new URL('../web/package.json', import.meta.url))('playwright-core')
const { SHAPEGATE_CDN_URL: url, SHAPEGATE_CDN_TOKEN: token, SHAPEGATE_CDN_REVOKE: revoke, SHAPEGATE_CDN_BROWSER: executablePath } = process.env
if (!url) throw new Error('this script is run by: go test ./integration/cdn')

const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
after(() => browser.close())

const path = '/v1/shapes/documents?offset=-1'

/** Opens the page of a browser that knows nothing yet. */
async function open(t) {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  await page.goto(url)
  return page
}

/** Asks as a script of the page, and returns the status, and whether rows are in the answer. A cache that has nothing is 'nothing'. */
const ask = (page, cache = 'default', init = {}, to = path) =>
  page.evaluate(async ({ to, cache, init }) => {
    try {
      const response = await fetch(to, { cache, ...init })
      return { status: response.status, rows: (await response.text()).includes('Borealis plan') }
    } catch {
      return 'nothing'
    }
  }, { to, cache, init })

const signIn = (page) => ask(page, 'default', { method: 'POST', headers: { Authorization: `Bearer ${token}` } }, '/v1/session')
const signOut = (page) => ask(page, 'default', { method: 'DELETE' }, '/v1/session')

/** What the cache alone has. */
const kept = (page, to) => ask(page, 'only-if-cached', { mode: 'same-origin' }, to)

test('the cache works: it has a file of the page', async (t) => {
  const page = await open(t)
  const file = await page.evaluate(() => new URL(document.querySelector('script[src]').src).pathname)
  assert.equal((await ask(page, 'default', {}, file)).status, 200)
  assert.equal((await kept(page, file)).status, 200)
})

for (const [way, init] of [['a session cookie', {}], ['a JWT', { headers: { Authorization: `Bearer ${token}` } }]]) {
  test(`with ${way} the cache has nothing that was read`, async (t) => {
    const page = await open(t)
    if (way === 'a session cookie') assert.equal((await signIn(page)).status, 201)
    for (const cache of ['default', 'force-cache']) {
      assert.deepEqual(await ask(page, cache, init), { status: 200, rows: true })
      assert.equal(await kept(page, path), 'nothing')
    }
  })
}

test('after signing out nothing is read, not even by force', async (t) => {
  const page = await open(t)
  assert.equal((await signIn(page)).status, 201)
  assert.deepEqual(await ask(page), { status: 200, rows: true })
  assert.equal((await signOut(page)).status, 204)
  for (const cache of ['default', 'force-cache', 'no-cache', 'reload']) {
    assert.deepEqual(await ask(page, cache), { status: 401, rows: false })
  }
})

test('after signing out the button Back shows nothing', async (t) => {
  const page = await open(t)
  assert.equal((await signIn(page)).status, 201)
  const read = await page.goto(url + path)
  assert.equal(read.status(), 200)
  assert.match(await page.textContent('body'), /Borealis plan/)
  await page.goto(url)
  assert.equal((await signOut(page)).status, 204)
  await page.goBack()
  assert.equal(page.url(), url + path)
  assert.doesNotMatch(await page.textContent('body'), /Borealis/)
  await page.goForward()
  await page.goBack()
  assert.doesNotMatch(await page.textContent('body'), /Borealis/)
})

test('after a revocation nothing is read, and the button Back shows nothing', async (t) => {
  const page = await open(t)
  assert.equal((await signIn(page)).status, 201)
  await page.goto(url + path)
  assert.match(await page.textContent('body'), /Borealis plan/)
  await page.goto(url)
  await fetch(revoke) // and shapegate has heard of it
  for (const cache of ['default', 'force-cache']) assert.deepEqual(await ask(page, cache), { status: 200, rows: false })
  await page.goBack()
  assert.doesNotMatch(await page.textContent('body'), /Borealis/)
})
