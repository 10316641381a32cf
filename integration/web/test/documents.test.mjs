// Rows are searched, ordered and paged by subsets; edits and new rows show at once.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { open } from './page.mjs'

const newest = ['Comet contract', 'Comet pitch', 'Borealis incident', 'Borealis review', 'Borealis plan']

test('pages and order: a subset with order and limit for each', async (t) => {
  const { left, page } = await opened(t)
  const asked = subsets(page)
  await left.shows(...newest)
  await left.root.getByRole('button', { name: 'Next' }).click()
  await left.shows('Atlas budget', 'Atlas charter')
  await left.root.getByRole('button', { name: 'Previous' }).click()
  await left.shows(...newest)
  await left.root.getByLabel('Order').selectOption('Oldest first')
  await left.shows('Atlas charter', 'Atlas budget', 'Borealis plan', 'Borealis review', 'Borealis incident')
  await left.root.getByLabel('Order').selectOption('By title')
  await left.shows('Atlas budget', 'Atlas charter', 'Borealis incident', 'Borealis plan', 'Borealis review')
  assert.ok(asked.some((body) => body.limit > 0 && body.order_by), JSON.stringify(asked))
})

test('search, by title and by project', async (t) => {
  const { left, page } = await opened(t)
  const asked = subsets(page)
  await left.root.getByLabel('Search titles').fill('PLAN')
  await left.shows('Borealis plan')
  await left.root.getByLabel('Search titles').fill('nothing like it')
  await left.root.getByText('Nothing here matches.').waitFor()
  await left.root.getByLabel('Search titles').fill('')
  await left.root.getByLabel('Project').selectOption('Atlas')
  await left.shows('Atlas budget', 'Atlas charter')
  assert.ok(asked.some((body) => /ILIKE/.test(body.where)), JSON.stringify(asked))
})

test('an edit shows at once, before the server answers, and then in the other pane', async (t) => {
  const { left, right, page } = await opened(t)
  const held = await hold(page, '**/demo/documents/*')
  await right.open('Borealis plan')
  await right.root.getByLabel('Title', { exact: true }).fill('Borealis plan, second edition')
  await right.root.getByRole('button', { name: 'Save' }).click()
  await right.has('Borealis plan, second edition')
  await right.row('Borealis plan, second edition').getByText('saving…').waitFor()
  assert.ok((await left.titles()).includes('Borealis plan'))
  held.release()
  await left.has('Borealis plan, second edition')
  await right.row('Borealis plan, second edition').getByText('saving…').waitFor({ state: 'detached' })
})

test('an edit that fails is taken back, and the person is told', async (t) => {
  const { right, page } = await opened(t, { allow: [/500/] })
  await page.route('**/demo/documents/*', (route) => route.fulfill({ status: 500, json: { error: 'internal', message: 'the disk is full' } }))
  await right.open('Borealis plan')
  await right.root.getByLabel('Title', { exact: true }).fill('Lost')
  await right.root.getByRole('button', { name: 'Save' }).click()
  await right.root.getByRole('alert').getByText('That did not work: the disk is full.').waitFor()
  await right.has('Borealis plan')
  await right.hasNot('Lost')
})

test('a new document shows at once, and stays when it comes back', async (t) => {
  const { left, right, page } = await opened(t)
  const held = await hold(page, '**/demo/documents/*')
  await right.root.getByRole('button', { name: 'New' }).click()
  const form = right.root.getByRole('form', { name: 'New document' })
  await form.getByLabel('Title', { exact: true }).fill('Borealis budget')
  await form.getByLabel('In project').selectOption('Borealis')
  await form.getByRole('button', { name: 'Create' }).click()
  await right.row('Borealis budget').getByText('saving…').waitFor()
  assert.ok(!(await left.titles()).includes('Borealis budget'))
  held.release()
  await left.has('Borealis budget')
  await right.row('Borealis budget').getByText('saving…').waitFor({ state: 'detached' })
  await right.shows('Borealis budget', 'Borealis incident', 'Borealis plan')
})

test('all of it by keyboard', async (t) => {
  const { right, page } = await opened(t)
  await right.root.getByLabel('Search titles').focus()
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key)
  }
  await press('Tab', 'Tab', 'Tab', 'Tab', 'Enter') // project, order, new, the first row
  const title = right.root.getByLabel('Title', { exact: true })
  await title.waitFor()
  await press('Tab')
  assert.ok(await title.evaluate((e) => e === document.activeElement))
  await press('End')
  await page.keyboard.type(' by hand')
  await press('Enter')
  await right.has('Borealis incident by hand')
})

async function opened(t, options) {
  const page = await open(t, options)
  await page.bothSignIn()
  return page
}

/** The bodies of the subsets that are asked for from now on. */
function subsets(page) {
  const bodies = []
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().includes('/v1/shapes/documents')) bodies.push(request.postDataJSON())
  })
  return bodies
}

/** Holds requests back until release. */
async function hold(page, pattern) {
  const { promise, resolve } = Promise.withResolvers?.() ?? deferred()
  await page.route(pattern, async (route) => {
    await promise
    await route.continue()
  })
  return { release: resolve }
}

function deferred() {
  let resolve
  const promise = new Promise((r) => (resolve = r))
  return { promise, resolve }
}
