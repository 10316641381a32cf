// Compiles what pages quote, as a user's own build would.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
const options = '--strict --noUncheckedIndexedAccess --module nodenext --target es2022 --lib es2022,dom,dom.iterable --types'

/**
 * Compiles files, by their names, under strict TypeScript and further options, and returns
 * the folder's address. What TypeScript says is the message of the error.
 */
export async function compile(t, files, ...more) {
  const folder = await mkdtemp(join(import.meta.dirname, '../.compiled-')) // finds node_modules
  t.after(() => rm(folder, { recursive: true }))
  const paths = await Promise.all(Object.entries(files).map(async ([name, text]) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }))
  await compileFiles(paths, ...more)
  return pathToFileURL(folder).href
}

/** Compiles files where they are. */
export async function compileFiles(paths, ...more) {
  try {
    await promisify(execFile)(process.execPath, [tsc, ...options.split(' '), '', ...more, ...paths])
  } catch (error) {
    throw new Error(error.stdout || error)
  }
}
