// Signing in, in each way, and out; tokens that expire.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { open } from './page.mjs'

for (const [way, header] of [['JWT', /^Bearer eyJ/], ['Session token', /^Bearer sgs_/], ['Session cookie', undefined]]) {
  test(`signing in and out with a ${way}`, async (t) => {
    const { left, page, url, context } = await open(t)
    const sent = new Set()
    page.on('request', (request) => request.url().includes('/v1/shapes/') && sent.add(request.headers().authorization))
    await left.signIn('Bob', way)
    await left.shows('Borealis incident', 'Borealis plan')
    await left.notice('live')
    assert.ok([...sent].every((value) => (header ? header.test(value) : value === undefined)), [...sent].join())
    const [cookie] = await context.cookies()
    assert.equal(cookie?.httpOnly, header ? undefined : true)
    // What it sends in its own name is taken, too.
    await left.open('Borealis plan')
    await left.root.getByLabel('Title', { exact: true }).fill(`By ${way}`)
    await left.root.getByRole('button', { name: 'Save' }).click()
    await left.has(`By ${way}`)

    const ended = way === 'JWT' || page.waitForResponse((r) => r.url() === `${url}/v1/session` && r.request().method() === 'DELETE')
    await left.signOut()
    await left.root.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.deepEqual(await left.titles(), [])
    if (way !== 'JWT') assert.equal((await ended).status(), 204)
    // The next person has their own rows, and none of the last one's.
    await left.signIn('Alice', 'JWT')
    await left.shows(`By ${way}`, 'Comet contract', 'Comet pitch', 'Borealis incident', 'Atlas budget')
  })
}

test('one pane has the cookie, and the other is told', async (t) => {
  const { left, right } = await open(t)
  await left.signIn('Carol', 'Session cookie')
  await right.root.getByText('the other pane has it').waitFor()
  assert.ok(await right.root.getByRole('radio', { name: /^Session cookie/ }).isDisabled())
  await right.signIn('Bob', 'Session token')
  await left.has('Comet pitch')
  await right.shows('Borealis incident', 'Borealis plan')
  // Neither pane takes the other's session away.
  await left.root.getByLabel('Search titles').fill('Comet')
  await left.shows('Comet contract', 'Comet pitch')
  await left.signOut()
  await right.root.getByLabel('Search titles').fill('plan')
  await right.shows('Borealis plan')
  await right.notice('live')
})

for (const way of ['JWT', 'Session token', 'Session cookie']) {
  test(`a ${way} that expires is renewed, and nobody notices`, async (t) => {
    const page = await open(t, { tokenLife: 2_000, allow: [/401/] })
    const { left } = page
    await left.signIn('Bob', way)
    await left.has('Borealis plan')
    const signIns = []
    page.page.on('request', (request) => request.url().endsWith('/demo/token') && signIns.push(request))
    await page.page.waitForRequest('**/demo/token') // the first has expired, or is about to
    await page.page.waitForRequest('**/demo/token')
    await page.do('sql', "UPDATE documents SET title = 'After the token' WHERE id = 'd0c00000-0000-4000-8000-000000000004'")
    await left.has('After the token')
    await left.notice('live')
    assert.ok(signIns.length >= 2)
  })
}

// The client tells onError of what its log is answered, and not of what a subset is.
for (const way of ['JWT', 'Session token', 'Session cookie']) {
  test(`rows that are asked for when a ${way} has just expired come all the same`, async (t) => {
    const { left, page } = await open(t, { allow: [/401/] })
    await left.signIn('Bob', way)
    await left.shows('Borealis incident', 'Borealis plan')
    let refused = 0
    await page.route('**/v1/shapes/documents?*', (route) => {
      if (route.request().method() !== 'POST' || refused++ > 0) return route.continue()
      return route.fulfill({ status: 401, json: { error: 'unauthenticated', message: 'the credentials are not valid' } })
    })
    await left.root.getByLabel('Search titles').fill('plan')
    await left.shows('Borealis plan')
    await left.root.getByLabel('Search titles').fill('incident')
    await left.shows('Borealis incident')
    await left.notice('live')
    assert.ok(refused >= 1)
  })
}

test('who is not known any more has to sign in again', async (t) => {
  const page = await open(t, { tokenLife: 2_000, allow: [/401/, /400/] })
  const { left } = page
  await left.signIn('Bob')
  await left.has('Borealis plan')
  await page.page.route('**/demo/token', (route) => route.fulfill({ status: 400, json: { error: 'bad_request', message: 'there is no such person' } }))
  await left.notice('signed-out')
  await left.root.getByText('Bob has to sign in again (401).').waitFor()
  assert.deepEqual(await left.titles(), [])
})
