// TypeScript, compiled for a test. Node 20 does not read it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

const options = '--strict --noUncheckedIndexedAccess --module nodenext --target es2022 --lib es2022,dom,dom.iterable --types'.split(' ')

/** Compiles files under strict TypeScript. What the compiler says fails the test. */
export function compile(files, ...further) {
  try {
    execFileSync(process.execPath, [tsc, ...options, '', ...further, ...files], { encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    assert.fail(error.stdout || error)
  }
}
