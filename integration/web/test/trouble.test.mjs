// Parts that go away while the page is open, and come back.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { open } from './page.mjs'

const retitle = (title) => `UPDATE documents SET title = '${title}' WHERE id = 'd0c00000-0000-4000-8000-000000000004'`

test('who loses the gate keeps no row and is told, and has the rows again with the gate', async (t) => {
  const { left, right, page } = await opened(t, { allow: [/403/] })
  await left.root.getByText('Groups', { exact: true }).click()
  await left.flip('Bob in everybody')
  await right.notice('refused')
  await right.root.getByText('Bob may not read documents in this workspace (403).').waitFor()
  assert.deepEqual(await right.titles(), [])
  await left.flip('Bob in everybody')
  await right.has('Borealis plan')
  await right.notice('live')
  assert.match(await page.getByRole('log').innerText(), /Bob is live again/)
})

test('SpiceDB goes away: the rows stay, and the page says why they are not current', async (t) => {
  const { left, right, page, ...world } = await opened(t, { allow: [/503/] })
  await world.do('pause SpiceDB')
  await right.notice('unavailable')
  await right.has('Borealis plan')
  // What is asked for meanwhile is refused, and told.
  await left.open('Comet pitch')
  await left.root.getByRole('alert').getByText('SpiceDB or Redis is away').waitFor()
  await world.do('sql', retitle('While SpiceDB was away'))
  await world.do('resume SpiceDB')
  await right.has('While SpiceDB was away')
  await right.notice('live')
  await left.notice('live')
})

test('the browser is offline: the rows stay, and become current again', async (t) => {
  const { right, context, ...world } = await opened(t, { allow: [/ERR_INTERNET_DISCONNECTED/] })
  await context.setOffline(true)
  await right.notice('offline')
  await right.has('Borealis plan')
  await world.do('sql', retitle('While offline'))
  await context.setOffline(false)
  await right.has('While offline')
  await right.notice('live')
})

test('a restart of shapegate is not noticed', async (t) => {
  const { left, right, page, ...world } = await opened(t, { allow: [/ERR_/] })
  await page.evaluate(() => {
    globalThis.noticed = []
    new MutationObserver(() => {
      for (const notice of document.querySelectorAll('.notice:not([data-health=live])')) globalThis.noticed.push(notice.textContent)
    }).observe(document.querySelector('.panes'), { subtree: true, childList: true, attributes: true })
  })
  const refetched = []
  page.on('response', (response) => response.status() === 409 && refetched.push(response.url()))
  await world.do('restart')
  await world.do('sql', retitle('After the restart'))
  await right.has('After the restart')
  await left.open('Comet pitch')
  await left.flip('Share “Comet pitch” with Bob')
  await right.has('Comet pitch')
  assert.deepEqual(await page.evaluate(() => globalThis.noticed), [])
  assert.deepEqual(refetched, [])
})

async function opened(t, options) {
  const page = await open(t, options)
  await page.bothSignIn()
  return page
}
