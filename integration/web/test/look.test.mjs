// What the page looks like, and what axe-core says of it.

import { test } from 'node:test'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from './page.mjs'

const folder = process.env.SHAPEGATE_TEST_SCREENSHOTS ?? join(import.meta.dirname, '.out')
await mkdir(folder, { recursive: true })

for (const [name, options] of Object.entries({
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { viewport: { width: 390, height: 844 } },
  middle: { viewport: { width: 860, height: 1000 }, colorScheme: 'dark' },
})) {
  test(`${name}: before sign-in, with a document open, and in trouble`, async (t) => {
    const page = await open(t, { allow: [/403/], reducedMotion: 'reduce', ...options })
    const { left, right } = page
    const shot = (what) => page.page.screenshot({ path: join(folder, `${name}${what}.png`), fullPage: name === 'narrow' })
    await left.root.getByRole('button', { name: 'Sign in as Carol' }).waitFor()
    await page.accessible()
    await shot('-signin')

    await left.signIn('Carol')
    await right.signIn('Bob', 'Session token')
    await right.has('Borealis plan')
    await left.open('Comet pitch')
    await left.isOn('Share “Comet pitch” with Bob', false)
    await left.flip('Share “Comet pitch” with Bob')
    await left.isOn('Share “Comet pitch” with Bob', true)
    await right.has('Comet pitch')
    await right.open('Comet pitch')
    await right.root.getByText('Bob may read this, and not edit it.').waitFor()
    await page.accessible()
    await left.flip('Let Bob edit “Comet pitch”')
    await left.isOn('Let Bob edit “Comet pitch”', true)
    await right.root.getByRole('button', { name: 'Save' }).waitFor()
    await page.accessible()
    await shot('')

    await left.root.getByRole('button', { name: 'Why does Carol see this?' }).click()
    await left.row('Comet pitch').getByText('Carol sees it.').waitFor()
    await right.open('Borealis plan')
    await right.root.getByRole('button', { name: 'Why does Bob see this?' }).click()
    await right.row('Borealis plan').getByText('Bob sees it.').waitFor()
    await page.accessible()
    await right.root.getByRole('button', { name: 'Why does Bob see this?' }).scrollIntoViewIfNeeded()
    await shot('-why')
    await left.open('Comet pitch')
    await left.root.getByText('Groups', { exact: true }).click()
    await right.root.getByRole('button', { name: 'New' }).click()
    await left.flip('Bob in everybody')
    await right.notice('refused')
    await page.accessible()
    await shot('-refused')
  })
}
