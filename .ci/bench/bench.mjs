// Runs licensekit and its peers alternately on the same rows and prints a table
// of medians and ratios. Every side reads the same CSV, writes to the same disk,
// begins with nothing left to be written, and ends with its data synced. A run
// that is broken off prints what it had measured.
import { DuckDBInstance } from '@duckdb/node-api'
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const [work, ...sizes] = process.argv.slice(2).flatMap(a => a.split(' '))
const rounds = Number(process.env.ROUNDS ?? 3)
const warm = Math.max(rounds, 3) // of queries, whose first reads the disk and whose median doesn't
const kit = join(work, 'licensekit')
const results = []
const running = new Set() // what has to be ended with this program

const seconds = async work => {
  const began = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - began) / 1e9
}
const median = list => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]
const sync = file => { const fd = openSync(file, 'r'); fsyncSync(fd); closeSync(fd) }

// compare runs both sides in turn, so that a slow minute hits both.
async function compare(rows, what, ours, peers, count = rounds) {
  const times = {}
  for (let round = 0; round < count; round++) {
    for (const [name, run] of Object.entries({ licensekit: ours, ...peers })) {
      execFileSync('sync')
      ;(times[name] ??= []).push(await seconds(run))
    }
  }
  const mine = median(times.licensekit)
  for (const name of Object.keys(peers)) {
    const other = median(times[name])
    results.push({ rows, what, peer: name, licensekit_s: +mine.toFixed(3), peer_s: +other.toFixed(3), ratio: +(mine / other).toFixed(2) })
    console.error(results.at(-1))
  }
}

class Server {
  constructor(data, port) {
    this.data = data
    this.base = `http://127.0.0.1:${port}`
    this.port = port
  }
  async start() {
    running.add(this)
    this.process = spawn(kit, ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`], { stdio: ['ignore', 'ignore', 'ignore'] })
    for (;;) {
      try { if ((await fetch(this.base + '/readyz')).ok) break } catch { await sleep(20) }
    }
    this.token = execFileSync(kit, ['token', 'issue', '--data', this.data, '--name', 'bench', '--scope', 'admin'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
    this.peak = 0
    this.watch = setInterval(() => {
      const anonymous = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${this.process.pid}/status`, 'utf8'))
      this.peak = Math.max(this.peak, Number(anonymous[1]) / 1024)
    }, 20)
  }
  async freeze(report_kind, format, filters = {}) {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json', prefer: 'wait=60' }
    let answer = await fetch(this.base + '/api/v1/reports/exports', { method: 'POST', headers, body: JSON.stringify({ report_kind, format, filters }) })
    let { data, error } = await answer.json()
    while (data && data.status !== 'ready' && data.status !== 'failed') {
      await sleep(20)
      ;({ data, error } = await (await fetch(`${this.base}/api/v1/reports/exports/${data.id}`, { headers })).json())
    }
    if (error || data.status !== 'ready') throw new Error(JSON.stringify(error ?? data.error))
    return data
  }
  async stop() {
    clearInterval(this.watch)
    const ended = new Promise(resolve => this.process.once('exit', resolve))
    this.process.kill('SIGINT')
    await ended
    running.delete(this)
  }
}

const columns = 'id VARCHAR, occurred_at TIMESTAMP, action VARCHAR, source VARCHAR, product_id VARCHAR, customer_id VARCHAR, license_id VARCHAR, feature_code VARCHAR, amount BIGINT, request_id VARCHAR, status_code BIGINT'

async function duckdb(file) {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  return { run: sql => connection.run(sql), all: async sql => (await connection.runAndReadAll(sql)).getRows(), close: () => { connection.closeSync(); instance.closeSync() } }
}

function postgres(csv) {
  const psql = sql => execFileSync('runuser', ['-u', 'postgres', '--', 'psql', '-qAt', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-c', sql], { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 })
  execFileSync('service', ['postgresql', 'start'], { stdio: 'ignore' })
  psql('DROP TABLE IF EXISTS activities')
  psql(`CREATE TABLE activities (sequence BIGSERIAL, ${columns})`)
  execFileSync('chmod', ['a+rx', work])
  execFileSync('chmod', ['a+r', csv])
  psql(`COPY activities (id, occurred_at, action, source, product_id, customer_id, license_id, feature_code, amount, request_id, status_code) FROM '${csv}' (FORMAT csv, HEADER)`)
  psql('VACUUM ANALYZE activities')
  return psql
}

// sqlite imports the rows and answers queries in a process of its own each time.
function sqlite(csv, file) {
  const run = script => execFileSync('sqlite3', [file], { input: script, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'inherit'] })
  return {
    import: () => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
      run(`PRAGMA journal_mode = wal;\nCREATE TABLE activities (${columns});\n.import --csv --skip 1 ${csv} activities\nPRAGMA wal_checkpoint(truncate);\n`)
      sync(file)
    },
    run,
  }
}

const exited = (program, ...args) => new Promise((resolve, reject) =>
  spawn(program, args, { stdio: 'ignore' }).once('exit', code => code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))))

// webServer serves the work directory with nginx.
async function webServer(root) {
  const port = 18081, config = join(work, 'nginx.conf')
  writeFileSync(config, `daemon off; user root; worker_processes 2; error_log ${work}/nginx.log; pid ${work}/nginx.pid; events {}
http { access_log off; sendfile on; client_body_temp_path ${work}/nginx.tmp; server { listen 127.0.0.1:${port}; root ${root}; } }`)
  const web = { port, process: spawn('nginx', ['-c', config], { stdio: 'ignore' }) }
  running.add(web)
  for (let up = false; !up; await sleep(20)) up = await fetch(`http://127.0.0.1:${port}/nginx.conf`).then(r => r.ok, () => false)
  web.stop = async () => {
    const ended = new Promise(resolve => web.process.once('exit', resolve))
    web.process.kill('SIGTERM')
    await ended
    running.delete(web)
  }
  return web
}

// latency has clients freeze small reports over and over: how long each takes,
// and how many are durable in a second. Nothing beside it is asked of the disk
// but one write and fsync after the other, which is the peer.
async function latency(server, label, clients) {
  const perClient = Math.ceil(480 / clients), times = []
  const filters = { from: '2025-05-01T00:00:00Z', to: '2025-05-01T01:00:00Z' }
  await server.freeze('usage-summary', 'json', filters)
  const whole = await seconds(() => Promise.all(Array.from({ length: clients }, async () => {
    for (let n = 0; n < perClient; n++) times.push(await seconds(() => server.freeze('usage-summary', 'json', filters)))
  })))
  const ms = list => +(median(list) * 1e3).toFixed(1)
  results.push({ rows: label, what: `small export, ${clients} client(s): p50 ms, and exports/s`, licensekit_s: ms(times), peer: 'one fsync, ms', peer_s: ms(await fsyncs()), ratio: +(clients * perClient / whole).toFixed(0) })
  console.error(results.at(-1))
}

async function fsyncs() {
  const file = join(work, 'fsync'), times = []
  const fd = openSync(file, 'w')
  for (let n = 0; n < 100; n++) times.push(await seconds(() => { writeSync(fd, Buffer.alloc(4096, n)); fsyncSync(fd) }))
  closeSync(fd)
  return times
}

async function measure(rows, ids) {
  const label = `${rows / 1e6} M, ${ids} ids`
  const csv = join(work, 'activities.csv')
  const fresh = path => { rmSync(path, { recursive: true, force: true }); return path }
  execFileSync(kit, ['demo', '--generate', fresh(csv), '--activities', String(rows), ...(ids === 'ordered' ? ['--ordered-ids'] : [])], { stdio: 'ignore' })

  const data = join(work, 'data'), duck = join(work, 'peer.duckdb'), lite = sqlite(csv, join(work, 'peer.sqlite'))
  await compare(label, 'import', async () => {
    fresh(data)
    execFileSync(kit, ['import', '--data', data, '--as', 'activities', csv], { stdio: 'ignore' })
  }, {
    duckdb: async () => {
      fresh(duck); fresh(duck + '.wal')
      const db = await duckdb(duck)
      await db.run(`CREATE TABLE activities AS SELECT row_number() OVER () AS sequence, * FROM read_csv('${csv}', header = true, columns = {${columns.split(', ').map(c => c.split(' ')).map(([n, t]) => `'${n}': '${t}'`).join(', ')}})`)
      await db.run('CHECKPOINT')
      db.close()
      sync(duck)
    },
    sqlite: lite.import,
  })
  if (ids === 'ordered') return

  const server = new Server(data, 18080)
  await server.start()
  const db = await duckdb(duck)
  await db.run('SET threads = 2')
  const out = join(work, 'out')
  const copy = format => async () => {
    fresh(out)
    await db.run(`COPY (SELECT * FROM activities WHERE action LIKE 'usage.%' ORDER BY occurred_at, sequence) TO '${out}' (FORMAT ${format})`)
    sync(out)
  }
  await compare(label, 'ledger to csv', () => server.freeze('usage-ledger', 'csv'), { duckdb: copy('csv') })
  await compare(label, 'ledger to json', () => server.freeze('usage-ledger', 'json'), { duckdb: copy('json') })

  const sql = postgres(csv)
  const both = query => ({ duckdb: () => db.all(query('DATE_TRUNC')), postgresql: () => sql(query('DATE_TRUNC')) })
  const usage = "FROM activities WHERE action LIKE 'usage.%'"
  const byCustomer = `SELECT customer_id, count(*), sum(amount) ${usage} GROUP BY 1 ORDER BY 1`
  await compare(label, 'summary by customer', () => server.freeze('usage-summary', 'json', { group_by: 'customer_id' }),
    { ...both(() => byCustomer), sqlite: () => lite.run(byCustomer + ';') }, warm)
  await compare(label, 'summary by customer, feature, day', () => server.freeze('usage-summary', 'json', { group_by: 'customer_id,feature_code', bucket: '1d' }),
    both(f => `SELECT ${f}('day', occurred_at), customer_id, feature_code, count(*), sum(amount) ${usage} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`), warm)
  await compare(label, 'one month of one product', () => server.freeze('usage-summary', 'json', { product_id: 'prod_3', from: '2025-05-01T00:00:00Z', to: '2025-06-01T00:00:00Z', group_by: 'customer_id' }),
    both(() => `SELECT customer_id, count(*), sum(amount) ${usage} AND product_id = 'prod_3' AND occurred_at >= '2025-05-01' AND occurred_at < '2025-06-01' GROUP BY 1 ORDER BY 1`), warm)

  const frozen = await server.freeze('usage-ledger', 'csv')
  const bundle = join(work, 'bundle.lkbundle.zip'), artifact = join(work, 'artifact.csv'), key = join(work, 'key.pem')
  for (const f of [bundle, artifact, key]) fresh(f)
  execFileSync(kit, ['export', 'bundle', '--data', data, '-o', bundle, frozen.id], { stdio: 'ignore' })
  execFileSync(kit, ['export', 'download', '--data', data, '-o', artifact, frozen.id], { stdio: 'ignore' })
  execFileSync(kit, ['key', 'export', '--data', data, '-o', key], { stdio: 'ignore' })
  await compare(label, `verify the csv's bundle (${(statSync(artifact).size / 1e9).toFixed(2)} GB csv)`,
    () => execFileSync(kit, ['verify', '--key', key, bundle], { stdio: 'ignore' }),
    { 'sha256sum of the csv': () => execFileSync('sha256sum', [artifact]) })
  // What no encoder gets around: both hashes and the artifact's way to the disk,
  // on both processors, of bytes that are there already.
  const canonical = join(work, 'canonical.json')
  execFileSync(kit, ['export', 'download', '--data', data, '-o', fresh(canonical), (await server.freeze('usage-ledger', 'json')).id], { stdio: 'ignore' })
  await compare(label, 'ledger to csv', () => server.freeze('usage-ledger', 'csv'), {
    'its hashes and writes alone': () => Promise.all([exited('sha256sum', canonical), exited('sha256sum', artifact), exited('dd', `if=${artifact}`, `of=${fresh(out)}`, 'bs=1M', 'conv=fsync')]),
  })
  for (const f of [canonical, out]) fresh(f)

  const nginx = await webServer(work)
  const download = (url, ...more) => () => execFileSync('curl', ['-sf', '-o', '/dev/null', ...more, url], { stdio: 'ignore' })
  await compare(label, 'download of the csv', download(`${server.base}/api/v1/reports/exports/${frozen.id}/download`, '-H', `Authorization: Bearer ${server.token}`),
    { nginx: download(`http://127.0.0.1:${nginx.port}/artifact.csv`) })
  await nginx.stop()
  for (const clients of [1, 16]) await latency(server, label, clients)
  results.push({ rows: label, what: 'peak anonymous memory of the server, MiB', licensekit_s: Math.round(server.peak) })
  db.close()
  await server.stop()
  sql('DROP TABLE activities')
}

const print = () => {
  console.table(results)
  console.log(`${new Date().toISOString().slice(0, 10)}, ${execFileSync('nproc').toString().trim()} cores, medians of ${rounds} runs`)
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const server of running) server.process.kill('SIGKILL')
    print()
    process.exit(130)
  })
}
try {
  for (const size of sizes) await measure(Number(size), 'random')
  await measure(Number(sizes.at(-1)), 'ordered')
} finally {
  for (const server of running) server.process.kill('SIGKILL')
  print()
}
