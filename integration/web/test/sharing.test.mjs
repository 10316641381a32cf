// A relationship is written, and the other pane changes at once.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { open } from './page.mjs'

test('a document that is shared shows in the other pane, and is gone when that is taken back', async (t) => {
  const page = await opened(t)
  const { left, right } = page
  await left.open('Comet pitch')
  const share = 'Share “Comet pitch” with Bob'
  const times = { in: [], out: [] }
  for (let i = 0; i < 5; i++) {
    await left.isOn(share, false)
    times.in.push(await page.timed(() => left.flip(share), right, 'Comet pitch', true))
    await left.isOn(share, true)
    times.out.push(await page.timed(() => left.flip(share), right, 'Comet pitch', false))
  }
  for (const [what, ms] of Object.entries(times)) {
    t.diagnostic(`click to row ${what} in the other pane: ${ms.map((x) => x.toFixed(0)).join(', ')} ms`)
  }
  const log = page.page.getByRole('log')
  assert.match(await log.innerText(), /Carol shares “Comet pitch” with Bob/)
  assert.match(await log.innerText(), /\+ document:…007#viewer@user:bob/)
  assert.match(await log.innerText(), /− document:…007#viewer@user:bob/)
  assert.match(await log.innerText(), /Bob sees “Comet pitch”\s+[\d.]+ ms/)
  assert.match(await log.innerText(), /Bob no longer sees “Comet pitch”\s+[\d.]+ ms/)
})

test('a document that is shared with a group shows for who joins it', async (t) => {
  const { left, right } = await opened(t)
  await left.open('Comet pitch')
  await left.flip('Share “Comet pitch” with Engineering')
  await left.isOn('Share “Comet pitch” with Engineering', true)
  await left.root.getByText('Groups', { exact: true }).click()
  await left.flip('Bob in engineering')
  await right.has('Comet pitch')
  await right.has('Atlas charter') // of a project that engineering sees
  await left.flip('Bob in engineering')
  await right.hasNot('Comet pitch')
  await right.hasNot('Atlas charter')
  await right.has('Borealis plan')
})

test('who is banned loses the document, and has it again when the ban is lifted', async (t) => {
  const { left, right } = await opened(t)
  await left.open('Borealis plan')
  await left.flip('Ban Bob from “Borealis plan”')
  await right.hasNot('Borealis plan')
  await left.flip('Ban Bob from “Borealis plan”')
  await right.has('Borealis plan')
})

test('a document that moves to a project shows for its people, and is gone when it moves back', async (t) => {
  const { left, right } = await opened(t)
  await left.open('Comet pitch')
  const project = left.row('Comet pitch').getByLabel('Project')
  await project.selectOption('Borealis')
  await right.has('Comet pitch')
  await project.selectOption('Comet')
  await right.hasNot('Comet pitch')
})

test('who may not share is offered nothing, and told so', async (t) => {
  const { right } = await opened(t)
  await right.open('Borealis plan')
  await right.root.getByText('The lead of Borealis or an administrator can share and move this.').waitFor()
  assert.equal(await right.root.getByRole('switch').count(), 0)
  assert.equal(await right.root.getByText('Groups', { exact: true }).count(), 0)
})

// The page does not know yet: what it would hear of its permissions is held back.
test('who could share a moment ago is told that they may not any more', async (t) => {
  const page = await open(t, { allow: [/403/] })
  const { left } = page
  await page.page.route('**/v1/grants/*?*live=true*', () => {})
  await page.do('touch', 'document:d0c00000-0000-4000-8000-000000000007#viewer@user:alice')
  await left.signIn('Alice')
  await left.open('Comet pitch')
  await left.isOn('Share “Comet pitch” with Bob', false)
  await page.do('delete', 'project:comet#lead@user:alice')
  await left.flip('Share “Comet pitch” with Bob')
  await left.root.getByRole('alert').getByText("Not allowed: only the project's lead or an administrator may do this.").waitFor()
  await left.isOn('Share “Comet pitch” with Bob', false)
})

async function opened(t) {
  const page = await open(t)
  await page.bothSignIn()
  return page
}
