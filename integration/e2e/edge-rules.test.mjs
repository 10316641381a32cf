// What the edge handler refuses, and what it passes on: with keys made here, in front of a
// shapegate that is not there, so that each way around it is looked at alone.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHandler } from './lib/edge.mjs'

const upstream = 'https://shapegate.internal'
const base64url = (value) => Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url')

const kinds = {
  EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
  ES256: [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }],
}

async function newKey(kid, alg = 'EdDSA') {
  const [generate, sign] = kinds[alg]
  const { privateKey, publicKey } = await crypto.subtle.generateKey(generate, true, ['sign', 'verify'])
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  return {
    kid, alg,
    jwk: { kty, crv, x, y, kid, alg, use: 'sig' },
    sign: async (text) => new Uint8Array(await crypto.subtle.sign(sign, privateKey, new TextEncoder().encode(text))),
  }
}

/** The same bytes in another spelling: the last character has bits that say nothing. */
function otherSpelling(token) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)) + 1]
  assert.deepEqual(Buffer.from(other.split('.')[2], 'base64url'), Buffer.from(token.split('.')[2], 'base64url'))
  return other
}

/** The world of a test: a handler with a clock, and what it sent. */
async function newEdge(options = {}) {
  const edge = { now: Date.parse('2026-03-01T12:00:00Z'), keys: [await newKey('k1')], sent: [], fetches: 0, keysAway: false }
  edge.fetch = async (url, init) => {
    if (url === `${upstream}/.well-known/jwks.json`) {
      edge.fetches++
      await edge.held
      if (edge.keysAway) throw new TypeError('away')
      return Response.json({ keys: edge.keys.map(({ jwk }) => jwk) })
    }
    edge.sent.push({ url: new URL(url), ...init })
    return new Response('[]', { headers: { 'content-encoding': 'gzip', 'content-length': '9', 'set-cookie': 'a=b', 'electric-handle': 'H' } })
  }
  edge.handle = createHandler({ upstream, fetch: edge.fetch, now: () => edge.now, ...options })
  edge.token = async ({ header, key = edge.keys[0], ...claims } = {}) => {
    const head = base64url({ alg: key.alg, typ: 'shapegate-shape+jwt', kid: key.kid, ...header })
    const body = base64url({
      iss: 'shapegate', aud: ['shapegate'], sub: 'user:bob', exp: edge.now / 1000 + 60, shape: { name: 'documents' }, ...claims,
    })
    return `${head}.${body}.${base64url(await key.sign(`${head}.${body}`))}`
  }
  edge.ask = async (query, { token, headers, path = '/v1/shape', ...init } = {}) => edge.handle(new Request(
    `https://edge.example${path}?${query}`,
    { headers: { Authorization: `Bearer ${token ?? await edge.token()}`, ...headers }, ...init }))
  return edge
}

/** Makes sure that a request was refused with a status, and that nothing went on. */
async function refused(edge, response, status, field) {
  const { sent } = edge
  assert.equal(response.status, status, await response.clone().text())
  const body = await response.json()
  assert.ok(body.error && body.message)
  assert.equal(body.field, field)
  assert.deepEqual(sent, [])
}

test('what the token is for is passed on, made anew', async () => {
  const edge = await newEdge()
  const shape = { name: 'tasks', params: { project: 'p&1' }, columns: ['id', 'the "title"'], where: '"id" = $1', where_params: ['x y'] }
  const token = await edge.token({ shape })
  const response = await edge.ask(
    'offset=0_0&handle=H&live=true&table=tasks&project=p%261&columns="the ""title""",ID&where="id" = $1&params[1]=x y&cache-buster=1&cache-buster=2',
    { token, headers: { Cookie: 'shapegate_session=x', 'X-Forwarded-For': '1.2.3.4', Accept: 'text/event-stream' } })
  assert.equal(response.status, 200)
  const [{ url, headers, method, body, redirect }] = edge.sent
  assert.equal(url.origin + url.pathname, `${upstream}/v1/shape`)
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    offset: '0_0', handle: 'H', live: 'true', table: 'tasks', project: 'p&1', columns: '"id","the ""title"""', where: '"id" = $1', 'params[1]': 'x y',
  })
  assert.deepEqual(Object.fromEntries(headers), { accept: 'text/event-stream', authorization: `Bearer ${token}` })
  assert.deepEqual({ method, body, redirect }, { method: 'GET', body: null, redirect: 'manual' })
  // fetch has decoded the body.
  assert.deepEqual([...response.headers.keys()].sort(), ['content-type', 'electric-handle', 'vary'])
})

test('a token for one shape is for no other', async () => {
  const edge = await newEdge()
  const of = (shape) => edge.token({ shape })
  const whole = await of({ name: 'documents' })
  const scoped = await of({ name: 'tasks', params: { project: 'p1' } })
  const some = await of({ name: 'documents', columns: ['id', 'title'] })
  for (const [token, query, field] of [
    [whole, 'table=payroll', 'table'],
    [whole, '', 'table'],
    [whole, 'TABLE=documents', undefined],
    [whole, 'table=documents&columns=id', 'columns'],
    [whole, 'table=documents&where=true', 'where'],
    [whole, 'table=documents&params[1]=x', 'params[1]'],
    [scoped, 'table=tasks&project=p2', 'project'],
    [scoped, 'table=tasks', 'project'],
    [some, 'table=documents', 'columns'],
    [some, 'table=documents&columns=id', 'columns'],
    [some, 'table=documents&columns=id,title,secret', 'columns'],
    [some, 'table=documents&columns=id,"Title"', 'columns'],
    [some, 'table=documents&columns=id,title,', 'columns'],
    [some, 'table=documents&columns=id;title', 'columns'],
  ]) {
    const response = await edge.ask(`${query}&offset=-1`, { token })
    await refused(edge, response, field ? 403 : 400, field ?? 'TABLE')
  }
})

test('a key that stands there twice, or that nobody knows, is refused', async () => {
  for (const [query, field] of [
    ['table=documents&table=payroll', 'table'],
    ['table=payroll&table=documents', 'table'],
    ['table=documents&%74able=payroll', 'table'],
    ['table=documents&offset=-1&offset=now', 'offset'],
    ['table=documents&subset__where=a&subset__where=b', 'subset__where'],
    ['table=documents&secret=x', 'secret'],
    ['table=documents&api_secret=x', 'api_secret'],
    ['table=documents&queryable_columns=x', 'queryable_columns'],
    ['table=documents&table%00=payroll', 'table\0'],
    ['table=documents&subset__params[0]=x', 'subset__params[0]'],
    ['table=documents&__proto__=x', '__proto__'],
  ]) {
    const edge = await newEdge()
    await refused(edge, await edge.ask(query), 400, field)
  }
})

test('there is one path, however it is written', async () => {
  const edge = await newEdge()
  for (const path of [
    '/', '/v1/shapes/documents', '/v1/session', '/v1/gatekeeper/documents', '/metrics', '/v1/sh%61pe', '/v1%2fshape', '/v1/shape/',
    '//v1/shape', '/v1/shape/../session', '/v1/shape%2f..%2fsession', '/v1/shape;x', '/V1/SHAPE',
  ]) {
    await refused(edge, await edge.ask('table=documents', { path }), 404)
  }
  // What is only another way to write it leads to the same place as it does.
  await edge.ask('table=documents&offset=-1', { path: '/v1/x/../shape' })
  assert.equal(edge.sent[0].url.pathname, '/v1/shape')
})

test('a platform may have another path for it, and shapegate has not', async () => {
  const edge = await newEdge({ path: '/shape' })
  await refused(edge, await edge.ask('table=documents'), 404)
  await edge.ask('table=documents', { path: '/shape' })
  assert.equal(edge.sent[0].url.pathname, '/v1/shape')
})

test('there are no other methods', async () => {
  const edge = await newEdge()
  for (const method of ['PUT', 'DELETE', 'PATCH']) await refused(edge, await edge.ask('table=documents', { method }), 405)
})

test('a body asks for a subset, and for nothing else', async () => {
  const edge = await newEdge()
  const post = (body) => edge.ask('table=documents', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
  const subset = { where: '"id" = $1', params: { 1: 'x' }, order_by: '"id"', limit: 5, offset: null }
  assert.equal((await post({ ...subset, where_expr: {}, order_by_expr: [] })).status, 200)
  assert.deepEqual(JSON.parse(edge.sent.pop().body), subset)
  // Of a key that stands there twice, what is passed on has one value, in one reading.
  assert.equal((await post('{"where":"a","where":"b"}')).status, 200)
  assert.equal(edge.sent.pop().body, '{"where":"b"}')
  assert.equal((await post('')).status, 200)
  assert.equal(edge.sent.pop().body, null)
  for (const [body, field] of [
    [{ table: 'payroll' }, 'table'],
    [{ columns: ['secret'], where: 'true' }, 'columns'],
    [{ subset: { where: 'true' } }, 'subset'],
    [{ handle: 'H' }, 'handle'],
    [{ secret: 'x' }, 'secret'],
    ['{"__proto__":{"table":"payroll"}}', '__proto__'],
    ['{"where":"a"', 'body'],
    ['["where"]', 'body'],
    ['"where"', 'body'],
    ['null', 'body'],
    ['table=payroll', 'body'],
    [Buffer.from('{"where":"\xff"}', 'latin1'), 'body'],
    [{ where: { table: 'payroll' } }, 'where'],
    [{ params: ['x'] }, 'params'],
    [{ params: { 0: 'x' } }, 'params'],
    [{ params: { 1: { a: 1 } } }, 'params'],
    [{ limit: [1] }, 'limit'],
  ]) {
    const response = body instanceof Uint8Array ? await edge.ask('table=documents', { method: 'POST', body }) : await post(body)
    await refused(edge, response, 400, field)
  }
  const tooLarge = await post(JSON.stringify({ where: 'x'.repeat(8_000_000) }))
  await refused(edge, tooLarge, 413, 'body')
})

test('no body that overrides the URL at Electric is passed on as it is', async () => {
  const file = join(import.meta.dirname, '../electrictest/testdata/recordings/08-body-overrides-query.json')
  const { exchanges } = JSON.parse(await readFile(file, 'utf8'))
  const bodies = exchanges.map(({ request }) => request.body).filter(Boolean)
  assert.ok(bodies.length > 3)
  for (const body of bodies) {
    const edge = await newEdge()
    const response = await edge.ask('table=documents', { method: 'POST', body: JSON.stringify(body) })
    assert.equal(response.status, 400)
    assert.deepEqual(edge.sent, [])
  }
})

test('a token that does not hold is refused', async () => {
  const edge = await newEdge()
  edge.keys.push(await newKey('k2', 'ES256'))
  const [k1, k2] = edge.keys
  const other = await newKey('k1')
  const hmac = async (secret) => {
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return { kid: 'k1', alg: 'HS256', sign: async (text) => new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text))) }
  }
  assert.equal((await edge.ask('table=documents', { token: await edge.token({ key: k2 }) })).status, 200)
  edge.sent.length = 0
  const good = await edge.token()
  const [head, body, signature] = good.split('.')
  for (const token of [
    await edge.token({ key: other }),
    await edge.token({ key: await hmac(Buffer.from(k1.jwk.x, 'base64url')) }),
    await edge.token({ key: { kid: 'k1', alg: 'none', sign: async () => new Uint8Array(1) } }),
    await edge.token({ header: { alg: 'ES256' } }),
    await edge.token({ key: k2, header: { alg: 'EdDSA' } }),
    await edge.token({ key: k2, header: { kid: 'k1', alg: 'EdDSA' } }),
    await edge.token({ header: { kid: 'unknown' } }),
    await edge.token({ header: { kid: 1 } }),
    await edge.token({ header: { kid: '__proto__' } }),
    await edge.token({ header: { typ: 'JWT' } }),
    await edge.token({ header: { crit: ['exp'] } }),
    await edge.token({ exp: edge.now / 1000 }),
    await edge.token({ exp: '9999999999' }),
    await edge.token({ exp: undefined }),
    await edge.token({ iss: 'https://other.example' }),
    await edge.token({ aud: 'other' }),
    await edge.token({ sub: '' }),
    await edge.token({ shape: undefined }),
    await edge.token({ shape: { name: '' } }),
    `${head}.${body}.AAAA`,
    `${head}.${body}`,
    `${head}.${base64url({ shape: { name: 'payroll' } })}.${signature}`,
    `${good}=`,
    otherSpelling(good),
    `${good}, Bearer ${good}`,
    'x'.repeat(9000),
    'sgs_a-session',
  ]) {
    await refused(edge, await edge.ask('table=documents', { token }), 401)
  }
  for (const headers of [{ Authorization: '' }, { Authorization: good }, { Authorization: `Basic ${good}` }]) {
    await refused(edge, await edge.ask('table=documents', { headers }), 401)
  }
})

test('the shape of a token that does not hold is not looked at', async () => {
  const edge = await newEdge()
  // Whatever is wrong with the query besides, the answer is the same.
  await refused(edge, await edge.ask('table=payroll&table=documents', { token: await edge.token({ key: await newKey('k1') }) }), 401)
})

test('keys are fetched once, and anew when they are old', async () => {
  const edge = await newEdge()
  let release
  edge.held = new Promise((resolve) => { release = resolve })
  const token = await edge.token()
  const asked = Array.from({ length: 20 }, () => edge.ask('table=documents', { token }))
  // None of them is answered before the keys are there.
  assert.equal(await Promise.race([...asked, new Promise((resolve) => setImmediate(resolve, 'waits'))]), 'waits')
  release()
  for (const response of await Promise.all(asked)) assert.equal(response.status, 200)
  assert.equal(edge.fetches, 1)
  edge.now += 59_000
  await edge.ask('table=documents')
  assert.equal(edge.fetches, 1)
  edge.now += 1_000
  await edge.ask('table=documents')
  assert.equal(edge.fetches, 2)
  assert.equal(edge.sent.length, 22)
})

test('keys that nobody knows are asked for every ten seconds at most', async () => {
  const edge = await newEdge()
  const flood = async () => {
    for (let i = 0; i < 50; i++) {
      const response = await edge.ask('table=documents', { token: await edge.token({ header: { kid: `made up ${i}` } }) })
      assert.equal(response.status, 401)
    }
  }
  await flood()
  assert.equal(edge.fetches, 1)
  edge.now += 9_999
  await flood()
  assert.equal(edge.fetches, 1)
  edge.now += 1
  await flood()
  assert.equal(edge.fetches, 2)
  // Those with good tokens are served all the while.
  assert.equal((await edge.ask('table=documents')).status, 200)
})

test('a new key is known with the first token of it, and a removed one is known no more', async () => {
  const edge = await newEdge()
  const old = await edge.token()
  assert.equal((await edge.ask('table=documents', { token: old })).status, 200)
  edge.now += 15_000
  edge.keys = [await newKey('k2', 'ES256')]
  assert.equal((await edge.ask('table=documents')).status, 200)
  assert.equal((await edge.ask('table=documents', { token: old })).status, 401)
})

test('while keys cannot be fetched the last ones are used, and without any the answer is 503', async (t) => {
  t.mock.method(console, 'error', () => {})
  const edge = await newEdge()
  edge.keysAway = true
  const response = await edge.ask('table=documents')
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('Retry-After'), '1')
  edge.keysAway = false
  edge.now += 10_000
  assert.equal((await edge.ask('table=documents')).status, 200)
  edge.keysAway = true
  edge.now += 60_000
  assert.equal((await edge.ask('table=documents', { token: await edge.token() })).status, 200)
  assert.equal(edge.fetches, 3)
})

test('what shapegate answers with a redirect, or not at all, is not followed', async () => {
  for (const [answer, status] of [
    [async () => new Response(null, { status: 302, headers: { Location: 'https://evil.example' } }), 502],
    [async () => { throw new TypeError('fetch failed') }, 503],
  ]) {
    const edge = await newEdge()
    const { fetch } = edge
    const handle = createHandler({ upstream, now: () => edge.now, fetch: (url, init) => (url.endsWith('jwks.json') ? fetch(url, init) : answer()) })
    const response = await handle(new Request('https://edge.example/v1/shape?table=documents', { headers: { Authorization: `Bearer ${await edge.token()}` } }))
    assert.equal(response.status, status)
    assert.equal(response.headers.get('Location'), null)
  }
})

test('pages of named origins may call, and see why they were refused', async () => {
  const edge = await newEdge({ origins: ['https://app.example'] })
  for (const [origin, allowed] of [['https://app.example', 'https://app.example'], ['https://evil.example', null], ['null', null]]) {
    for (const response of [
      await edge.ask('table=documents', { headers: { Origin: origin } }),
      await edge.ask('table=payroll', { headers: { Origin: origin } }),
      await edge.handle(new Request('https://edge.example/v1/shape', { method: 'OPTIONS', headers: { Origin: origin, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization' } })),
    ]) {
      assert.equal(response.headers.get('Access-Control-Allow-Origin'), allowed)
      assert.equal(response.headers.get('Access-Control-Allow-Credentials'), null)
    }
  }
})
