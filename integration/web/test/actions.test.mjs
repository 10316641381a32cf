// What a person may do with a document is a row, too: buttons come and go with relationships.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { doc, open } from './page.mjs'

const readOnly = 'Bob may read this, and not edit it.'
const letBob = 'Let Bob edit “Comet pitch”'

test('who is let edit has the button at once, and has it no more when that is taken back', async (t) => {
  const page = await opened(t)
  const { left, right } = page
  await shareToRead(page)
  await left.open('Comet pitch')
  await right.open('Comet pitch')
  await right.row('Comet pitch').getByText(readOnly).waitFor()
  await right.row('Comet pitch').getByText('Why Comet.').waitFor() // the text, to read
  await noButton(right)
  await page.accessible()

  const times = { in: [], out: [] }
  for (let i = 0; i < 5; i++) {
    await left.isOn(letBob, false)
    times.in.push(await page.timed(() => left.flip(letBob), right, 'Save', true, 'button'))
    await left.isOn(letBob, true)
    times.out.push(await page.timed(() => left.flip(letBob), right, 'Save', false, 'button'))
  }
  for (const [what, ms] of Object.entries(times)) {
    t.diagnostic(`click to button ${what} in the other pane: ${ms.map((x) => x.toFixed(0)).join(', ')} ms`)
  }
  await right.row('Comet pitch').getByText(readOnly).waitFor()
  const log = await page.page.getByRole('log').innerText()
  assert.match(log, /Carol lets Bob edit “Comet pitch”/)
  assert.match(log, /\+ document:…007#editor@user:bob/)
  assert.match(log, /Bob may edit “Comet pitch”\s+[\d.]+ ms/)
  assert.match(log, /Bob may not edit “Comet pitch”\s+[\d.]+ ms/)
})

test('what is edited by who was let edit is seen by the other', async (t) => {
  const { left, right } = await opened(t)
  await left.open('Comet pitch')
  await left.flip(letBob) // who edits reads, too
  await right.has('Comet pitch')
  await right.open('Comet pitch')
  await right.root.getByLabel('Title', { exact: true }).fill('Comet pitch, by Bob')
  await right.root.getByRole('button', { name: 'Save' }).click()
  await left.has('Comet pitch, by Bob')
})

test('who reads by a share alone has no button, and has one of what they edit', async (t) => {
  const { left } = await open(t)
  await left.signIn('Alice')
  await left.has('Borealis plan')
  await left.open('Borealis plan')
  await left.root.getByText('Alice may read this, and not edit it.').waitFor()
  await noButton(left)
  await left.open('Comet pitch')
  await left.root.getByRole('button', { name: 'Save' }).waitFor()
})

test('sharing and moving come with the permission and go with it, whoever writes it', async (t) => {
  const page = await opened(t)
  const { right } = page
  await right.open('Borealis plan')
  await right.root.getByText('can share and move this').waitFor()
  await page.do('touch', 'project:borealis#lead@user:bob')
  await right.root.getByRole('switch', { name: 'Share “Borealis plan” with Alice' }).waitFor()
  await right.row('Borealis plan').getByLabel('Project').waitFor()
  await page.do('delete', 'project:borealis#lead@user:bob')
  await right.root.getByText('can share and move this').waitFor()
  assert.equal(await right.root.getByRole('switch').count(), 0)
})

test('what is taken back while the browser is offline is gone when it is back', async (t) => {
  const page = await opened(t, { allow: [/ERR_INTERNET_DISCONNECTED/] })
  const { right, context } = page
  await shareToRead(page)
  await page.do('touch', `document:${doc(7)}#editor@user:bob`)
  await right.open('Comet pitch')
  await right.root.getByRole('button', { name: 'Save' }).waitFor()
  await context.setOffline(true)
  await right.notice('offline')
  await right.root.getByRole('button', { name: 'Save' }).waitFor() // as it was
  await page.do('delete', `document:${doc(7)}#editor@user:bob`)
  await context.setOffline(false)
  await right.root.getByText(readOnly).waitFor()
  await noButton(right)
  await right.notice('live')
})

test('permissions are asked for of the rows that are shown, and of no others', async (t) => {
  const { left, page } = await open(t)
  const asked = []
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().includes('/v1/grants/document_actions')) asked.push(request.postDataJSON())
  })
  await left.signIn('Bob')
  await left.shows('Borealis incident', 'Borealis plan')
  await left.open('Borealis plan')
  await left.root.getByRole('button', { name: 'Save' }).waitFor()
  assert.ok(asked.length > 0 && asked.every(({ where }) => /^"id" (=|IN)/.test(where)), JSON.stringify(asked))
  t.diagnostic(JSON.stringify(asked))
})

async function opened(t, options) {
  const page = await open(t, options)
  await page.bothSignIn()
  return page
}

/** Has Bob see the pitch, which he does not see by its project. */
async function shareToRead(page) {
  await page.do('touch', `document:${doc(7)}#viewer@user:bob`)
  await page.right.has('Comet pitch')
}

const noButton = async (pane) => assert.equal(await pane.root.getByRole('button', { name: 'Save' }).count(), 0)
