// Why? Each row, and each id, says whether it is visible, and by which path.

import { test } from 'node:test'
import assert from 'node:assert/strict'
import { doc, open } from './page.mjs'

test('a row says by which path it is seen', async (t) => {
  const page = await open(t)
  await page.bothSignIn()
  const why = page.right.row('Borealis plan').getByRole('status')
  await page.right.open('Borealis plan')
  await page.right.root.getByRole('button', { name: 'Why does Bob see this?' }).click()
  await why.getByText('Bob sees it.').waitFor()
  assert.deepEqual(await why.locator('.path').first().getByRole('listitem').allTextContents(), [
    'document:…004', 'project', 'project:borealis', 'viewer', 'user:bob',
  ])
  // What he may do with it is told, too.
  await page.right.row('Borealis plan').getByText('All of it').click()
  await why.getByText(`document:${doc(4)}#edit holds`).waitFor()
  await page.accessible()
})

test('an id that is typed in says what stands in its way, and that it is shared a moment later', async (t) => {
  const page = await open(t)
  await page.bothSignIn()
  const { left, right } = page
  const ask = async (n, ...answers) => {
    await right.root.getByLabel('Id of a document').fill(doc(n))
    await right.root.getByRole('button', { name: 'Why?', exact: true }).click()
    for (const answer of answers) await right.root.locator('.ask + .why').getByText(answer).first().waitFor()
  }
  await right.root.getByText('Why? Ask about any id').click()
  await ask(4, 'Bob sees it.', 'project:borealis')
  await ask(5, 'Bob does not see it.', 'this takes it away', 'banned')
  await ask(8, 'A caveat on the way does not hold')
  await ask(99, 'There is no such row.')
  await ask(7, 'No relationship leads to it.')
  await page.accessible()
  await left.open('Comet pitch')
  await left.flip('Share “Comet pitch” with Bob')
  await right.root.locator('.ask + .why').getByText('Bob sees it.').waitFor()
})

test('who is refused can still ask why', async (t) => {
  const page = await open(t, { allow: [/403/] })
  await page.bothSignIn()
  await page.left.root.getByText('Groups', { exact: true }).click()
  await page.left.flip('Bob in everybody')
  await page.right.notice('refused')
  await page.right.root.getByText('Why? Ask about any id').click()
  await page.right.root.getByLabel('Id of a document').fill(doc(4))
  await page.right.root.getByRole('button', { name: 'Why?', exact: true }).click()
  await page.right.root.getByText('The gate does not hold').first().waitFor()
})
